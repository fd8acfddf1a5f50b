"""The record of which tree is on trial and which is good, in two copies, /ota/r/0 and /ota/r/1.

The newest whole copy counts:

    generation u32 BE | trial, good, other: ord("a"), ord("b") or 0 | starts of the trial u8 | why one failed u8
    | of the manifest that was tried last, the first 8 bytes of its SHA-256 | CRC-32 u32 LE of all before

With no trial, starts are 1 while a release that became good has its clean-up before it. On a board with two slots for
its firmware more follows before the CRC (aliot.ota.pairs).
"""

from binascii import crc32

_COPIES = "/ota/r/0", "/ota/r/1"


def read():
    """The newest good copy of the record as a bytearray without its CRC; empty where there is none."""
    best = b""
    for name in _COPIES:
        try:
            with open(name, "rb") as file:
                data = file.read(64)
            if data[-4:] == crc32(data[:-4]).to_bytes(4, "little"):
                best = max(best, data[:-4])
        except OSError:
            pass
    return bytearray(best)


def write(record):
    """Both copies of a record (bytearray), which becomes newer than it was. OSError."""
    record[:4] = (int.from_bytes(record[:4], "big") + 1).to_bytes(4, "big")
    for name in _COPIES:
        with open(name, "wb") as file:
            file.write(record + crc32(record).to_bytes(4, "little"))
