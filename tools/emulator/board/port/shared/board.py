"""What runs on the board, in the chip's order: /boot.py, /main.py, the console."""

import sys

import _chip

share = 0  # bytes of heap that the port takes


def run(names):
    """Run what the settings ask for: a device test's cases, or the board's own files and its console.

    `names` is the dict of the module `__main__`.
    """
    if "case" in _chip.settings:
        import case

        case.run(_chip.settings["case"])
        return
    _chip.interruptible()
    if "measure" in _chip.settings:
        import measure

        measure.watch(_chip.settings["measure"], share)
    failed = _file("/boot.py", names)
    if not _chip.settings.get("raw"):
        failed = _file("/main.py", names) or failed
    while _chip.settings.get("console"):
        try:
            import console

            console.run(names, _chip.settings.get("raw", False))
            break
        except KeyboardInterrupt:  # one that comes between main.py and the first prompt
            pass
    sys.exit(1 if failed else 0)


def _file(name, names):
    """Run a file of the board if it is there; True when an error ended it."""
    try:
        _chip.run_file(name, names)
    except SystemExit:
        pass
    except KeyboardInterrupt as error:
        sys.print_exception(error)
    except OSError as error:
        if error.args[0] == 2 and not _there(name):
            return False
        sys.print_exception(error)
        return True
    except Exception as error:
        sys.print_exception(error)
        return True
    return False


def _there(name):
    try:
        open(name).close()
        return True
    except OSError:
        return False
