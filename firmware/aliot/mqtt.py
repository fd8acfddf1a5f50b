"""umqtt.simple made safe: MQTT 3.1.1, QoS 0 and 1, over a stream of aliot.transport; direct.md 1.5 to 1.7.

From umqtt.simple come ping, disconnect, set_callback and what an application may know of its client. Replaced, and
why:

- connect: it opens its own socket without verification, sends eight pieces, and reports a closed
  connection as IndexError;
- publish: half a packet is out when an argument is wrong, packet ids grow past 65535;
- subscribe: the length of a long topic overflows one byte;
- wait_msg: it has no deadline, blocks inside a packet, swallows another's PUBACK, and tracks no ping.

Works on umqtt.simple 1.3.4 and on 1.4 to 1.8: only what they have in common is used.
"""

from struct import pack
from time import ticks_add, ticks_diff, ticks_ms

from aliot import load
from aliot.errors import LinkError, ProtocolError
from aliot.incoming import receive, stalled
from aliot.ticks import Deadline
from micropython import const
from umqtt.simple import MQTTClient

_HELD = const(1024)  # a packet up to this length is one write
_QUEUE = const(16)  # messages that may wait while a handler runs
_TOPIC = const(128)  # bytes; direct.md 1.5
_CONNACK = const(0x20)
_PUBLISH = const(0x30)
_PUBACK = const(0x40)
_SUBACK = const(0x90)
_PINGRESP = const(0xD0)


