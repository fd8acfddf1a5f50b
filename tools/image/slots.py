"""The two slots for firmware as they lie in a board's flash: which one starts, and what each holds.

OTA data is two sectors, each with: sequence u32 | 20 bytes | state u32 | CRC-32 of the sequence; the higher sequence
counts (ESP-IDF, "Over The Air Updates").
"""

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tools.partitions import APP, DATA, OTA_0, OTADATA, SECTOR, Partition

_NEW, _PENDING, _VALID, _INVALID, _ABORTED, _UNDEFINED = 0, 1, 2, 3, 4, 0xFFFFFFFF
_STATES = {
    _NEW: "on trial from the next start on",
    _PENDING: "on trial",
    _VALID: "good",
    _INVALID: "failed",
    _ABORTED: "taken back by the bootloader",
    _UNDEFINED: "good",
}
_HEAD = struct.Struct(
    "<B31xI12x32s96x32s"
)  # magic, and of esp_app_desc_t: magic, version, SHA-256 of the ELF file

Read = Callable[[int, int], bytes]  # (offset in flash, size)


@dataclass(frozen=True)
class Slot:
    """`version` of its header, "" in MicroPython's own images; `digest`: 8 bytes of its ELF file's SHA-256, zeros where
    there is no application; `state` "" for none.
    """

    label: str
    subtype: int
    version: str
    digest: bytes
    state: str = ""
    starts: bool = False

    @property
    def pair(self) -> bytes:
        """As the record of updates names it (aliot/ota/pairs.py)."""
        return bytes([self.subtype + 1]) + self.digest

    def __str__(self) -> str:
        name = self.version or f"with the ELF digest {self.digest.hex()}"
        parts = [f"firmware {name}" if any(self.digest) else "no firmware"]
        parts += [self.state] if self.state else []
        return f"{self.label}: {', '.join(parts)}{'; starts' if self.starts else ''}"


def find(rows: Sequence[Partition], read: Read) -> list[Slot]:
    """The slots of a flash; [] where its table has no OTA data."""
    otadata = next((row for row in rows if (row.type, row.subtype) == (DATA, OTADATA)), None)
    parts = [row for row in rows if row.type == APP and row.subtype & 0xF0 == OTA_0]
    if not otadata or not parts:
        return []
    entries = _entries(otadata, read)
    states = {(sequence - 1) % len(parts): state for sequence, state in sorted(entries)}
    good = [sequence for sequence, state in entries if state not in (_INVALID, _ABORTED)]
    first = (max(good) - 1) % len(parts) if good else 0
    return [
        _slot(row, read, _STATES.get(states.get(number, -1), ""), number == first)
        for number, row in enumerate(parts)
    ]


def settled(data: bytes) -> bool:
    """Whether OTA data, written or blank, starts the first slot, and that for good."""
    entries = [entry for at in (0, SECTOR) if (entry := _entry(data[at : at + 32]))]
    return not entries or entries == [(1, _VALID)]


def _slot(row, read, state, starts):
    magic, mark, version, digest = _HEAD.unpack(read(row.offset, _HEAD.size))
    if magic != 0xE9 or mark != 0xABCD5432:
        return Slot(row.label, row.subtype, "", bytes(8), "", starts)
    text = version.split(b"\0")[0].decode("ascii", "replace")
    return Slot(row.label, row.subtype, text, digest[:8], state, starts)


def _entries(otadata, read):
    found = (_entry(read(otadata.offset + at, 32)) for at in (0, SECTOR))
    return [entry for entry in found if entry]


def _entry(data):
    """(sequence, state) of an entry, None where it is not written."""
    sequence, state, crc = struct.unpack("<I20xII", data)
    good = sequence != _UNDEFINED and crc == zlib.crc32(data[:4], 0xFFFFFFFF)
    return (sequence, state) if good else None
