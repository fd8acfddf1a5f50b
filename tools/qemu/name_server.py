"""A name server's answers (RFC 1035): one address for each name that is known, and no other name exists."""

import struct
from collections.abc import Callable

A, INTERNET = 1, 1
SECONDS = 60  # how long an answer may be kept
_HEADER = struct.Struct(">HHHHHH")
_ANSWER = struct.Struct(">HHHIH4s")
_NAME_AT_12 = 0xC00C  # the answer's name is the question's
_RESPONSE, _WANTED, _AVAILABLE, _NO_SUCH_NAME = 0x8000, 0x0100, 0x0080, 3


def reply(query: bytes, find: Callable[[str], str | None]) -> bytes | None:
    """The packet that answers the packet `query`, or None for what is no question.

    `find` is a function of a lower-case name: its IPv4 address, or None where there is no such name. A name has
    nothing but an address: another question of a known name has an empty answer.
    """
    try:
        number, flags, questions, *_ = _HEADER.unpack_from(query)
        name, end = _name(query, _HEADER.size)
        kind, group = struct.unpack_from(">HH", query, end)
    except (struct.error, IndexError, UnicodeDecodeError):
        return None
    if flags & _RESPONSE or questions != 1:
        return None
    address = find(name)
    answers = []
    if address and (kind, group) == (A, INTERNET):
        octets = bytes(map(int, address.split(".")))
        answers = [_ANSWER.pack(_NAME_AT_12, A, INTERNET, SECONDS, len(octets), octets)]
    flags = _RESPONSE | flags & _WANTED | _AVAILABLE | (0 if address else _NO_SUCH_NAME)
    head = _HEADER.pack(number, flags, 1, len(answers), 0, 0)
    return head + query[_HEADER.size : end + 4] + b"".join(answers)


def _name(packet, at):
    """(the name in lower case, where it ends)."""
    labels = []
    while length := packet[at]:
        if length > 63 or at + 1 + length >= len(packet):
            raise IndexError
        labels.append(packet[at + 1 : at + 1 + length].decode("ascii").lower())
        at += 1 + length
    return ".".join(labels), at + 1
