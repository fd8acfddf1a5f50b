"""An application's image as ESP-IDF's bootloader and `esp_ota_set_boot_partition` check it.

magic 0xE9 | segments u8 | flash mode, size | entry u32 | 4 bytes | chip id u16 | revisions | digest appended u8
segments: address u32, size u32, data | padding, checksum in the last byte of 16 | SHA-256 of all before
"""

import struct
from hashlib import sha256

_CHUNK = 1024


def fault(flash, at, room, chip):
    """What is wrong with the image at `at` of a flash, in a partition of `room` bytes; "" when nothing is."""
    header = flash.read(at, 24)
    if header[0] != 0xE9:
        return "invalid magic byte"
    if struct.unpack_from("<H", header, 12)[0] != chip:
        return "mismatch chip ID"
    if header[1] > 16:
        return "invalid segment count"
    end, checksum = 24, 0
    for _ in range(header[1]):
        size = struct.unpack("<I", flash.read(at + end + 4, 4))[0]
        if size % 4 or end + 8 + size > room - 16:
            return "invalid segment length"
        checksum ^= _folded(flash, at + end + 8, size)
        end += 8 + size
    end += 16 - end % 16
    if _byte(checksum) ^ 0xEF != flash.read(at + end - 1, 1)[0]:
        return "checksum failed"
    if header[23] != 1:
        return ""
    if end + 32 > room:
        return "image longer than its partition"
    return "" if _digest(flash, at, end) == flash.read(at + end, 32) else "hash mismatch"


def _folded(flash, at, size):
    """The XOR of the pieces of some data, as a number."""
    found = 0
    for place in range(at, at + size, _CHUNK):
        found ^= int.from_bytes(flash.read(place, min(_CHUNK, at + size - place)), "little")
    return found


def _byte(number):
    """The XOR of the bytes of a number."""
    found = 0
    for byte in number.to_bytes(_CHUNK, "little"):
        found ^= byte
    return found


def _digest(flash, at, size):
    done = sha256()
    for place in range(at, at + size, _CHUNK):
        done.update(flash.read(place, min(_CHUNK, at + size - place)))
    return done.digest()
