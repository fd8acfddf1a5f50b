"""What a socket or TLS raised, as an error of aliot.errors; imported when it happens, and dropped."""

from aliot import memory
from aliot.errors import AliotError, CertificateError, Closed, LinkError, Reset, TimedOut, TlsError
from micropython import const

_TIMED_OUT = (110, 116)  # ETIMEDOUT on the host and on the chip
_RESET = (32, 103, 104, 107, 113, 128)  # EPIPE, ECONNABORTED, ECONNRESET, ENOTCONN on either
_ENDED = (29312, 30848)  # MBEDTLS_ERR_SSL_CONN_EOF, _PEER_CLOSE_NOTIFY
_MEMORY = (12, 16, 17040, 32512)  # ENOMEM, MPI_ALLOC_FAILED, the same inside RSA, SSL_ALLOC_FAILED
_ALERT = 30592  # MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE
_CERTIFICATE = (("future", "clock"), ("expired", "expired"), ("Common Name", "name"), ("signed", "untrusted"))
_HANDSHAKE = const(
    40000
)  # bytes of the C heap that TLS takes for a moment; with less it fails for want of them


def translate(problem, phase):
    """The error for what was raised while `phase` was going on; what is no fault of the link comes back as it is."""
    if isinstance(problem, MemoryError):
        return TlsError("not enough memory on Python's heap", "tls.memory")
    if isinstance(problem, AliotError) and not isinstance(problem, TimedOut):
        return problem
    if not isinstance(problem, (ValueError, OSError, TimedOut)):
        return problem
    if phase == "TLS handshake":
        free = memory.c_heap()[0]
        if free < _HANDSHAKE:
            # mbedTLS that cannot allocate says that a certificate is not signed, lwIP that the peer is silent
            return TlsError(
                "%d bytes are left of the C heap: %s" % (free, str(problem).strip()), "tls.memory"
            )
    if isinstance(problem, ValueError):
        return _certificate(str(problem).strip())
    return problem if isinstance(problem, TimedOut) else _of_number(problem, phase)


def _of_number(problem, phase):
    number = problem.args[0] if problem.args and isinstance(problem.args[0], int) else 0
    if phase == "name":
        return LinkError("the host name is not found", "dns")
    if abs(number) in _TIMED_OUT:
        return TimedOut(phase)
    if phase == "connect":
        return LinkError("no connection (%d)" % number)
    if abs(number) in _RESET:
        return Reset(phase)
    if abs(number) in _ENDED:
        return Closed(phase)
    if abs(number) in _MEMORY:
        return TlsError("not enough memory on the C heap (%d)" % number, "tls.memory")
    return TlsError("%s (%d)" % (phase, number), "tls.alert" if abs(number) == _ALERT else None)


def _certificate(text):
    for phrase, code in _CERTIFICATE:
        if phrase in text:
            return CertificateError(text, "certificate." + code)
    return CertificateError(text)
