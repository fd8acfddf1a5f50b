"""iTLS: TLS 1.2 with ID² codes in place of certificates, as a stream of aliot.transport (id2.md 3, 4, 10.1).

An opt-in for products that hold ID² licences; TLS stays the default. What the protocol cannot give, this
client cannot either: no forward secrecy, and a server that recorded enough of a device's codes can put a
premaster together (id2.md 7). No renegotiation, no tickets, no resumption.

A handshake message is whole here, with its header of 4 bytes. Numbers of alerts: 10 unexpected_message,
20 bad_record_mac, 40 handshake_failure, 50 decode_error (a ValueError on the way), 70 protocol_version,
80 internal_error.
"""

import os
import struct

from aliot import load
from aliot.errors import Closed, LinkError, TimedOut
from aliot.id2 import codes
from aliot.ticks import Deadline
from aliot.transport import tls
from aliot.transport.itls import records
from micropython import const

_ALERT = const(21)
_HANDSHAKE = const(22)
_DATA = const(23)
_SPLIT = const(1024)  # the published client splits its writes here
_RECORD_LIMIT = const(2352)  # its limit of 2048, with IV, SHA-256 and the longest padding (id2.md 4.7)
_FAREWELL = const(500)  # ms for a last alert


def connect(credential, host, port, timeout):
    """An open `Stream` to host:port within `timeout` ms (DNS apart)."""
    credential.quota.check()
    stream = Stream(tls.connect(credential, host, port, (), timeout, False), credential)
    stream.handshake()
    return stream


