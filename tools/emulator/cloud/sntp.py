"""The SNTP server (RFC 4330, server mode) and its faults: silent, late, cut, another year, kiss of death."""

import asyncio
import calendar
import struct
import time
from typing import Any

EPOCH_1900 = 2_208_988_800
CLIENT, SERVER = 3, 4


def stamp(seconds: float) -> bytes:
    """Unix seconds as a 64-bit NTP time stamp; the era wraps in 2036 as on the wire."""
    whole = int(seconds // 1)
    return struct.pack("!II", (whole + EPOCH_1900) % 2**32, int((seconds - whole) * 2**32))


def reply(request: bytes, now: float, year: int | None = None, kiss: bool = False) -> bytes | None:
    """The answer to a 48-byte client request, None for anything else; `year` moves the time told."""
    if len(request) < 48 or request[0] & 7 != CLIENT:
        return None
    if year is not None:
        now += calendar.timegm((year, 1, 1, 0, 0, 0)) - calendar.timegm(
            (time.gmtime(now).tm_year, 1, 1, 0, 0, 0)
        )
    version = request[0] >> 3 & 7
    head = struct.pack(
        "!BBBb", (3 << 6 if kiss else 0) | version << 3 | SERVER, 0 if kiss else 2, request[2] or 6, -20
    )
    middle = struct.pack("!II", 0, 16) + (b"RATE" if kiss else b"\x7f\x7f\x01\x01")
    return head + middle + stamp(now - 1) + request[40:48] + stamp(now) + stamp(now)


class Sntp(asyncio.DatagramProtocol):
    """One UDP port."""

    def __init__(self, faults, journal, wall=time.time):
        self.faults, self.journal, self.wall = faults, journal, wall
        self.transport = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        fault: Any = self.faults.take("ntp", "request") if self.faults.armed else None
        kind = fault.kind if fault else None
        answer = reply(data, self.wall(), fault["year"] if kind == "wrong_year" else None, kind == "kiss")
        self.journal.event("ntp", answered=answer is not None and kind != "silent")
        if answer is None or kind == "silent":
            return
        if kind == "cut":
            answer = answer[: fault["bytes"]]
        if kind == "delay":
            asyncio.get_running_loop().call_later(fault["ms"] / 1000, self.send, answer, address)
        else:
            self.send(answer, address)

    def send(self, answer: bytes, address: tuple[str, int]) -> None:
        if not self.transport.is_closing():
            self.transport.sendto(answer, address)
