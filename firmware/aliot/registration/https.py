"""Dynamic registration over HTTPS: one POST, one answer; direct.md 2."""

from aliot import part, registration
from aliot.errors import RegistrationError
from aliot.transport import connect
from micropython import const

_LIMIT = const(2048)  # bytes of an answer's head, and of its body


def register(credential, endpoint, sign_method, timeout):
    """The DeviceCertificate that the platform issues; typed errors otherwise. Nothing is stored."""
    host = endpoint.register_host
    stream = connect(credential, host, 443, endpoint.register_roots, timeout)
    try:
        stream.write(request(credential, host, registration.random(), sign_method))
        status, data = answer(stream)
    finally:
        stream.close()
    return result(status, data, credential)


def body(credential, nonce, sign_method):
    """The form; direct.md 2.1. Values are percent-encoded, the signature is over the raw ones."""
    return "productKey=%s&deviceName=%s&random=%s&sign=%s&signMethod=%s" % (
        credential.product_key, credential.device_name.replace("@", "%40").replace(":", "%3A"), nonce,
        registration.signature(credential, nonce, sign_method), sign_method)


def request(credential, host, nonce, sign_method):
    """The whole request as bytes."""
    form = body(credential, nonce, sign_method)
    return ("POST /auth/register/device HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            "Content-Length: %d\r\n\r\n%s" % (host, len(form), form)).encode()


def answer(stream):
    """(status, body) of an HTTP answer, with a length or in chunks; RegistrationError when it is none or too large."""
    try:
        _, status = _line(stream).split()[:2]
        status = int(status)
        length = -1
        for _ in range(40):
            name, _, value = _line(stream).partition(":")
            if name == "content-length":
                length = int(value)
            elif name == "transfer-encoding":
                length = None
            elif not name:
                break
        if length is not None:
            return status, stream.read(_size(length))
        data = b""
        while True:
            length = _size(int(_line(stream).split(";")[0], 16))
            if not length:
                return status, data
            _size(len(data) + length)
            data += stream.read(length)
            _line(stream)
    except ValueError:
        raise RegistrationError("not HTTP, or too large")


def result(status, data, credential):
    """What an answer means: the DeviceCertificate, RegistrationRefused with its code, or RegistrationError."""
    found = registration.parse(data) if status == 200 or data[:1] == b"{" else {}
    code = found.get("code")
    if type(code) is int and code != 200:
        raise part("refusals").RegistrationRefused(code, str(found.get("message", ""))[:80])
    found = found.get("data")
    if status != 200 or code != 200 or not isinstance(found, dict):
        raise RegistrationError("HTTP status %d, no data" % status)
    return registration.issued(found, credential)


def _line(stream):
    line = b""
    while line[-2:] != b"\r\n":
        _size(len(line))
        line += stream.read(1)
    return line.decode().lower().strip()


def _size(size):
    if not 0 <= size <= _LIMIT:
        raise ValueError
    return size
