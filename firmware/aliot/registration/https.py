"""Dynamic registration over HTTPS: one POST, one answer; direct.md 2."""

from aliot import registration
from aliot.errors import RegistrationError, RegistrationRefused
from aliot.transport import connect
from micropython import const

_HEAD = const(2048)
_BODY = const(2048)


def register(credential, endpoint, sign_method, timeout):
    """The DeviceCertificate that the platform issues; typed errors otherwise. Nothing is stored."""
    host = endpoint.register_host
    stream = connect("tls", host, endpoint.register_port, endpoint.register_roots, timeout)
    try:
        stream.write(request(credential, host, registration.random(), sign_method))
        status, data = answer(stream)
    finally:
        stream.close()
    return result(status, data, credential)


def body(credential, nonce, sign_method):
    """The form; direct.md 2.1. Values are percent-encoded, the signature is over the raw ones."""
    return "productKey=%s&deviceName=%s&random=%s&sign=%s&signMethod=%s" % (
        credential.product_key, _encoded(credential.device_name), nonce,
        registration.signature(credential, nonce, sign_method), sign_method)


def request(credential, host, nonce, sign_method):
    """The whole request as bytes."""
    form = body(credential, nonce, sign_method)
    return ("POST /auth/register/device HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n"
            "Content-Length: %d\r\n\r\n%s" % (host, len(form), form)).encode()


def answer(stream):
    """(status, body bytes) of an HTTP answer; RegistrationError when it is none or too large."""
    words = _line(stream, _HEAD).split(b" ")
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise RegistrationError("the answer is not HTTP")
    length, chunked, left = None, False, _HEAD
    while True:
        line = _line(stream, left)
        if not line:
            break
        left -= len(line) + 2
        name, _, value = line.partition(b":")
        name = name.strip().lower()
        value = value.strip()
        if name == b"content-length":
            length = _number(value, 10)
        elif name == b"transfer-encoding":
            chunked = value.lower() == b"chunked"
    if chunked:
        return int(words[1]), _chunks(stream)
    if length is None:
        raise RegistrationError("the answer has no length")
    return int(words[1]), stream.read(_bounded(length))


def result(status, data, credential):
    """What an answer means: the DeviceCertificate, RegistrationRefused with its code, or RegistrationError."""
    try:
        found = registration.parse(data)
    except RegistrationError:
        if status != 200:
            raise RegistrationError("HTTP status %d" % status)
        raise
    code = found.get("code")
    if isinstance(code, bool) or not isinstance(code, int):
        raise RegistrationError("the answer has no code")
    if code != 200:
        raise RegistrationRefused(code, str(found.get("message", ""))[:80])
    if status != 200:
        raise RegistrationError("HTTP status %d" % status)
    if not isinstance(found.get("data"), dict):
        raise RegistrationError("the answer has no data")
    return registration.issued(found["data"], credential)


def _chunks(stream):
    data = b""
    while True:
        size = _bounded(_number(_line(stream, 64).split(b";")[0].strip(), 16))
        if not size:
            return data
        data += stream.read(size)
        _bounded(len(data))
        stream.read(2)


def _line(stream, limit):
    line = bytearray()
    while not line.endswith(b"\r\n"):
        if len(line) >= limit:
            raise RegistrationError("the answer's head is too large")
        line.extend(stream.read(1))
    return bytes(line[:-2])


def _number(text, base):
    try:
        return int(text.decode(), base)
    except ValueError:
        raise RegistrationError("the answer's length is no number")


def _bounded(size):
    if not 0 <= size <= _BODY:
        raise RegistrationError("an answer of %d bytes" % size)
    return size


def _encoded(text):
    return text.replace("@", "%40").replace(":", "%3A")
