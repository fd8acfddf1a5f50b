"""The REPL on the board's console, with the raw mode and raw paste mode that mpremote uses."""

import sys

import _chip

_BANNER = b'MicroPython on an emulated ESP32\r\nType "help()" for more information.\r\n'
_RAW_BANNER = b"raw REPL; CTRL-B to exit\r\n>"
_WINDOW = 128


def run(names, raw):
    """Serve the console in the namespace `names` until nobody can send any more."""
    greeting = _RAW_BANNER if raw else _BANNER
    while raw is not None:
        try:
            _chip.write(greeting)
            greeting = b""
            raw = _raw(names) if raw else _friendly(names)
        except KeyboardInterrupt:  # one that comes while the greeting goes out is no more than another
            greeting = b"\r\n>" if raw else b"\r\nKeyboardInterrupt\r\n"


def _friendly(names):
    """Lines as a person types them; True when raw mode is asked for, None at the end of input."""
    block = ""
    while True:
        _chip.write(b"... " if block else b">>> ")
        line, key = _line()
        if key == b"":
            return None
        if key == b"\x01":
            _chip.write(_RAW_BANNER)
            return True
        if key == b"\x02":
            _chip.write(b"\r\n" + _BANNER)
            block = ""
        elif key == b"\x03":
            block = ""
        elif key == b"\x04":
            _restart(_chip.SOFT_RESET)
        else:
            block += line + "\n"
            if line.rstrip().endswith((":", "\\")) or len(block) > len(line) + 1 and line.strip():
                continue
            if block.strip():
                _run(names, block, "single")
            block = ""


def _line():
    """(text, the key that ended it)."""
    line = b""
    while True:
        key = _chip.read_byte()
        if key in (b"\r", b"\n"):
            _chip.write(b"\r\n")
            return line.decode(), key
        if key == b"\x03":
            _chip.write(b"\r\n")
        if key in (b"", b"\x03") or not line and key in (b"\x01", b"\x02", b"\x04"):
            return "", key
        if key in (b"\x08", b"\x7f"):
            if line:
                line = line[:-1]
                _chip.write(b"\x08 \x08")
        elif key >= b" " or key == b"\t":
            line += key
            _chip.write(key)


def _raw(names):
    """Programs as mpremote sends them; False when raw mode is left, None at the end of input."""
    program = b""
    while True:
        key = _chip.read_byte()
        if key == b"":
            return None
        if key == b"\x03":
            program = b""
        elif key == b"\x01":
            _chip.write(_RAW_BANNER)
            program = b""
        elif key == b"\x02":
            _chip.write(b"\r\n" + _BANNER)
            return False
        elif key == b"\x05" and not program:
            program = _paste()
            if program is not None:
                _answer(names, program)
            program = b""
        elif key == b"\x04":
            if not program:
                _restart(_chip.RAW_RESET)
            _chip.write(b"OK")
            _answer(names, program)
            program = b""
        else:
            program += key


def _paste():
    """A program in raw paste mode, or None when the host broke it off or asked for something else."""
    if _chip.read_byte() != b"A":
        return None
    _chip.read_byte()
    _chip.write(b"R\x01" + bytes((_WINDOW, 0, 1)))
    program, room = bytearray(), 2 * _WINDOW
    while True:
        key = _chip.read_byte()
        if key in (b"\x03", b"\x04", b""):
            _chip.write(b"\x04")
            return None if key == b"\x03" else bytes(program)
        program += key
        room -= 1
        if room == _WINDOW:
            room += _WINDOW
            _chip.write(b"\x01")


def _answer(names, program):
    failed = _run(names, program, "exec")
    _chip.write(b"\x04")
    if failed:
        sys.print_exception(failed)
    _chip.write(b"\x04>")


def _run(names, source, mode):
    """Run a program; what it raised, or None. A friendly line's error is printed."""
    try:
        exec(compile(source, "<stdin>", mode), names)
    except SystemExit:
        _restart(_chip.SOFT_RESET if mode == "single" else _chip.RAW_RESET)
    except BaseException as error:
        if mode == "exec":
            return error
        sys.print_exception(error)


def _restart(how):
    _chip.write(b"\r\nMPY: soft reboot\r\n")
    _chip.stop(how)
