"""umqtt.simple made safe: MQTT 3.1.1, QoS 0 and 1, over a stream of aliot.transport; direct.md 1.5 to 1.7.

From umqtt.simple come publish, ping, disconnect, check_msg and set_callback. Replaced, and why:

- connect: it opens its own socket without verification, sends eight pieces, and reports a closed
  connection as IndexError;
- subscribe: the length of a long topic overflows one byte;
- wait_msg: it has no deadline, blocks inside a packet, swallows another's PUBACK, and tracks no ping;
- packet ids: they grow past 65535.

Works on umqtt.simple 1.3.4 and on 1.4 to 1.8: only what they have in common is used.
"""

from struct import pack
from time import ticks_diff, ticks_ms

from aliot import part
from aliot.errors import LinkError, ProtocolError, TimedOut
from aliot.transport import Deadline
from micropython import const
from umqtt.simple import MQTTClient

_HELD = const(1024)  # a packet up to this length is one write
_QUEUE = const(16)  # messages that may wait while a handler runs
_CONNACK = const(0x20)
_PUBLISH = const(0x30)
_PUBACK = const(0x40)
_SUBACK = const(0x90)
_PINGRESP = const(0xD0)


class Client(MQTTClient):
    """An MQTT client on an open stream.

    keepalive in seconds; timeout in ms bounds connect, subscribe, a QoS 1 publish and the arrival of one
    packet; limit is the largest inbound message kept, in bytes. Any LinkError or ProtocolError means that
    the connection is dead: call close().
    """

    def __init__(self, stream, client_id, user, password, keepalive=300, timeout=10000, limit=16384):
        super().__init__(client_id, "", 0, user, password, keepalive)
        self.sock = self  # what umqtt writes is held here until flush(); it reads what wait_msg left
        self.stream = stream
        self._held = bytearray(_HELD)
        self._count = 0
        self._rest = b""
        self._once = False
        self.sent = ticks_ms()
        self.timeout = timeout
        self.limit = limit
        self.dropped = 0  # messages that were too large, or too many for the queue
        self.heard = ticks_ms()
        self.pinged = None  # when the ping that is not yet answered was sent
        self._deadline = None
        self._waiting = []  # packet ids of publishes that wait for their PUBACK, innermost last
        self._acked = set()
        self._granted = None  # the last SUBACK
        self._queue = []
        self._busy = False
        self._body = None
        self._fresh()

    def connect(self, clean_session=True, timeout=None):
        """Send CONNECT, wait for CONNACK; returns whether a session was present. ConnectRefused names a code."""
        self._deadline = Deadline(timeout or self.timeout)
        self._send(0x10, b"\0\x04MQTT\x04" + pack("!BH", 0xC2 if clean_session else 0xC0, self.keepalive)
                   + _string(self.client_id) + _string(self.user) + _string(self.pswd))
        packet = self._next(True)
        self._deadline = self.stream.deadline = None
        if self._kind != _CONNACK or len(packet) != 2:
            raise ProtocolError("no CONNACK")
        if packet[1]:
            raise part("refusals").ConnectRefused(packet[1])
        return packet[0] & 1

    def publish(self, topic, msg, retain=False, qos=0):
        """umqtt's publish with text or bytes, ids that wrap, and a deadline; QoS 1 returns after PUBACK."""
        topic = _bytes(topic)
        if qos not in (0, 1) or not topic or b"+" in topic or b"#" in topic:
            raise ValueError("publish takes QoS 0 or 1 and a topic without + and #")
        outer = self._deadline
        self._deadline = Deadline(self.timeout)
        number = self._next_id() if qos else 0
        try:
            if qos:
                self.pid = number - 1  # umqtt adds one
                self._waiting.append(number)
            super().publish(topic, _bytes(msg), bool(retain), qos)
            self.flush()
        finally:
            self._deadline = outer
            if qos:
                self._waiting.pop()
                self._acked.discard(number)

    def subscribe(self, topic, qos=0):
        """Subscribe to one topic; SubscribeRefused when the platform does not grant it."""
        if self.subscribe_all([(topic, qos)])[0] == 0x80:
            raise part("refusals").SubscribeRefused(topic)

    def subscribe_all(self, pairs):
        """Subscribe to up to 8 (topic, qos) in one packet; returns the code of each, 0x80 for refused."""
        self.pid = self._next_id()
        number = pack("!H", self.pid)
        body = number
        for topic, qos in pairs:
            body += _string(topic) + bytes([qos])
        outer = self._deadline
        self._deadline = Deadline(self.timeout)
        try:
            self._send(0x82, body)
            while not self._granted or self._granted[:2] != number:
                self.wait_msg()
        finally:
            self._deadline = outer
        if len(self._granted) != len(pairs) + 2:
            raise ProtocolError("SUBACK for another number of topics")
        return self._granted[2:]

    def ping(self):
        super().ping()
        self.flush()
        self.pinged = ticks_ms()

    def poll(self, ms):
        """Handle one packet, waiting at most ms for its beginning; False when there was none."""
        if not self._queue and not self.stream.ready(ms):
            if self._kind is not None and self._left and ticks_diff(ticks_ms(), self._began) > self.timeout:
                raise TimedOut("a packet stopped in its middle")
            return False
        self.check_msg()
        return True

    def wait_msg(self):
        """Handle one packet: PUBACK for umqtt's publish, which then reads its body, else None."""
        once = self._once
        self._once = False
        self.flush()
        if self._waiting and self._waiting[-1] in self._acked:
            return self._acknowledged()
        if self._queue and not self._busy:
            return self._deliver(*self._queue.pop(0))
        packet = self._next(not once)
        if packet is None:
            return None
        kind = self._kind
        if kind & 0xF0 == _PUBLISH:
            return self._message(packet)
        if kind == _PUBACK and len(packet) == 2:
            number = packet[0] << 8 | packet[1]
            if number in self._waiting:
                self._acked.add(number)
                if number == self._waiting[-1]:
                    return self._acknowledged()
        elif kind == _PINGRESP and not packet:
            self.pinged = None
        elif kind == _SUBACK and len(packet) > 2:
            self._granted = bytes(packet)
        else:
            raise ProtocolError("packet 0x%02x of %d bytes" % (kind, len(packet)))
        return None

    def ages(self):
        """How long ago, in ms: the last packet sent, the last heard, the ping that is not answered (or None)."""
        now = ticks_ms()
        pinged = self.pinged
        return (ticks_diff(now, self.sent), ticks_diff(now, self.heard),
                None if pinged is None else ticks_diff(now, pinged))

    def close(self):
        """Close the stream; may be called twice."""
        try:
            self.flush()
        except LinkError:
            pass
        self.stream.close()

    # What umqtt's own methods take for their socket.

    def write(self, data, n=None):
        view = memoryview(data)[:n]
        n = len(view)
        if self._count + n > _HELD:
            self.flush()
        if n > _HELD:
            self.stream.write(view)
        else:
            self._held[self._count : self._count + n] = view
            self._count += n

    def flush(self):
        count = self._count
        if count:
            self._count = 0
            self.stream.write(memoryview(self._held)[:count])
            self.sent = ticks_ms()

    def read(self, n):
        data = self._rest[:n]
        self._rest = self._rest[n:]
        return data

    def setblocking(self, flag):
        self._once = not flag  # umqtt's check_msg means: one look, no wait

    # Packets.

    def _acknowledged(self):
        number = self._waiting[-1]
        self._acked.discard(number)
        self._rest = b"\x02" + pack("!H", number)
        return _PUBACK

    def _message(self, packet):
        qos = self._kind & 6
        at = 2 + (packet[0] << 8 | packet[1]) if len(packet) > 2 else 0
        topic = bytes(packet[2:at])
        number = None
        if qos:
            number = bytes(packet[at : at + 2])
            at += 2
        if qos > 2 or not topic or at > len(packet) or number == b"\0\0":
            raise ProtocolError("a PUBLISH that MQTT does not allow")
        if self._size > self.limit:
            self.dropped += 1
            self._ack(number)  # without an answer it would come for ever
        elif not self._busy:
            self._deliver(topic, bytes(memoryview(packet)[at:]), number)
        elif len(self._queue) < _QUEUE:
            self._queue.append((topic, bytes(memoryview(packet)[at:]), number))
        else:
            self.dropped += 1  # QoS 1 stays unacknowledged: the platform sends it again

    def _deliver(self, topic, msg, number):
        self._busy = True
        try:
            self.cb(topic, msg)
        finally:
            self._busy = False
        self._ack(number)

    def _ack(self, number):
        if number:
            self.write(b"\x40\x02" + number)
            self.flush()

    def _send(self, head, body):
        size = len(body)
        packet = bytes([head])
        while size > 0x7F:
            packet += bytes([size & 0x7F | 0x80])
            size >>= 7
        self.write(packet + bytes([size]) + body)
        self.flush()

    def _next_id(self):
        number = self.pid
        while True:
            number = number % 65535 + 1
            if number not in self._waiting:
                return number

    # A packet is put together from what is there, so that a peer that stops in its middle blocks nobody.

    def _fresh(self):
        self._kind = None
        self._size = 0
        self._shift = 0
        self._left = 1  # bytes that are still to come

    def _next(self, wait):
        """The next packet's body, its head in _kind and _size; None when it is not whole and `wait` is False."""
        deadline = self._deadline or Deadline(self.timeout)
        if not self._left:
            self._fresh()
        while not self._whole():
            if not wait:
                return None
            if not self.stream.ready(deadline.left()):
                raise TimedOut("no packet")
        self.heard = ticks_ms()
        body = self._body
        self._body = None
        return body

    def _whole(self):
        one = bytearray(1)
        while self._body is None:
            if not self.stream.readinto(one):
                return False
            if self._kind is None:
                self._kind = one[0]
                self._began = ticks_ms()
                continue
            self._size |= (one[0] & 0x7F) << self._shift
            self._shift += 7
            if not one[0] & 0x80:
                self._left = self._size
                self._body = bytearray(min(self._size, self.limit))
            elif self._shift > 21:
                raise ProtocolError("a length of more than four bytes")
        while self._left:
            at = self._size - self._left
            view = memoryview(self._body)[at:] if at < len(self._body) else bytearray(min(self._left, 64))
            count = self.stream.readinto(view)
            if not count:
                return False
            self._left -= count
        return True


def _bytes(value):
    return value.encode() if isinstance(value, str) else value


def _string(value):
    value = _bytes(value)
    return pack("!H", len(value)) + value
