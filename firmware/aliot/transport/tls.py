"""TLS over TCP as a stream; direct.md 5.3.

The socket never blocks: every wait is a poll with what is left of the deadline, so that the handshake,
which the first write carries out, is bounded like all else. A wait comes only after TLS had nothing to give, so
it looks at the TCP socket: MicroPython asks a TLS one again and again, a millisecond or a tick apart.
"""

import gc
import select
import socket

import tls
from aliot import part, roots as built
from aliot.errors import Closed, TimedOut
from aliot.transport import Deadline
from micropython import const

_STEP = const(100)  # ms; the longest wait for the one direction while TLS may need the other


def connect(credential, host, port, roots, timeout, secure=True):
    """A Stream to host:port whose server must prove `host` against the roots named; see the package.

    With `secure` False it is TCP as it stands, for what protects itself (aliot.transport.itls).
    """
    phase = "TLS handshake"
    raw = None
    try:
        if secure:
            context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
            built.load(roots, context.load_verify_locations)
            if hasattr(credential, "present"):
                credential.present(context)  # a client certificate
            gc.collect()  # TLS takes its 30 KB from the same memory
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
        stream = Stream(
            raw,
            context.wrap_socket(raw, server_hostname=host, do_handshake_on_connect=False) if secure else raw,
            timeout,
        )
    except BaseException as problem:
        if raw:
            raw.close()
        raise _fault(problem, phase)
    stream.deadline = deadline
    return stream


class Stream:
    """See aliot.transport for the contract."""

    def __init__(self, raw, secured, timeout):
        self.raw = raw
        self.tls = secured
        self.events = select.poll()
        self.events.register(raw, select.POLLIN)
        self.ahead = None  # a byte that ready() has read
        self.phase = "TLS handshake"  # what a fault would be in
        self.timeout = timeout
        self.deadline = None

    def write(self, data):
        deadline = self.deadline
        while data:
            try:
                count = self.tls.write(data)
            except Exception as problem:
                raise _fault(problem, self.phase)
            if count:
                self.phase = "connection"
                data = memoryview(data)[count:]
            else:  # the handshake waits for the peer
                deadline = deadline or Deadline(self.timeout)
                self._wait(deadline.left(), select.POLLIN if self.phase[0] == "T" else select.POLLOUT)

    def read(self, n):
        deadline = self.deadline or Deadline(self.timeout)
        data = bytearray(n)
        view = memoryview(data)
        while view:
            count = self.readinto(view)
            view = view[count:]
            if not count:
                self._wait(deadline.left(), select.POLLIN)
        return bytes(data)

    def readinto(self, view):
        if self.ahead:
            view[0] = self.ahead[0]
            self.ahead = None
            return 1
        try:
            count = self.tls.readinto(view)
        except Exception as problem:
            raise _fault(problem, self.phase)
        if count == 0:
            raise Closed("by the peer")
        return count or 0

    def ready(self, ms):
        deadline = Deadline(ms)
        data = bytearray(1)
        while not self.ahead:
            if self.readinto(data):
                self.ahead = data
            else:
                left = deadline.left()
                if not left:
                    return False
                self._wait(left, select.POLLIN)
        return True

    def close(self):
        self.ahead = None
        for sock in (self.tls, self.raw):
            try:
                sock.close()
            except OSError:
                pass

    def _wait(self, left, what):
        if not left:
            raise TimedOut(self.phase)
        self.events.modify(self.raw, what)
        self.events.poll(min(left, _STEP))


def _fault(problem, phase):
    return part("transport.faults").translate(problem, phase)
