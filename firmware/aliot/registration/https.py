"""Dynamic registration over HTTPS: one POST, one answer; direct.md 2."""

from aliot import part, registration
from aliot.errors import RegistrationError
from aliot.transport import connect
from micropython import const

_LIMIT = const(2048)  # bytes of an answer's head, and of its body
_BAD = "an answer that is too large or none"


def register(credential, endpoint, sign_method, timeout):
    """The DeviceCertificate that the platform issues; typed errors otherwise. Nothing is stored."""
    host = endpoint.register_host
    stream = connect(credential, host, endpoint.register_port, endpoint.register_roots, timeout)
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
            "Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (host, len(form), form)).encode()


def answer(stream):
    """(status, body) of an HTTP answer, with a length or in chunks; RegistrationError when it is none or too large."""
    head = _line(stream).split()
    if len(head) < 2 or not head[0].startswith("HTTP/1.") or not head[1].isdigit():
        raise RegistrationError(_BAD)
    length, chunked, seen = "", False, 0
    while True:
        line = _line(stream)
        seen += len(line)
        if not line or seen > _LIMIT:
            break
        name, _, value = line.lower().partition(":")
        if name == "content-length":
            length = value
        elif name == "transfer-encoding":
            chunked = "chunked" in value
    if not chunked:
        return int(head[1]), stream.read(_size(length, 10))
    data = b""
    while True:
        size = _size(_line(stream).split(";")[0], 16)
        if not size or len(data) > _LIMIT:
            return int(head[1]), data
        data += stream.read(size)
        _line(stream)


def result(status, data, credential):
    """What an answer means: the DeviceCertificate, RegistrationRefused with its code, or RegistrationError."""
    try:
        found = registration.parse(data)
    except RegistrationError:
        found = {}
    code = found.get("code")
    if type(code) is int and code != 200:
        raise part("refusals").RegistrationRefused(code, str(found.get("message", ""))[:80])
    found = found.get("data")
    if status != 200 or code != 200 or not isinstance(found, dict):
        raise RegistrationError("HTTP status %d, %s" % (status, _BAD))
    return registration.issued(found, credential)


def _line(stream):
    line = b""
    while line[-2:] != b"\r\n":
        if len(line) > _LIMIT:
            raise RegistrationError(_BAD)
        line += stream.read(1)
    try:
        return line.decode().strip()
    except UnicodeError:
        raise RegistrationError(_BAD)


def _size(text, base):
    try:
        size = int(text, base)
    except ValueError:
        size = -1
    if not 0 <= size <= _LIMIT:
        raise RegistrationError(_BAD)
    return size
