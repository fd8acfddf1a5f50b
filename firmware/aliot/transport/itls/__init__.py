"""iTLS: TLS 1.2 with ID² codes in place of certificates, as a stream of aliot.transport (id2.md 3, 4, 10).

An opt-in for products that hold ID² licences; TLS stays the default. What the protocol cannot give, this
client cannot either: no forward secrecy, and a server that recorded enough of a device's codes can put a
premaster together (id2.md 7). No renegotiation, no tickets, no resumption.
"""

import os
import socket
from hashlib import sha256

from aliot import part
from aliot.errors import Closed, CredentialError, LinkError, TimedOut
from aliot.id2.codes import device_code, digits, same, verify_server
from aliot.transport import Deadline, tls
from aliot.transport.itls import protocol
from aliot.transport.itls.protocol import ItlsError
from micropython import const

_ALERT = const(21)
_HANDSHAKE = const(22)
_DATA = const(23)
_HELLO_VERIFY_REQUEST = const(3)
_SERVER_HELLO = const(2)
_FINISHED = const(20)
_UNEXPECTED_MESSAGE = const(10)
_BAD_RECORD_MAC = const(20)
_HANDSHAKE_FAILURE = const(40)
_DECODE_ERROR = const(50)
_INTERNAL_ERROR = const(80)

_SPLIT = const(1024)  # the published client splits its writes here
_RECORD_LIMIT = const(2352)  # its limit of 2048, with IV, SHA-256 and the longest padding (id2.md 4.7)
_FAREWELL = const(500)  # ms for a last alert


def connect(credential, host, port, roots, timeout):
    """An open `Stream` to host:port within `timeout` ms (DNS apart); `roots` are not used.

    CredentialError `endpoint` when the host is one of TLS: where nobody named one, there is none to guess.
    The ports of TLS stand for that of iTLS.
    """
    if ".iot-as-mqtt." in host or ".mqtt.iothub." in host:
        raise CredentialError("the host of iTLS is not public here: set it", "endpoint")
    if port in (443, 8883):
        port = 1883
    credential.quota.check()
    phase = "name"
    raw = None
    try:
        address = socket.getaddrinfo(host, port)[0][-1]
        phase = "connect"
        deadline = Deadline(timeout)
        raw = socket.socket()
        raw.settimeout(timeout / 1000)
        raw.connect(address)
        raw.setblocking(False)
        raw.setsockopt(6, 1, 1)  # IPPROTO_TCP, TCP_NODELAY
    except BaseException as problem:
        if raw:
            raw.close()
        raise part("transport.faults").translate(problem, phase)
    stream = Stream(tls.Stream(raw, raw, timeout), credential)
    stream.deadline = deadline
    stream.handshake()
    return stream


