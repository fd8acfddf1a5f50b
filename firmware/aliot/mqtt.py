"""umqtt.simple made safe: MQTT 3.1.1, QoS 0 and 1, over a stream of aliot.transport; direct.md 1.5 to 1.7.

From umqtt.simple come publish, ping, disconnect and set_callback. Replaced, and why:

- connect: it opens its own socket without verification, sends eight pieces, and reports a closed
  connection as IndexError;
- subscribe: the length of a long topic overflows one byte;
- wait_msg: it has no deadline, blocks inside a packet, swallows another's PUBACK, and tracks no ping;
- packet ids: they grow past 65535.

Works on umqtt.simple 1.3.4 and on 1.4 to 1.8: only what they have in common is used.
"""

import struct
from time import ticks_diff, ticks_ms

from aliot import errors
from aliot.transport import Deadline
from micropython import const
from umqtt.simple import MQTTClient

_HELD = const(1024)  # a packet up to this length is one write
_QUEUE = const(16)  # messages that may wait while a handler runs
_CONNACK = const(0x20)
_PUBLISH = const(0x30)
_PUBACK = const(0x40)
_SUBACK = const(0x90)
_UNSUBACK = const(0xB0)
_PINGRESP = const(0xD0)


class Wire:
    """What umqtt takes for its socket: holds writes until flush(), gives back what wait_msg put in."""

    def __init__(self, stream):
        self.stream = stream
        self.once = False
        self.sent = ticks_ms()
        self._held = bytearray(_HELD)
        self._count = 0
        self._back = b""

    def write(self, data, n=None):
        n = len(data) if n is None else n
        if self._count + n > _HELD:
            self.flush()
        if n > _HELD:
            self.stream.write(memoryview(data)[:n])
            self.sent = ticks_ms()
        else:
            self._held[self._count : self._count + n] = memoryview(data)[:n]
            self._count += n

    def flush(self):
        if self._count:
            count = self._count
            self._count = 0
            self.stream.write(memoryview(self._held)[:count])
            self.sent = ticks_ms()

    def give_back(self, data):
        self._back = data

    def read(self, n):
        data = self._back[:n]
        self._back = self._back[n:]
        return data

    def setblocking(self, flag):
        self.once = not flag  # umqtt's check_msg means: one look, no wait

    def close(self):
        try:
            self.flush()
        finally:
            self.stream.close()


