"""The chip's `tls` over the Unix port's: TLS 1.2 at most, and the socket's errors with the sign turned."""

import io

import _chip
import tls

PROTOCOL_TLS_CLIENT = tls.PROTOCOL_TLS_CLIENT
PROTOCOL_TLS_SERVER = tls.PROTOCOL_TLS_SERVER
PROTOCOL_DTLS_CLIENT = tls.PROTOCOL_DTLS_CLIENT
PROTOCOL_DTLS_SERVER = tls.PROTOCOL_DTLS_SERVER
CERT_NONE = tls.CERT_NONE
CERT_OPTIONAL = tls.CERT_OPTIONAL
CERT_REQUIRED = tls.CERT_REQUIRED
MBEDTLS_VERSION = tls.MBEDTLS_VERSION

# what a stock ESP32 offers first; each name is key exchange, then cipher
_EXCHANGES = ("ECDHE-ECDSA", "ECDHE-RSA", "RSA")
_CIPHERS = "AES-256-GCM-SHA384 AES-256-CBC-SHA AES-128-GCM-SHA256 AES-128-CBC-SHA256 AES-128-CBC-SHA"


class SSLContext:
    """The Unix port's, never offering TLS 1.3."""

    key = 0  # 1: a client certificate

    def __init__(self, protocol):
        self._context = context = tls.SSLContext(protocol)
        context.set_ciphers(self.get_ciphers())
        self.load_verify_locations = context.load_verify_locations
        self.set_ciphers = context.set_ciphers

    def load_cert_chain(self, *args):
        self._context.load_cert_chain(*args)
        self.key = 1

    def get_ciphers(self):
        return [
            "TLS-%s-WITH-%s" % (exchange, cipher) for exchange in _EXCHANGES for cipher in _CIPHERS.split()
        ]

    @property
    def verify_mode(self):
        return self._context.verify_mode

    @verify_mode.setter
    def verify_mode(self, mode):
        self._context.verify_mode = mode

    @property
    def verify_callback(self):
        return self._context.verify_callback

    @verify_callback.setter
    def verify_callback(self, callback):
        self._context.verify_callback = callback

    def wrap_socket(self, sock, **options):
        """The TLS stream over `sock`, any stream with readinto, write, ioctl and setblocking."""
        below = _Below(sock)
        on = sock if hasattr(sock, "tls") else _chip.latest  # a stream of one's own leads to the last socket
        if on and on._raw and not on.key:
            below.error = on.tls(self.key)
        return self._context.wrap_socket(below, **options)


class _Below(io.IOBase):
    """A stream as the TLS stack calls it: an error is the number it returns, negated.

    `error`: what the peer's answer leads to for lack of memory, or None.
    """

    error = None

    def __init__(self, sock):
        self._sock = sock
        self.ioctl = sock.ioctl

    def setblocking(self, flag):
        self._sock.setblocking(flag)

    def readinto(self, buffer):
        count = self._below(self._sock.readinto, buffer)
        if self.error and count > 0:
            raise self.error
        return count

    def write(self, data):
        return self._below(self._sock.write, data)

    def _below(self, call, data):
        try:
            done = call(data)
        except OSError as error:
            return -abs(error.args[0])
        return -11 if done is None else done