class Stream:
    """iTLS over `wire`, a stream that does not block; see aliot.transport for the contract.

    `credential` has product_key; `element`, the secure element; `provisioning`
    (aliot.id2.provisioning) to ask for an identity where there is none yet, or None; `quota`
    (aliot.id2.quota), told before each authentication.
    """

    def __init__(self, wire, credential, rng=os.urandom, suites=b"\xd0\x04\xd0\x03"):
        self._wire = wire
        self._credential = credential
        self._element = credential.element
        self._rng = rng
        self._suites = suites
        self._in = self._out = None  # directions, once there are keys
        self._open = self._closed = False
        self._record = bytearray(5)
        self._got = 0
        self._plain = b""  # handshake messages, then data
        self.timeout = wire.timeout
        self.deadline = None

    def handshake(self):
        """Authenticate both sides, provisioning first where there is no identity; on any error close."""
        try:
            self._bound()
            self._finish(*self._introduce())
        except ValueError as problem:
            self._refuse(str(problem), _DECODE_ERROR)
        except BaseException as problem:
            self._abandon(getattr(problem, "alert", _INTERNAL_ERROR))
            raise

    def read(self, n):
        self._bound()
        self._gather(n)
        return self._cut(n)

    def readinto(self, view):
        while not self._plain and self._advance():
            pass
        data = self._cut(len(view))
        view[: len(data)] = data
        return len(data)

    def write(self, data):
        if self._closed:
            raise Closed("the link is closed")
        self._bound()
        for at in range(0, len(data), _SPLIT):
            self._send(_DATA, bytes(data[at : at + _SPLIT]))

    def ready(self, ms):
        deadline = Deadline(ms)
        while not self._plain:
            if not self._advance():
                left = deadline.left()
                if not left or not self._wire.ready(left):
                    return False
        return True

    def close(self):
        self._abandon(0)

    def _introduce(self):
        """Say hello until there is a challenge, then with its answer: (code, ClientHello)."""
        if not self._element.is_provisioned():
            provisioning = self._credential.provisioning
            self._hello(provisioning.request(self._rng))
            provisioning.accept(self._verify_request(0x2011), self._element)
        self._hello(b"")
        challenge = self._verify_request(0x2010)
        if len(challenge) != 32:
            raise ItlsError("challenge", _DECODE_ERROR)
        code = device_code(self._element, 0, challenge, rng=self._rng)
        self._credential.quota.spend()
        return code, self._hello(code)

    def _verify_request(self, number):
        """The one extension, of this number, in a HelloVerifyRequest (id2.md 4.3).

        Stricter than the published client: the version must be 3.3, and nothing may follow the extension.
        """
        found = protocol.extensions(self._message(_HELLO_VERIFY_REQUEST), 6)
        if list(found) != [number]:
            raise ItlsError("HelloVerifyRequest", _DECODE_ERROR)
        return found[number]

    def _hello(self, code):
        identity = self._element.get_id() if self._element.is_provisioned() else b"F" * 48
        message = protocol.client_hello(
            self._credential.product_key.encode(), identity, code, self._rng(32), self._suites
        )
        self._send(_HANDSHAKE, message)
        return message

    def _finish(self, code, said):
        answer = self._message(_SERVER_HELLO)
        server_random, suite, server_code, encrypted = protocol.server_hello(answer, self._suites)
        client_random = said[6:38]
        if not verify_server(self._element, server_code, digits(client_random)):
            raise ItlsError("server code", _HANDSHAKE_FAILURE)
        premaster = protocol.premaster(self._element, encrypted, code, server_code)
        master = protocol.prf(premaster, b"master secret", client_random + server_random, 48)
        self._out, self._in = protocol.directions(suite, master, client_random, server_random)
        said += answer
        finished = _finished(master, b"client finished", said)
        self._send(_HANDSHAKE, finished)
        if not same(self._message(_FINISHED), _finished(master, b"server finished", said + finished)):
            raise ItlsError("Finished", _DECODE_ERROR)
        self._open = True

    def _message(self, kind):
        """The next handshake message, of this type, with its header; it may come in several records."""
        self._gather(4)
        size = 4 + int.from_bytes(self._plain[1:4], "big")
        if self._plain[0] == kind and size <= _RECORD_LIMIT:
            self._gather(size)
        if self._plain[0] != kind or len(self._plain) != size:
            raise ItlsError("message out of turn", _UNEXPECTED_MESSAGE)
        return self._cut(size)

    def _bound(self):
        self._wire.deadline = self.deadline or Deadline(self.timeout)

    def _gather(self, n):
        while len(self._plain) < n:
            left = self._wire.deadline.left()
            if not left:
                raise TimedOut("no answer")
            if not self._advance():
                self._wire.ready(left)

    def _cut(self, n):
        data = self._plain[:n]
        self._plain = self._plain[n:]
        return data

    def _advance(self):
        """Take what is there without blocking; False when nothing is, or when a record brought nothing."""
        if self._closed:
            raise Closed("the link is closed")
        count = self._wire.readinto(memoryview(self._record)[self._got :])
        self._got += count
        if self._got < len(self._record):
            return count > 0
        kind = self._record[0]
        if self._got > 5:
            body = bytes(self._record[5:])
            self._record = bytearray(5)
            self._got = 0
            return self._take(kind, body)
        size = int.from_bytes(self._record[3:], "big")
        if self._record[1:3] != b"\x03\x03" or not 0 < size <= _RECORD_LIMIT:
            self._refuse("record header", _DECODE_ERROR)
        self._record += bytes(size)
        return True

    def _take(self, kind, body):
        # Before its Finished the server has not switched: a refusal then comes in clear.
        if self._in and (self._open or kind != _ALERT or len(body) != 2):
            body = self._in.open(kind, body)
            if body is None:
                self._refuse("MAC or padding", _BAD_RECORD_MAC)
        if kind == (_DATA if self._open else _HANDSHAKE):
            self._plain += body
        elif kind != _ALERT or len(body) != 2:
            self._refuse("record out of turn", _UNEXPECTED_MESSAGE)
        elif body[0] != 1:
            self._open = False
            self._abandon(0)
            raise part("transport.itls.alerts").received(body[1])
        elif not body[1]:
            self._abandon(0)
            raise Closed("the peer ended the connection")
        return bool(self._plain)

    def _send(self, kind, data):
        if self._out:
            data = self._out.seal(kind, data, self._rng(16))
        self._wire.write(bytes((kind, 3, 3, len(data) >> 8, len(data) & 255)) + data)

    def _refuse(self, what, alert):
        self._abandon(alert)
        raise ItlsError(what, alert)

    def _abandon(self, alert):
        """Close, with a fatal alert, or with 0 the close_notify of an open link; keys are forgotten."""
        if self._closed:
            return
        self._closed = True
        try:
            if alert or self._open:
                self._wire.deadline = Deadline(_FAREWELL)
                self._send(_ALERT, bytes((2 if alert else 1, alert)))
        except LinkError:
            pass
        self._wire.close()
        if alert or not self._open:
            self._plain = b""
        self._open = False
        self._in = self._out = None


def _finished(master, label, said):
    return protocol.message(_FINISHED, protocol.prf(master, label, sha256(said).digest(), 12))
