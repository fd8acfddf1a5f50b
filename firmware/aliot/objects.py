"""A JSON object out of bytes that came from outside."""

import json


def parse(data):
    """The JSON object that `data` (bytes) is, as a dict; ValueError says what it is instead."""
    if data[:3] == b"\xef\xbb\xbf":  # an editor's byte order mark
        data = data[3:]
    try:
        found = json.loads(data)
    except (ValueError, RuntimeError, MemoryError):
        found = data
    if found is data or not _whole(data):
        raise ValueError("is not JSON")
    if not isinstance(found, dict):
        raise ValueError("is not a JSON object")
    return found


def _whole(data):
    """Whether all brackets and texts are closed: MicroPython's json takes an object that was cut for whole."""
    depth = 0
    inside = escaped = False
    for byte in data:
        if escaped:
            escaped = False
        elif byte == 0x22:  # "
            inside = not inside
        elif inside:
            escaped = byte == 0x5C  # \
        elif byte in b"{[":
            depth += 1
        elif byte in b"}]":
            depth -= 1
    return not depth and not inside
