"""The chip's `tls` over OpenSSL: mbedTLS's defaults, its errors by number and text, TLS 1.2 at most."""

import base64
import os
import ssl

import _chip
from _chip import Reading

PROTOCOL_TLS_CLIENT = 0
PROTOCOL_TLS_SERVER = 1
PROTOCOL_DTLS_CLIENT = 2
PROTOCOL_DTLS_SERVER = 3
CERT_NONE = 0
CERT_OPTIONAL = 1
CERT_REQUIRED = 2
MBEDTLS_VERSION = "Mbed TLS 3.6.3"

_POLL_READ = 1
_CIPHERS = "ECDHE+AESGCM:ECDHE+AES:RSA+AESGCM:RSA+AES:!PSK:!CCM:@SECLEVEL=1"
# OpenSSL's verify code -> what mbedTLS says
_DEFECTS = {
    9: "The certificate validity starts in the future",
    10: "The certificate validity has expired",
    62: "The certificate Common Name (CN) does not match with the expected CN",
    64: "The certificate Common Name (CN) does not match with the expected CN",
}
_UNTRUSTED = "The certificate is not correctly signed by the trusted CA"
_ALERT = (-30592, "SSL - A fatal alert message was received from our peer")
_RECORD = (-29184, "SSL - An invalid SSL record was received")
_EOF = (-29312, "SSL - The connection indicated an EOF")
_NO_CHAIN = (-30336, "SSL - No CA Chain is set, but required to operate")