class Stream:
    """iTLS over `wire`, a stream that does not block; see aliot.transport for the contract.

    `credential` has product_key; `element`, the secure element; `provisioning`
    (aliot.id2.provisioning) to ask for an identity where there is none yet, or None; `quota`
    (aliot.id2.Quota), told before each authentication.
    """

    kind = _HANDSHAKE  # of the records that may come; 0 when closed
    keys = None  # a Direction out and one in
    plain = b""  # what came in them
    got = 0  # bytes of the record
    suites = b"\xd0\x04\xd0\x03"  # offered; \xd0\x02 and \xd0\x01 would be understood

    def __init__(self, wire, credential, rng=os.urandom):
        self.wire = wire
        self.credential = credential
        self.rng = rng
        self.record = bytearray(5)
        self.deadline = wire.deadline

    def handshake(self):
        """Authenticate both sides, provisioning first where there is no identity; on any error close."""
        try:
            self._bound()
            self._finish(*self._greet())
        except ValueError as problem:
            self._refuse(str(problem), 50)
        except BaseException as problem:
            self.close(getattr(problem, "alert", 80))
            raise

    def read(self, n):
        self._bound()
        if not self.ready(self.wire.deadline.left(), n):
            raise TimedOut("no answer")
        return self._cut(n)

    def readinto(self, view):
        while not self.plain and self._advance():
            pass
        data = self._cut(len(view))
        view[: len(data)] = data
        return len(data)

    def write(self, data):
        if not self.kind:
            raise Closed("closed")
        self._bound()
        while data:
            self._send(_DATA, bytes(data[:_SPLIT]))
            data = memoryview(data)[_SPLIT:]

    def ready(self, ms, count=1):
        """Whether `count` bytes are there, waiting at most `ms` for them."""
        deadline = Deadline(ms)
        while len(self.plain) < count:
            if not self._advance():
                ms = deadline.left()
                if not ms or not self.wire.ready(ms):
                    return False
        return True

    def close(self, alert=0):
        """Close, with a fatal alert, or with 0 the close_notify of an open link; keys are forgotten."""
        kind = self.kind
        self.kind = 0
        if kind:
            if alert or kind != _DATA:
                self.plain = b""
            try:
                if alert or kind == _DATA:
                    self.wire.deadline = Deadline(_FAREWELL)
                    self._send(_ALERT, bytes((2 if alert else 1, alert)))
            except LinkError:
                pass
            self.wire.close()
            self.keys = None

    def _greet(self):
        """Say hello until there is a challenge, then with its answer: (code, ClientHello)."""
        credential = self.credential
        if not credential.element.is_provisioned():
            provisioning = credential.provisioning
            provisioning.accept(self._ask(provisioning.request(self.rng), 0x2011), credential.element)
        challenge = self._ask(b"", 0x2010)
        if len(challenge) != 32:
            raise ValueError("challenge")
        code = codes.device_code(credential.element, 0, challenge, b"", self.rng)
        credential.quota.spend()
        return code, self._hello(code)

    def _ask(self, code, kind):
        """The one extension, of this kind, in the HelloVerifyRequest that answers a ClientHello (id2.md 4.3).

        Stricter than the published client: the version must be 3.3, and nothing may follow the extension.
        """
        self._hello(code)
        found = extensions(self._hear(3), 6)
        if list(found) != [kind]:
            raise ValueError("HelloVerify")
        return found[kind]

    def _hello(self, code):
        """Send a ClientHello (id2.md 4.2); `code` is empty, the device code or a provisioning request."""
        return self._send_message(
            1,
            b"\3\3%s\0%s\1\0%s"
            % (
                self.rng(32),
                _sized(self.suites + b"\0\xff"),
                _sized(
                    # max_fragment_length, auth extra, key id with its group, auth code, extended version 1.2.0
                    b"\0\1\0\1\2 \0%s \1%s \2%s  \0\4\0\2\1\0"
                    % (
                        _sized(self.credential.product_key.encode()),
                        _sized(b"\0\x10\0\x10" + self.credential.element.get_id()),
                        _sized(code),
                    )
                ),
            ),
        )

    def _finish(self, code, transcript):
        """Check the ServerHello (id2.md 4.4), switch to its keys, exchange Finished."""
        answer = self._hear(2)
        padded = answer + bytes(300)  # of what is not there, zeros are read: the extensions then do not fit
        start = 39 + padded[38]
        suite, compression, size = struct.unpack_from(">2sBH", padded, start)
        found = extensions(answer, start + 5)
        if suite[0] != 0xD0 or suite not in self.suites:
            raise _refusal(80, "suite")
        if start > 71 or compression or len(answer) != start + 5 + size or found.get(1, b"\2") != b"\2":
            raise ValueError("ServerHello")
        # Both must be there: without the premaster anyone could derive the keys (id2.md 7.1).
        element = self.credential.element
        proof = found.get(0x2002, b"")
        drawn = transcript[6:38]
        key = codes.verify_server(element, proof, codes.digits(drawn)) and codes.premaster(
            element, found.get(0x2003, b""), code, proof
        )
        if not key:
            raise _refusal(40, "code or premaster")
        theirs = answer[6:38]
        key = records.prf(key, b"master secret", drawn + theirs, 48)
        self.keys = records.directions(suite, key, drawn, theirs)
        transcript += answer
        transcript += self._send_message(20, _verify(key, b"client", transcript))
        if not codes.same(self._hear(20)[4:], _verify(key, b"server", transcript)):
            raise ValueError("Finished")
        self.kind = _DATA

    def _send_message(self, kind, data):
        """Send a handshake message of this type, and return it."""
        data = bytes((kind, 0)) + _sized(data)
        self._send(_HANDSHAKE, data)
        return data

    def _hear(self, kind):
        """The next handshake message, of this type, with its header; it may come in several records."""
        data = self.read(4)
        size = int.from_bytes(data[1:], "big")
        if data[0] == kind and size < _RECORD_LIMIT:
            data += self.read(size)
            if not self.plain:
                return data
        raise _refusal(10, "message")

    def _bound(self):
        self.wire.deadline = self.deadline or Deadline(self.wire.timeout)

    def _cut(self, count):
        data = self.plain[:count]
        self.plain = self.plain[count:]
        return data

    def _advance(self):
        """Take what is there without blocking; False when nothing is, or when a record brought nothing."""
        if not self.kind:
            raise Closed("closed")
        data = self.record
        count = self.wire.readinto(memoryview(data)[self.got :])
        self.got += count
        size = len(data)
        if self.got < size:
            return count > 0
        if size > 5:
            self.record = bytearray(5)
            self.got = 0
            return self._take(data[0], bytes(data[5:]))
        size = int.from_bytes(data[3:], "big")
        if data[1:3] != b"\3\3" or not size or size > _RECORD_LIMIT:
            self._refuse("record", 50)
        self.record += bytes(size)
        return True

    def _take(self, kind, data):
        # Before its Finished the server has not switched: a refusal then comes in clear.
        if self.keys and (self.kind == _DATA or kind != _ALERT or len(data) != 2):
            data = self.keys[1].open(kind, data)
            if data is None:
                self._refuse("record", 20)
        if kind == self.kind:
            self.plain += data
            return len(data) > 0
        if kind != _ALERT or len(data) != 2:
            self._refuse("record", 10)
        level, alert = data
        if level != 1:
            self.kind = _HANDSHAKE  # no answer to it
            self.close()
            raise _refusal(alert)
        if not alert:
            self.close()
            raise Closed("by the peer")
        return False

    def _send(self, kind, data):
        if self.keys:
            data = self.keys[0].seal(kind, data, self.rng(16))
        self.wire.write(bytes((kind, 3, 3)) + _sized(data))

    def _refuse(self, message, alert):
        self.close(alert)
        raise _refusal(alert, message)


def _refusal(*alert):
    return load("transport.itls.alerts").ItlsError(*alert)


def extensions(data, start):
    """{number: bytes} of a server's hello from its extensions on; each may be there once, unknown ones too."""
    if data[4:6] != b"\3\3":
        raise _refusal(70, "version")
    found = {}
    while start + 4 <= len(data):
        key, size = struct.unpack_from(">HH", data, start)
        start += 4 + size
        if key in found:
            break
        found[key] = data[start - size : start]
    else:
        if start == len(data):
            return found
    raise ValueError("extensions")


def _verify(key, data, transcript):
    return records.prf(key, data + b" finished", codes.digest(transcript), 12)


def _sized(data):
    return len(data).to_bytes(2, "big") + data
