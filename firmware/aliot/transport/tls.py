"""TLS over TCP as a stream; direct.md 5.3.

The socket never blocks: every wait is a poll with what is left of the deadline, so that the handshake,
which the first write carries out, is bounded like all else. A wait comes only after TLS had nothing to give, so
it looks at the TCP socket: MicroPython asks a TLS one again and again, a millisecond or a tick apart.
"""

import gc
import io
import select
import socket
from time import ticks_add, ticks_diff, ticks_ms

import tls
from aliot import load, roots as trusted, unload
from aliot.errors import Closed, TimedOut
from aliot.ticks import Deadline
from micropython import const

_AHEAD = const(64)  # bytes that are read at once: most of what a platform sends is shorter
_STEP = const(100)  # ms; the longest wait for the one direction while TLS may need the other


def connect(credential, host, port, roots, timeout, secure=True):
    """A Stream to host:port whose server must prove `host` against the roots named; see the package.

    With `secure` False it is TCP as it stands, for what protects itself (aliot.transport.itls). A context in its place
    is taken as it is: the `context` of a Stream, which it has where it presents no certificate.
    """
    context = secure
    phase = "TLS handshake"
    raw = None
    try:
        if secure is True:
            context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
            trusted.trust(roots, context.load_verify_locations)
            secure = not credential.present(context)
            gc.collect()  # TLS takes its 36 KB from the memory that Python's heap may have grown into
        phase = "name"
        address = socket.getaddrinfo(host, port)[0][-1]
        phase = "connect"
        deadline = Deadline(timeout)
        raw = socket.socket()
        raw.settimeout(timeout / 1000)
        raw.connect(address)
        raw.setblocking(False)
        raw.setsockopt(6, 1, 1)  # IPPROTO_TCP, TCP_NODELAY
        phase = "TLS handshake"
        stream = Stream(raw, timeout)
        if context:
            stream.tls = context.wrap_socket(stream.gate, server_hostname=host, do_handshake_on_connect=False)
            if secure:
                stream.context = context
    except BaseException as problem:
        if raw:
            raw.close()
        raise _fault(problem, phase)
    stream.deadline = deadline
    return stream


class Gate(io.IOBase):
    """The TCP socket as TLS reads it. TLS reads for as long as a peer sends what brings nothing, as warnings do:
    when its time is over it is told that the socket has timed out. After the handshake nobody else can send such, and
    `readinto` is the socket's own."""

    end = 0  # in ticks
    count = 0  # of reads: the time is looked at now and then

    def __init__(self, raw):
        self.raw = raw
        self.write = raw.write

    def readinto(self, view):
        self.count += 1
        if not self.count & 15 and ticks_diff(self.end, ticks_ms()) <= 0:
            return -116  # ETIMEDOUT
        return self.raw.readinto(view)

    def ioctl(self, request, argument):
        if request == 4:  # MP_STREAM_CLOSE
            self.raw.close()
        return 0


class Stream:
    """See aliot.transport for the contract."""

    deadline = None
    phase = "TLS handshake"  # what a fault would be in
    at = end = 0  # what of the buffer was read and not yet taken
    drained = False  # TLS holds nothing: only the socket can bring more

    def __init__(self, raw, timeout):
        self.raw = self.tls = raw
        self.timeout = timeout
        self.gate = Gate(raw)
        self.buffer = bytearray(_AHEAD)
        self.events = select.poll()
        self.events.register(raw, select.POLLIN)
        self.what = select.POLLIN  # what is waited for

    def write(self, data):
        deadline = self.deadline
        end = deadline.end if deadline else ticks_add(ticks_ms(), self.timeout)
        gate = self.gate
        if gate:
            gate.end = end
        while data:
            try:
                count = self.tls.write(data)
            except Exception as problem:
                raise self._failed(problem)
            if count:
                if gate:
                    gate.readinto = self.raw.readinto
                    self.gate = gate = None
                    self.phase = "connection"
                if count == len(data):
                    return
                data = memoryview(data)[count:]
            else:  # the handshake waits for the peer
                self._wait_or_fail(end, select.POLLIN if gate else select.POLLOUT)

    def readinto(self, view):
        at = self.at
        count = min(self.end - at, len(view))
        if not count:
            return self._read(view)
        if count > 4:
            view[:count] = memoryview(self.buffer)[at : at + count]
        else:  # most often, and no garbage
            for i in range(count):
                view[i] = self.buffer[at + i]
        self.at = at + count
        return count

    def ready(self, ms):
        if self.at < self.end:
            return True
        end = ticks_add(ticks_ms(), ms)
        while True:
            if not self.drained or self._wait(ms, select.POLLIN):
                count = self._read(self.buffer)
                if count:
                    self.at = 0
                    self.end = count
                    return True
            ms = ticks_diff(end, ticks_ms())
            if ms <= 0:
                return False

    def close(self):
        self.at = self.end
        for sock in (self.tls, self.raw):
            try:
                sock.close()
            except OSError:
                pass

    def _read(self, view):
        try:
            count = self.tls.readinto(view)
        except Exception as problem:
            raise _fault(problem, self.phase)
        if count == 0:
            raise Closed("by the peer")
        self.drained = not count or count < len(view)  # TLS reads no more than a record, and gave all of it
        return count or 0

    def _wait(self, ms, what):
        """Wait a moment for the socket; whether it has something."""
        if what != self.what:
            self.what = what
            self.events.modify(self.raw, what)
        for _ in self.events.ipoll(ms if ms < _STEP else _STEP):
            return True
        return False

    def _wait_or_fail(self, end, what):
        left = ticks_diff(end, ticks_ms())
        if left <= 0:
            raise self._failed(TimedOut(self.phase))
        self._wait(left, what)

    def _failed(self, problem):
        if self.gate:
            self.close()  # what the handshake could have had is what is free then
        return _fault(problem, self.phase)


def _fault(problem, phase):
    """The error of aliot.errors for what was raised in that phase."""
    problem = load("transport.faults").translate(problem, phase)
    unload("transport.faults", "memory")
    return problem
