"""The chip's two heaps on the board: looks at what Python holds and what is open; `memory` works it out.

With the setting "memory" this is the board's `gc` too, which counts as the
chip's does: what growth might add is free. Without it nothing grows.
"""

import gc
from gc import disable, enable, isenabled, threshold

import _chip
import esp32
import socket

# what Python's heap has added, the least that was free of the C heap, what Python can hold on the Unix port
data = (0, None, 0)


def state(done=False, key=None):
    """The `memory.Memory` of this moment; `used` is what Python holds. Python's heap grows if it has to.

    As on the chip it is collected before it grows; `done`: it was collected just
    now. With `key` a TLS handshake begins, and `error` is what becomes of it.
    """
    global data
    used = gc.mem_alloc() - _chip.share
    if used > data[2] and _chip.heaps:
        gc.collect()
        used = gc.mem_alloc() - _chip.share
    memory = esp32._load("memory")  # only now: it takes heap too
    on = _chip.wlan is not None and _chip.wlan.active()
    now = memory.Memory(_chip.settings.get("memory"), on, socket._open, *data[:2])
    if not _chip.heaps:
        now.grows = False
        now.mark(memory.HANDSHAKE if sum(socket._open[1:]) else 0)
        return now
    now.used = memory.size(used)
    if done:
        now.collect(now.used)
    try:
        now.load(now.used)
        if key is not None:
            now.error = now.connect(key)
    finally:
        data = now.heap, now.min, now.limit()
    return now


def collect():
    gc.collect()
    state(True)


def mem_alloc():
    return state().used


def mem_free():
    now = state()
    return now.room() - now.used + now.block()