class Client(MQTTClient):
    """An MQTT client on an open stream.

    keepalive in seconds; timeout in ms bounds connect, subscribe, a QoS 1 publish and the arrival of one
    packet; limit is the largest inbound message kept, in bytes, and the heap may hold less. Any LinkError or
    ProtocolError means that the connection is dead: call close().
    """

    spilled = 0  # messages that were too large, or too many for the queue
    pinged = None  # when the ping that is not yet answered was sent
    granted = b""  # the last SUBACK
    torn = False  # a part of a packet was sent, the rest not yet
    busy = False  # a handler runs
    kind = 0  # of the packet that is coming in (aliot.incoming)
    body = None
    size = 0  # bytes of its body: all,
    left = 0  # and still to come

    def __init__(self, stream, login, keepalive=300, timeout=10000, limit=16384):
        super().__init__(login.client_id, "", 0, login.username, login.password, keepalive)
        self.sock = self  # what umqtt writes is held here until flush()
        self.stream = stream
        self.timeout = timeout
        self.limit = limit
        self.sent = self.heard = ticks_ms()
        self.waiting = []  # ids of the publishes that wait for PUBACK
        self.queue = []  # messages that came while a handler ran
        self.held = bytearray()
        self.head = bytearray(2)
        self.rest = bytearray(2)  # of a PUBACK, which is no garbage then
        self.deadline = Deadline(0)  # of the outermost call

    def connect(self, clean_session=True):
        """Send CONNECT, wait for CONNACK; returns whether a session was present. ConnectRefused names a code.

        The deadline that the stream was opened with, if it has one, ends here.
        """
        stream = self.stream
        stream.deadline = stream.deadline or Deadline(self.timeout)
        self._send(
            0x10,
            b"\0\x04MQTT\x04"
            + pack("!BH", 0xC2 if clean_session else 0xC0, self.keepalive)
            + _string(self.client_id)
            + _string(self.user)
            + _string(self.pswd),
        )
        packet = receive(self, True)
        stream.deadline = None
        if self.kind != _CONNACK or self.size != 2 or packet[0] > 1:
            raise ProtocolError("no CONNACK")
        if packet[1]:
            raise load("refusals").ConnectRefused(packet[1])
        return packet[0] & 1

    def publish(self, topic, msg, retain=False, qos=0):
        """Send text or bytes; QoS 1 returns after PUBACK.

        ValueError or TypeError for what cannot be sent. Whatever fails, a packet goes out whole or not at all; where
        a part of it is out already, the connection is dead.
        """
        topic = _bytes(topic)
        if not isinstance(msg, bytes):
            msg = _bytes(msg)
        if qos not in (0, 1) or not 0 < len(topic) <= _TOPIC or b"+" in topic or b"#" in topic:
            raise ValueError("QoS 0 or 1; a topic of 1 to 128 bytes without + and #")
        outer = self._bound()
        number = None
        try:
            head = pack("!H", len(topic)) + topic
            if qos:
                number = self._next_id()
                self.waiting.append(number)
                head += pack("!H", number)
            self._send(_PUBLISH | qos << 1 | bool(retain), head, msg)
            while number in self.waiting:
                self.wait_msg()
        except BaseException as problem:
            if number in self.waiting:
                self.waiting.remove(number)
            self.held[:] = b""
            if self.torn and not isinstance(problem, LinkError):
                raise ProtocolError("half a packet was sent")
            raise
        finally:
            self.stream.deadline = outer

    def subscribe(self, topic, qos=0):
        """Subscribe to one topic; SubscribeRefused when the platform does not grant it."""
        number = pack("!H", self._next_id())
        outer = self._bound()
        try:
            self._send(0x82, number + _string(topic) + bytes([qos]))
            while self.granted[:2] != number:
                self.wait_msg()
        finally:
            self.stream.deadline = outer
        if self.granted[2] == 0x80:
            raise load("refusals").SubscribeRefused(topic)

    def ping(self):
        super().ping()
        self.flush()
        self.pinged = ticks_ms()

    def poll(self, ms):
        """Handle one packet, waiting at most ms for its beginning; False when there was none."""
        if not self.queue and not self.stream.ready(ms):
            stalled(self)
            return False
        self.wait_msg(False)
        return True

    def check_msg(self):
        """Handle what there is of a packet, without waiting."""
        self.wait_msg(False)

    def wait_msg(self, wait=True):
        """Handle one packet, if there is one or `wait`."""
        if self.held:
            self.flush()
        if self.queue and not self.busy:
            self._deliver(*self.queue.pop(0))
            return
        packet = receive(self, wait)
        if packet is None:
            return
        kind = self.kind
        size = self.size
        if kind & 0xF0 == _PUBLISH:
            self._message(kind & 6, packet)
        elif kind == _PUBACK and size == 2:
            number = packet[0] << 8 | packet[1]
            if number in self.waiting:
                self.waiting.remove(number)
        elif kind == _PINGRESP and not size:
            self.pinged = None
        elif kind == _SUBACK and size == 3:
            self.granted = bytes(packet[:3])
        else:
            raise ProtocolError("packet %02x" % kind)

    def ages(self):
        """How long ago, in ms: the last packet sent, the last heard, the ping that is not answered (or None)."""
        return _age(self.sent), _age(self.heard), None if self.pinged is None else _age(self.pinged)

    def close(self):
        """Send what is held, close the stream; may be called twice."""
        try:
            self.flush()
        except LinkError:
            pass
        self.stream.close()

    # What umqtt's own methods take for their socket: nothing is sent before flush().

    def write(self, data):
        if len(data) > _HELD:
            self.flush()
            self.torn = True
            self.stream.write(data)
        else:
            self.held += data

    def flush(self):
        data = self.held
        if data:
            self.torn = True
            self.stream.write(data)
            data[:] = b""
            self.sent = ticks_ms()
        self.torn = False

    # Packets.

    def _bound(self):
        """Set the deadline of the call that begins; returns that of the call around it."""
        outer = self.stream.deadline
        if outer:
            self.stream.deadline = Deadline(self.timeout)
        else:  # the same again, which is no garbage
            self.stream.deadline = self.deadline
            self.deadline.end = ticks_add(ticks_ms(), self.timeout)
        return outer

    def _message(self, qos, packet):
        at = 2 + (packet[0] << 8 | packet[1]) if len(packet) > 2 else 0
        topic = bytes(packet[2:at])
        number = b""
        if qos:
            number = bytes(packet[at : at + 2])
            at += 2
        if qos > 2 or not topic or at > len(packet) or number == b"\0\0":
            raise ProtocolError("malformed PUBLISH")
        try:
            if self.size > len(packet):
                raise MemoryError
            msg = bytes(memoryview(packet)[at:])
        except MemoryError:
            self.spilled += 1
            msg = topic = None  # acknowledged all the same, or it would come for ever
        if not self.busy:
            self._deliver(topic, msg, number)
        elif len(self.queue) < _QUEUE:
            self.queue.append((topic, msg, number))
        else:
            self.spilled += 1  # QoS 1 stays unacknowledged: the platform sends it again

    def _deliver(self, topic, msg, number):
        self.busy = True
        try:
            if topic:
                self.cb(topic, msg)
        finally:
            self.busy = False
        if number:
            self.write(b"\x40\x02" + number)
            self.flush()

    def _send(self, kind, head, rest=b""):
        """Send a packet whose body is `head` and `rest`; a long one in pieces."""
        size = len(head) + len(rest)
        held = self.held
        held.append(kind)
        while size > 0x7F:
            held.append(size & 0x7F | 0x80)
            size >>= 7
        held.append(size)
        self.write(head)
        self.write(rest)
        self.flush()

    def _next_id(self):
        while True:
            self.pid = self.pid % 65535 + 1
            if self.pid not in self.waiting:
                return self.pid


def _age(then):
    """Milliseconds since then; up to a period of the ticks."""
    age = ticks_diff(ticks_ms(), then)
    return age if age >= 0 else age + ticks_add(0, -1) + 1


def _bytes(value):
    """Text or bytes as bytes; TypeError for what is neither."""
    if isinstance(value, str):
        return value.encode()
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError("text or bytes, not %s" % type(value).__name__)
    return value


def _string(value):
    value = _bytes(value)
    return pack("!H", len(value)) + value
