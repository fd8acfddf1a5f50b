"""Blocks of files in MQTT messages, their CRC-16/IBM, and the CRC-64/XZ of a whole file (application.md 12). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tools.emulator.cloud import alink

POLYNOMIAL = 0xC96C5795D7870F42
ONES = 2**64 - 1


@dataclass(frozen=True)
class Block:
    """One `send` message: its header as JSON, the bytes, and the CRC-16 that came with them."""

    header: dict[str, Any]
    data: bytes
    crc: bytes

    @property
    def params(self) -> dict[str, Any]:
        found = self.header.get("params")
        return found if isinstance(found, dict) else {}


def read_block(payload: bytes) -> Block | None:
    """The parts of a `send` message, or None when they are not there."""
    end = 2 + int.from_bytes(payload[:2], "big")
    header = alink.parse(payload[2:end])
    if len(payload) < end + 2 or header is None:
        return None
    return Block(header, payload[end:-2], payload[-2:])


def table(polynomial: int) -> tuple[int, ...]:
    """What each byte adds, lowest bit first."""
    found = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (polynomial if byte & 1 else 0)
        found.append(byte)
    return tuple(found)


TABLE = table(POLYNOMIAL)


def crc64(data: bytes, before: int = 0) -> int:
    """CRC-64/XZ of what gave `before`, and `data` behind it."""
    found, entries = before ^ ONES, TABLE
    for byte in data:
        found = found >> 8 ^ entries[(found ^ byte) & 0xFF]
    return found ^ ONES
