"""Measures the heap when a state line passes: what is in use then, garbage collected."""

import builtins
import gc

import _chip


def watch(name, share):
    """Write the figures into the host's file "heap" when the state `name` is printed."""
    out = builtins.print
    begin = '{"aliot":"%s"' % name

    def watched(*arguments, **options):
        if arguments and isinstance(arguments[0], str) and arguments[0].startswith(begin):
            write(share)  # before the line: who reads it may switch the board off
        out(*arguments, **options)

    builtins.print = watched


def write(share):
    gc.collect()
    with _chip.open(_chip.settings["heap"], "wb") as file:
        file.write(b'{"port":%d,"used":%d,"free":%d}' % (share, gc.mem_alloc(), gc.mem_free()))
