"""What a socket or TLS raised, as an error of aliot.errors; imported when it happens."""

from aliot.errors import AliotError, Closed, LinkError, TimedOut

_TIMED_OUT = (110, 116)  # ETIMEDOUT on the host and on the chip
_RESET = (32, 103, 104, 107, 113, 128)  # EPIPE, ECONNABORTED, ECONNRESET, ENOTCONN on either
_ENDED = (29312, 30848)  # MBEDTLS_ERR_SSL_CONN_EOF, _PEER_CLOSE_NOTIFY
_MEMORY = (12, 16, 17040, 32512)  # ENOMEM, MPI_ALLOC_FAILED, the same inside RSA, SSL_ALLOC_FAILED
_ALERT = 30592  # MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE
_CERTIFICATE = (("future", "clock"), ("expired", "expired"), ("Common Name", "name"), ("signed", "untrusted"))


class Reset(LinkError):
    code = "reset"


class TlsError(LinkError):
    """TLS was refused by either side; codes `tls`, `tls.alert`, `tls.memory`."""

    code = "tls"


class CertificateError(TlsError):
    """The peer's certificate was refused: `certificate.name`, `.untrusted`, `.expired`, `.clock`, `.future`,
    `.root`."""

    code = "certificate"


def translate(problem, phase):
    """The error for what was raised while `phase` was going on; what is no fault of the link comes back as it is."""
    if isinstance(problem, AliotError):
        return problem
    if isinstance(problem, ValueError):
        return _certificate(str(problem).strip())
    if isinstance(problem, MemoryError):
        return TlsError("not enough memory on Python's heap", "tls.memory")
    if not isinstance(problem, OSError):
        return problem
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
    for words, code in _CERTIFICATE:
        if words in text:
            return CertificateError(text, "certificate." + code)
    return CertificateError(text)
