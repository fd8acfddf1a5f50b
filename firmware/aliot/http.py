"""The head of an HTTP answer, read from a stream of aliot.transport; RFC 9112.

TimedOut when something is not there before the deadline that the stream was opened with.
"""

from aliot.errors import TimedOut
from micropython import const

_ROOM = const(16384)  # bytes of all that comes before a body
_LINE = const(128)  # bytes of a line that matter


def head(stream):
    """(status, length or None, whether the body comes in chunks); ValueError or IndexError when it is not HTTP.

    100 Continue and its like come before the answer, and are passed over.
    """
    status = 100
    while status < 200:
        status, length, chunked = _head(stream)
    return status, length, chunked


def _head(stream):
    text, room = line(stream, _ROOM)
    kind, status = text.split()[:2]
    if kind[:5] != b"http/":
        raise ValueError
    length = None
    chunked = False
    while True:
        text, room = line(stream, room)
        if not text:
            return int(status), length, chunked
        name, _, value = text.partition(b":")
        name = name.strip()
        if name == b"content-length":
            length = int(value.strip())
        elif name == b"transfer-encoding":
            chunked = value.strip() != b"identity"


def line(stream, room):
    """(the beginning of the next line, in lower case, without its end and blanks; how much room is left)."""
    text = b""
    while True:
        byte = read(stream, 1)
        room -= 1
        if room < 0:
            raise ValueError
        if byte == b"\n":
            return text.strip(), room
        if len(text) < _LINE:
            text += byte.lower()


def read(stream, n):
    """Exactly n bytes."""
    data = bytearray(n)
    view = memoryview(data)
    while view:
        left = stream.deadline.left()
        if not left or not stream.ready(left):
            raise TimedOut("answer")
        view = view[stream.readinto(view) :]
    return bytes(data)