class SSLContext:
    """Verifies by default, as mbedTLS's client does; CERT_NONE and CERT_OPTIONAL take anything."""

    def __init__(self, protocol):
        server = protocol == PROTOCOL_TLS_SERVER
        self._server = server
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.maximum_version = ssl.TLSVersion.TLSv1_2
        self._context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        self._context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        self._context.set_ciphers(_CIPHERS)
        self._anchored = False
        self.key = 0  # 1: a client certificate
        self.verify_mode = CERT_NONE if server else CERT_REQUIRED
        self.verify_callback = None

    def load_verify_locations(self, cadata):
        """One DER certificate (what follows it is ignored), or PEM."""
        try:
            if b"-----BEGIN" in (cadata.encode() if isinstance(cadata, str) else bytes(cadata)):
                self._context.load_verify_locations(
                    cadata=cadata if isinstance(cadata, str) else cadata.decode()
                )
            else:
                self._context.load_verify_locations(cadata=_first(bytes(cadata)))
        except (ssl.SSLError, ValueError, IndexError):
            raise ValueError("invalid cert") from None
        self._anchored = True

    def load_cert_chain(self, cert, key):
        """Certificate and key as bytes, DER or PEM."""
        import tempfile

        with tempfile.TemporaryDirectory(prefix="aliot-") as folder:
            paths = []
            for name, data, labels in (
                ("cert", cert, ("CERTIFICATE",)),
                ("key", key, ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")),
            ):
                paths.append((os.path.join(folder, name), _pems(data, labels)))
            for text in paths[1][1]:
                for path, content in ((paths[0][0], paths[0][1][0]), (paths[1][0], text)):
                    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                        file.write(content)
                try:
                    self._context.load_cert_chain(paths[0][0], paths[1][0])
                    self.key = 1
                    return
                except ssl.SSLError as error:
                    kept = error
        raise ValueError("invalid cert" if "PEM" in str(kept) else "invalid key")

    def get_ciphers(self):
        return [row["name"] for row in self._context.get_ciphers() if row["protocol"] != "TLSv1.3"]

    def set_ciphers(self, names):
        pass

    def wrap_socket(self, sock, server_side=False, do_handshake_on_connect=True, server_hostname=None):
        """The TLS stream over `sock`, any stream with readinto, write, ioctl and setblocking."""
        verifies = self.verify_mode == CERT_REQUIRED and not self._server
        if verifies and server_hostname is None:
            raise ValueError("CERT_REQUIRED requires server_hostname")
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_REQUIRED if verifies else ssl.CERT_NONE
        self._context.check_hostname = verifies
        stream = SSLSocket(self._context, sock, server_side, server_hostname, verifies and not self._anchored)
        on = sock if hasattr(sock, "tls") else _chip.latest  # a stream of one's own leads to the last socket
        stream.error = on.tls(self.key) if on and on._raw and not on.key else None
        if do_handshake_on_connect:
            stream.handshake()
        return stream


class SSLSocket(Reading):
    """After an error the stream is dead: the same error comes again.

    The socket's errors have the sign turned once the handshake is over, and keep it during the handshake.
    `error`: what the peer's answer leads to for lack of memory, or None.
    """

    def __init__(self, context, sock, server_side, hostname, unanchored):
        self._sock = sock
        self._into, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._into, self._out, server_side, hostname)
        self._unanchored = unanchored
        self._shaken = False
        self._record = bytearray()
        self._dead = None
        self._ended = False

    def handshake(self):
        self._turn(self._tls.do_handshake)

    def recv(self, size):
        data = self._piece(size)
        if data is None:
            raise OSError(11)
        return data

    def write(self, data, *size):
        data = data.encode() if isinstance(data, str) else bytes(data)
        if size:
            data = data[: size[0]]
        return self._turn(self._tls.write, data) if data else 0

    send = sendall = write

    def setblocking(self, flag):
        self._sock.setblocking(flag)

    def cipher(self):
        return self._tls.cipher()[:2]

    def getpeercert(self, binary_form=False):
        return self._tls.getpeercert(True)

    def fileno(self):
        return self._sock.fileno()

    def close(self):
        if not self._ended:
            self._ended = True
            if self._shaken and not self._dead:
                try:
                    self._tls.unwrap()
                except (ssl.SSLError, OSError):
                    pass
                try:
                    self._flush()
                except OSError:
                    pass
            self._sock.close()

    def ioctl(self, request, argument):
        if request == 4:
            self.close()
            return 0
        if request != 3:
            return -22
        if argument & _POLL_READ and not self._ended and (self._tls.pending() or self._into.pending):
            return _POLL_READ
        return self._sock.ioctl(request, argument)

    def _piece(self, size):
        return self._turn(self._tls.read, size)

    def _turn(self, call, *arguments):
        """One operation of the TLS machine, with the records it needs and makes; None when it would block."""
        if self._ended:
            raise OSError(9)
        if self._dead:
            raise self._dead
        if not self._shaken and call != self._tls.do_handshake:
            if self._turn(self._tls.do_handshake) is None and not self._shaken:
                return None
        while True:
            try:
                done = call(*arguments)
                if call == self._tls.do_handshake:
                    if self._unanchored:
                        raise self._die(OSError(*_NO_CHAIN))
                    self._shaken, done = True, 0
                self._flush()
                return done
            except ssl.SSLWantReadError:
                self._flush()
                got = self._fill()
                if got is None:
                    return None
                if not got:
                    if self._shaken:
                        return b""
                    raise self._die(OSError(*_EOF))
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLCertVerificationError as error:
                self._flush_alert()
                if self._unanchored:
                    raise self._die(OSError(*_NO_CHAIN)) from None
                raise self._die(ValueError(f"\n{_DEFECTS.get(error.verify_code, _UNTRUSTED)}\n")) from None
            except ssl.SSLError as error:
                self._flush_alert()
                raise self._die(OSError(*(_ALERT if "ALERT" in (error.reason or "") else _RECORD))) from None

    def _fill(self):
        """Take one record from below: 1, 0 at its end, None when it is not there yet."""
        while (wanted := _length(self._record)) > len(self._record):
            piece = bytearray(wanted - len(self._record))
            count = self._below(self._sock.readinto, piece)
            if count is None:
                return None
            if not count:
                return 0
            self._record += piece[:count]
        if self.error:
            raise self._die(self.error)
        self._into.write(bytes(self._record))
        self._record = bytearray()
        return 1

    def _flush(self):
        if self._out.pending:
            self._below(self._sock.write, self._out.read())

    def _flush_alert(self):
        try:
            self._flush()
        except OSError:
            pass

    def _below(self, call, data):
        try:
            done = call(data)
            if done is not None and done < 0:  # so a stream of Python says an error to MicroPython's C
                raise OSError(-done)
            return done
        except OSError as error:
            number = abs(error.args[0])
            raise self._die(OSError(-number if self._shaken else number)) from None

    def _die(self, error):
        self._dead = error
        return error


def _length(record):
    """How long a record is by its header, as far as it came; what cannot be one ends with its header."""
    if len(record) < 5 or not 20 <= record[0] <= 23 or record[1] != 3:
        return 5
    return 5 + int.from_bytes(record[3:5], "big")


def _first(data):
    """The first DER element of `data`; more would be ignored by mbedTLS."""
    if data[1] < 0x80:
        return data[: 2 + data[1]]
    count = data[1] & 0x7F
    length = int.from_bytes(data[2 : 2 + count], "big")
    if data[0] != 0x30 or len(data) < 2 + count + length:
        raise ValueError
    return data[: 2 + count + length]


def _pems(data, labels):
    data = bytes(data.encode() if isinstance(data, str) else data)
    if b"-----BEGIN" in data:
        return [data.decode()]
    body = base64.encodebytes(data).decode()
    return [f"-----BEGIN {label}-----\n{body}-----END {label}-----\n" for label in labels]
