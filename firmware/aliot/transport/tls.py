"""TLS over TCP as a stream; direct.md 5.3.

The socket never blocks: every wait is a poll with what is left of the deadline, so that the handshake,
which the first write carries out, is bounded like all else.
"""

import gc
import select
import socket

import tls
from aliot import errors, roots as store
from aliot.transport import Deadline
from micropython import const

_STEP = const(100)  # ms; the longest wait for the one direction while TLS may need the other
_TCP = const(6)
_NODELAY = const(1)
_OUT_OF_MEMORY = (12, 32512, 17040, 16)  # ENOMEM, SSL_ALLOC_FAILED, RSA and MPI without memory
_RESET = (32, 103, 104, 107, 113, 128)  # EPIPE, ECONNABORTED, ECONNRESET, ENOTCONN; by port
_TIMED_OUT = (110, 116)


def connect(host, port, roots, timeout, credential=None):
    """A Stream to host:port whose server must prove `host` against the roots named; see the package."""
    address = _resolve(host, port)
    deadline = Deadline(timeout)
    raw = socket.socket()
    try:
        raw.settimeout(timeout / 1000)
        _dial(raw, address, deadline)
        raw.setblocking(False)
        raw.setsockopt(_TCP, _NODELAY, 1)
        gc.collect()  # TLS takes its 30 KB from the same memory
        secured = _context(roots, credential).wrap_socket(raw, server_hostname=host,
                                                          do_handshake_on_connect=False)
    except BaseException as problem:
        raw.close()
        raise translate(problem, False)
    stream = Stream(raw, secured, timeout)
    stream.deadline = deadline
    return stream


def _resolve(host, port):
    try:
        return socket.getaddrinfo(host, port)[0][-1]
    except (OSError, IndexError):
        raise errors.DnsError("%s is not found" % host)


def _dial(raw, address, deadline):
    try:
        raw.connect(address)
    except OSError as problem:
        if not deadline.left() or abs(_number(problem)) in _TIMED_OUT:
            raise errors.TimedOut("no connection")
        raise errors.ConnectError("no connection (%d)" % _number(problem))


def _context(roots, credential):
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    store.load(roots, context.load_verify_locations)
    if credential is not None:
        context.load_cert_chain(credential.certificate, credential.private_key.reveal())
    return context


class Stream:
    """See aliot.transport for the contract."""

    def __init__(self, raw, secured, timeout):
        self._raw = raw
        self._tls = secured
        self._poll = select.poll()
        self._poll.register(secured, select.POLLIN)
        self._ahead = bytearray(1)  # one byte read ahead by ready()
        self._has_ahead = False
        self._shaken = False
        self.timeout = timeout
        self.deadline = None

    def write(self, data):
        deadline = self.deadline or Deadline(self.timeout)
        data = memoryview(data)
        while data:
            try:
                count = self._tls.write(data)
            except Exception as problem:
                raise translate(problem, self._shaken)
            if count:
                self._shaken = True
                data = data[count:]
            else:
                self._wait(deadline, select.POLLOUT if self._shaken else select.POLLIN)

    def read(self, n):
        deadline = self.deadline or Deadline(self.timeout)
        data = bytearray(n)
        view = memoryview(data)
        while view:
            count = self.readinto(view)
            view = view[count:]
            if not count:
                self._wait(deadline, select.POLLIN)
        return bytes(data)

    def readinto(self, view):
        if self._has_ahead:
            view[0] = self._ahead[0]
            self._has_ahead = False
            return 1
        return self._take(view)

    def ready(self, ms):
        deadline = Deadline(ms)
        while not self._has_ahead:
            self._has_ahead = self._take(self._ahead) == 1
            if not self._has_ahead and not self._poll_for(min(ms, deadline.left()), select.POLLIN):
                return False
        return True

    def writable(self):
        return self._poll_for(0, select.POLLOUT)

    def close(self):
        self._has_ahead = False
        for sock in (self._tls, self._raw):
            try:
                sock.close()
            except OSError:
                pass

    def _take(self, view):
        try:
            count = self._tls.readinto(view)
        except Exception as problem:
            raise translate(problem, self._shaken)
        if count == 0:
            raise errors.Closed("the peer ended the connection")
        return count or 0

    def _wait(self, deadline, what):
        left = deadline.left()
        if not left:
            raise errors.TimedOut("no answer" if self._shaken else "TLS handshake")
        self._poll_for(min(left, _STEP), what)

    def _poll_for(self, ms, what):
        self._poll.modify(self._tls, what)
        return bool(self._poll.poll(ms))


def translate(problem, shaken):
    """The error of aliot.errors for what a socket or TLS raised; others come back as they are."""
    if isinstance(problem, ValueError):
        return _certificate(str(problem))
    if isinstance(problem, MemoryError):
        return errors.TlsError("not enough memory", "tls.memory")
    if not isinstance(problem, OSError):
        return problem
    number = abs(_number(problem))
    if number in _TIMED_OUT:
        return errors.TimedOut("socket")
    if number in _RESET:
        return errors.Reset("the connection was reset" if shaken else "the connection was reset in the TLS handshake")
    if number in _OUT_OF_MEMORY:
        return errors.TlsError("not enough memory on the C heap", "tls.memory")
    if number in (29312, 30848):  # end of file in the handshake, close_notify
        return errors.Closed("the peer ended the connection")
    return errors.TlsError("%d" % _number(problem), "tls.alert" if number == 30592 else None)


def _certificate(text):
    for words, code in (("future", "clock"), ("expired", "expired"), ("Common Name", "name"), ("signed", "untrusted")):
        if words in text:
            return errors.CertificateError(text.strip(), "certificate." + code)
    return errors.CertificateError(text.strip())


def _number(problem):
    return problem.args[0] if problem.args and isinstance(problem.args[0], int) else 0
