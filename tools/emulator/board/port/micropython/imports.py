"""Imports as the chip makes them: a built-in module is looked for on the board's flash each time before it is taken.

The Unix port does so too with its own modules, not with those that the port replaces.
"""

import builtins
import sys

import uos

_load = __import__


def find(name, *arguments):
    if name in ("errno", "machine", "os", "socket", "time"):
        for place in sys.path:
            if "." not in place[:2]:  # not in the firmware
                for path in (name, name + ".py", name + ".mpy"):
                    try:
                        uos.stat(place + "/" + path if place else path)
                    except OSError:
                        pass
    return _load(name, *arguments)


builtins.__import__ = find
