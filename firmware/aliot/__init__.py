"""An identity on Alibaba Cloud IoT Platform for ESP32 boards running MicroPython.

`load` and `unload` bring in and drop the modules that only some boards, or only some moments, need. `run` is what
an application's main.py calls.
"""

import gc
import sys

__version__ = "0.1.0"

# the tree of an update that runs, /ota/a or /ota/b; "" for the one that a cable brought
tree = sys.path[0] if sys.path[0][:5] == "/ota/" else ""
watchdog = None  # the machine.WDT that feed() feeds, once a Device has started one


def load(name):
    """Import the module aliot.`name` now and return it. ImportError when this firmware does not have it."""
    return __import__("aliot." + name, None, None, ("load",))


def unload(*names):
    """Drop the modules aliot.`name` from memory. One that is not there is no error."""
    for name in names:
        name = "aliot." + name
        sys.modules.pop(name, None)
        parent, _, name = name.rpartition(".")
        if parent in sys.modules:
            sys.modules[parent].__dict__.pop(name, None)
    gc.collect()


def drop(*names):
    """Unload modules aliot.`name` and empty them. None of them may be running, nor anything of them be held.

    A chip's collector takes what an old place on the stack still points to for alive: a function would keep all of its
    module.
    """
    for name in names:
        module = sys.modules.get("aliot." + name)
        if module:
            module.__dict__.clear()
    unload(*names)


def feed():
    """Feed the hardware watchdog if there is one."""
    if watchdog:
        watchdog.feed()


def run(main):
    """Call main(). An error that ends it becomes one line of state, a wait that grows, and a reset.

    Ctrl-C ends at the prompt, SystemExit as MicroPython treats it.
    """
    try:
        main()
        return
    except KeyboardInterrupt:
        print("stopped")
        return
    except SystemExit:
        raise
    except BaseException as problem:
        failed = problem
    try:
        gc.collect()
        load("crash").restart(failed)
    except MemoryError:  # the application still holds what is missing, and has ended
        __import__("__main__").__dict__.clear()
        gc.collect()
        try:
            load("crash").restart(failed)
        except MemoryError:
            __import__("machine").reset()