class Client(MQTTClient):
    """An MQTT client on an open stream.

    keepalive in seconds; timeout in ms bounds connect, subscribe, a QoS 1 publish and the arrival of one
    packet; limit is the largest inbound message kept, in bytes. Any LinkError or ProtocolError means that
    the connection is dead: call close().
    """

    def __init__(self, stream, client_id, user, password, keepalive=300, timeout=10000, limit=16384):
        super().__init__(client_id, "", 0, user, password, keepalive)
        self.sock = Wire(stream)
        self.stream = stream
        self.timeout = timeout
        self.limit = limit
        self.dropped = 0  # messages that were too large, or too many for the queue
        self.heard = ticks_ms()
        self.pinged = None  # when the ping that is not yet answered was sent
        self._deadline = None
        self._waiting = []  # packet ids of publishes that wait for their PUBACK, innermost last
        self._acked = set()
        self._answer = None  # SUBACK or UNSUBACK: (type, packet)
        self._queue = []
        self._busy = False
        self._start()

    def connect(self, clean_session=True, timeout=None):
        """Send CONNECT, wait for CONNACK; returns whether a session was present. ConnectRefused names a code."""
        parts = [b"\0\x04MQTT\x04", bytes([0xC2 if clean_session else 0xC0]), struct.pack("!H", self.keepalive)]
        for part in (self.client_id, self.user, self.pswd):
            parts.append(_string(part))
        self._deadline = Deadline(timeout or self.timeout)
        self._write(0x10, parts)
        packet = self._next(True)
        self._deadline = self.stream.deadline = None
        if self._kind != _CONNACK or len(packet) != 2:
            raise errors.ProtocolError("no CONNACK")
        if packet[1]:
            raise errors.ConnectRefused(packet[1])
        return packet[0] & 1

    def publish(self, topic, msg, retain=False, qos=0):
        """umqtt's publish with text or bytes, ids that wrap, and a deadline; QoS 1 returns after PUBACK."""
        topic = _bytes(topic)
        if qos not in (0, 1) or not 0 < len(topic) < 65536 or b"+" in topic or b"#" in topic:
            raise ValueError("publish takes QoS 0 or 1 and a topic without wildcards")
        outer = self._deadline
        self._deadline = Deadline(self.timeout)
        if qos:
            number = self._next_id()
            self.pid = number - 1  # umqtt adds one
            self._waiting.append(number)
        try:
            super().publish(topic, _bytes(msg), bool(retain), qos)
            self.sock.flush()
        finally:
            self._deadline = outer
            if qos:
                self._waiting.pop()
                self._acked.discard(number)

    def subscribe(self, topic, qos=0):
        """Subscribe to one topic; SubscribeRefused when the platform does not grant it."""
        if self.subscribe_all([(topic, qos)])[0] == 0x80:
            raise errors.SubscribeRefused(_bytes(topic).decode())

    def subscribe_all(self, pairs):
        """Subscribe to up to 8 (topic, qos) in one packet; returns the code of each, 0x80 for refused."""
        parts = []
        for topic, qos in pairs:
            parts.append(_string(topic))
            parts.append(bytes([qos]))
        codes = self._ask(0x82, _SUBACK, parts)
        if len(codes) != len(pairs):
            raise errors.ProtocolError("SUBACK for another number of topics")
        return codes

    def unsubscribe(self, topic):
        self._ask(0xA2, _UNSUBACK, [_string(topic)])

    def ping(self):
        super().ping()
        self.pinged = ticks_ms()
        self.sock.flush()

    def poll(self, ms):
        """Handle one packet, waiting at most ms for its beginning; False when there was none."""
        if not self._queue and not self.stream.ready(ms):
            self._stalled()
            return False
        self.sock.once = True
        self.wait_msg()
        return True

    def wait_msg(self):
        """Handle one packet: its kind as umqtt expects it, None when there is nothing for the caller."""
        once = self.sock.once
        self.sock.once = False
        self.sock.flush()
        if self._waiting and self._waiting[-1] in self._acked:
            return self._acknowledge()
        if self._queue and not self._busy:
            return self._deliver(*self._queue.pop(0))
        packet = self._next(not once)
        return None if packet is None else self._handle(self._kind, packet)

    def ages(self):
        """How long ago, in ms: the last packet sent, the last heard, the ping that is not answered (or None)."""
        now = ticks_ms()
        pinged = self.pinged
        return (ticks_diff(now, self.sock.sent), ticks_diff(now, self.heard),
                None if pinged is None else ticks_diff(now, pinged))

    def close(self):
        """Close the stream without a word; may be called twice."""
        self.stream.close()

    def _handle(self, kind, packet):
        if kind & 0xF0 == _PUBLISH:
            return self._message(kind, packet)
        if kind == _PUBACK and len(packet) == 2:
            number = packet[0] << 8 | packet[1]
            if number in self._waiting:
                self._acked.add(number)
                if number == self._waiting[-1]:
                    return self._acknowledge()
        elif kind == _PINGRESP and not packet:
            self.pinged = None
        elif kind in (_SUBACK, _UNSUBACK) and len(packet) >= 2:
            self._answer = (kind, packet)
        else:
            raise errors.ProtocolError("packet 0x%02x of %d bytes" % (kind, len(packet)))
        return None

    def _acknowledge(self):
        number = self._waiting[-1]
        self._acked.discard(number)
        self.sock.give_back(b"\x02" + struct.pack("!H", number))  # umqtt's publish reads it
        return _PUBACK

    def _message(self, kind, packet):
        qos = kind >> 1 & 3
        at = 2 + (packet[0] << 8 | packet[1]) if len(packet) > 2 else 0
        topic = bytes(packet[2:at])
        number = None
        if qos:
            number = bytes(packet[at : at + 2])
            at += 2
        if qos > 1 or not topic or at > len(packet) or number == b"\0\0":
            raise errors.ProtocolError("PUBLISH that MQTT does not allow")
        if self._cut:
            self.dropped += 1
            return self._ack(number)  # never to be kept: without an answer it would come for ever
        message = (topic, bytes(packet[at:]), number)
        if not self._busy:
            return self._deliver(*message)
        if len(self._queue) < _QUEUE:
            self._queue.append(message)
        else:
            self.dropped += 1  # QoS 1 stays unacknowledged: the platform sends it again
        return None

    def _deliver(self, topic, msg, number):
        self._busy = True
        try:
            self.cb(topic, msg)
        finally:
            self._busy = False
        return self._ack(number)

    def _ack(self, number):
        if number:
            self.sock.write(b"\x40\x02" + number)
            self.sock.flush()
        return None

    def _ask(self, head, kind, parts):
        number = struct.pack("!H", self._next_id())
        self.pid = number[0] << 8 | number[1]
        outer = self._deadline
        self._deadline = Deadline(self.timeout)
        try:
            self._write(head, [number] + parts)
            while True:
                self.wait_msg()
                if self._answer and self._answer[0] == kind and self._answer[1][:2] == number:
                    codes = bytes(self._answer[1][2:])
                    self._answer = None
                    return codes
        finally:
            self._deadline = outer

    def _write(self, head, parts):
        size = sum([len(part) for part in parts])
        packet = bytearray([head])
        while size > 0x7F:
            packet.append(size & 0x7F | 0x80)
            size >>= 7
        packet.append(size)
        for part in parts:
            packet.extend(part)
        self.sock.write(packet)
        self.sock.flush()

    def _next_id(self):
        number = self.pid % 65535 + 1
        while number in self._waiting:
            number = number % 65535 + 1
        return number

    # A packet is put together from what is there, so that a peer that stops in its middle blocks nobody.

    def _start(self):
        self._kind = None
        self._size = 0
        self._shift = 0
        self._body = None
        self._cut = False
        self._left = 0  # bytes of the body that are still to come
        self._got = 0

    def _next(self, wait):
        deadline = self._deadline or Deadline(self.timeout)
        if self._body is not None and not self._left:
            self._start()
        while not self._step():
            if not wait:
                return None
            if not self.stream.ready(deadline.left()):
                raise errors.TimedOut("no packet")
        self.heard = ticks_ms()
        return self._body

    def _step(self):
        """Take what is there of one packet; True when it is whole, False when more has to come."""
        one = bytearray(1)
        while self._body is None:
            if not self.stream.readinto(memoryview(one)):
                return False
            if self._kind is None:
                self._kind = one[0]
                self._began = ticks_ms()
                continue
            self._size |= (one[0] & 0x7F) << self._shift
            self._shift += 7
            if not one[0] & 0x80:
                self._left = self._size
                self._cut = self._size > self.limit
                self._body = bytearray(min(self._size, self.limit))
            elif self._shift > 21:
                raise errors.ProtocolError("length of more than four bytes")
        while self._left:
            room = memoryview(self._body)[self._got :] if self._got < len(self._body) else memoryview(bytearray(min(self._left, 64)))
            count = self.stream.readinto(room)
            if not count:
                return False
            self._got += count
            self._left -= count
        return True

    def _stalled(self):
        if self._kind is not None and (self._body is None or self._left):
            if ticks_diff(ticks_ms(), self._began) > self.timeout:
                raise errors.TimedOut("a packet stopped in its middle")


def _bytes(value):
    return value.encode() if isinstance(value, str) else value


def _string(value):
    value = _bytes(value)
    return struct.pack("!H", len(value)) + value
