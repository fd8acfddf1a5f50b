"""An identity on Alibaba Cloud IoT Platform for ESP32 boards running MicroPython.

Parts that only some boards, or only some moments, need are imported by `part` and dropped by `forget`.
"""

import gc
import sys

__version__ = "0.1.0"


def part(name):
    """The module aliot.`name`, imported now. ImportError when this firmware does not have it."""
    return __import__("aliot." + name, None, None, ("part",))


def forget(name):
    """Drop aliot.`name`, and what is below it, from memory."""
    whole = "aliot." + name
    for module in list(sys.modules):
        if module.startswith(whole):
            del sys.modules[module]
    globals().pop(name, None)
    gc.collect()
