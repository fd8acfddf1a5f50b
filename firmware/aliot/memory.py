"""How much memory there is: Python's heap, and the C heap out of which TLS and Wi-Fi live."""

import gc

import esp32


def free():
    """Bytes free in Python's heap, without what it might still take of the C heap."""
    return max(0, gc.mem_free() - c_heap()[1])


def c_heap():
    """(bytes free, largest free block, least ever free) of the C heap."""
    free = largest = least = 0
    for _, now, block, lowest in esp32.idf_heap_info(esp32.HEAP_DATA):
        free += now
        largest = max(largest, block)
        least += lowest
    return free, largest, least
