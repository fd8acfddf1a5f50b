"""Imports as the chip makes them: a built-in module is looked for on the board's flash each time before it is taken.

The Unix port does so too with its own modules, not with those that the port
replaces. The first relative import ends this: who makes it only the interpreter sees.
"""

import builtins
import sys

import uos

import esp32

_load = __import__
_names = [None]  # of the modules that are being imported, the innermost last


def find(name, *args):
    if len(args) > 3 and args[3]:
        builtins.__import__ = _load
        name = esp32._load("relative").absolute(name, _names[-1], args[3])
        args = args[:3] + (0,)
    elif name == "asyncio" and name not in sys.modules:
        sys.modules["_asyncio"] = esp32._load("tasks")
    elif name in ("errno", "machine", "os", "socket", "time"):
        for place in sys.path:
            if "." not in place[:2]:  # not in the firmware
                for path in (name, name + ".py", name + ".mpy"):
                    try:
                        uos.stat(place + "/" + path if place else path)
                    except OSError:
                        pass
    _names.append(name)
    try:
        return _load(name, *args)
    finally:
        _names.pop()


builtins.__import__ = find
