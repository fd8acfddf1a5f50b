"""The packet that comes in on an aliot.mqtt.Client.

It is put together from what is there, so that a peer that stops in its middle blocks nobody. How far it has come is in
the client: `kind`, `size`, `left`, `body`.
"""

from time import ticks_diff, ticks_ms

from aliot.errors import ProtocolError, TimedOut
from aliot.ticks import Deadline
from micropython import const

_LEAST = const(512)  # of a message that the heap does not hold: topic and id
_PUBLISH = const(0x30)


def receive(client, wait):
    """The next packet's body, of the client's `kind` and `size`; None when it is not whole and `wait` is False."""
    stream = client.stream
    deadline = stream.deadline or Deadline(client.timeout)
    while True:
        if wait:
            left = ticks_diff(deadline.end, ticks_ms())
            if left <= 0 or not stream.ready(left):  # others may come without end
                raise TimedOut("no answer")
        if _arrived(client):
            break
        if not wait:
            return None
    client.heard = ticks_ms()
    body = client.body
    client.body = None
    return body


def _arrived(client):
    """Take in what there is of a packet; whether it is whole."""
    head = client.head
    while client.body is None:
        count = client.stream.readinto(head if not client.left else memoryview(head)[1:])
        if not count:
            return False
        if not client.left:
            client.kind = head[0]
            client.size = client.shift = 0
            client.left = 1
            client.began = ticks_ms()
            if count == 1:
                continue
        byte = head[1]
        client.size |= (byte & 0x7F) << client.shift
        client.shift += 7
        if byte < 0x80:
            size = client.left = client.size
            try:
                short = size == 2 and client.kind & 0xF0 != _PUBLISH
                client.body = client.rest if short else bytearray(min(size, client.limit))
            except MemoryError:
                client.body = bytearray(min(size, _LEAST))
        elif client.shift > 21:
            raise ProtocolError("malformed length")
    while client.left:
        at = client.size - client.left
        view = client.body
        if at or len(view) > client.size:
            view = memoryview(view)[at : client.size] if at < len(view) else bytearray(min(client.left, 64))
        count = client.stream.readinto(view)
        if not count:
            return False
        client.left -= count
        if client.left:
            stalled(client)
    return True


def stalled(client):
    """TimedOut when a packet has begun and takes too long."""
    if client.left and ticks_diff(ticks_ms(), client.began) > client.timeout:
        raise TimedOut("half a packet")
