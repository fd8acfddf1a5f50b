"""The arithmetic of the chip's ticks, which wrap."""

PERIOD = 1 << 30


def ticks_add(ticks, step):
    if not -PERIOD // 2 < step < PERIOD // 2:
        raise OverflowError("ticks interval overflow")
    return (ticks + step) % PERIOD


def ticks_diff(end, start):
    return (end - start + PERIOD // 2) % PERIOD - PERIOD // 2
