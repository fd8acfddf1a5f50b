"""Dynamic registration over HTTPS: one POST, one answer; direct.md 2."""

from aliot import http, load, registration
from aliot.endpoint import PUBLIC
from aliot.errors import Closed, RegistrationError
from micropython import const

_LIMIT = const(2048)  # bytes of an answer's body


def complete(device):
    """The credential that the platform issues to a device, kept and read back."""
    return registration.keep(device, register)


def register(credential, endpoint, sign_method, timeout):
    """The DeviceCertificate that the platform issues; typed errors otherwise. Nothing is stored."""
    form = body(credential, registration.random(), sign_method)
    return result(
        *post(credential, endpoint.register_host, "/auth/register/device", form, timeout), credential
    )


def post(credential, host, path, form, timeout):
    """(status, body) of the answer to a form, within `timeout` ms, DNS apart; LinkError or RegistrationError."""
    stream = credential.open(host, 443, PUBLIC, timeout)
    try:
        stream.write(
            (
                "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded;charset=utf-8"
                "\r\nContent-Length: %d\r\n\r\n%s" % (path, host, len(form), form)
            ).encode()
        )
        return answer(stream)
    finally:
        stream.close()


def body(credential, nonce, sign_method):
    """The form; direct.md 2.1. Values are percent-encoded, the signature is over the raw ones."""
    return "productKey=%s&deviceName=%s&random=%s&sign=%s&signMethod=%s" % (
        credential.product_key,
        credential.device_name.replace("@", "%40").replace(":", "%3A"),
        nonce,
        registration.signature(credential, nonce, sign_method),
        sign_method,
    )


def answer(stream):
    """(status, body) of an HTTP answer; RegistrationError when it is none or too large.

    The body has a length, comes in chunks, or ends with the connection; chunks go before a length (RFC 9112, 6.3).
    """
    try:
        status, length, chunked = http.head(stream)
        if chunked:
            return status, _chunks(stream)
        if status in (204, 304):
            length = 0
        return status, _rest(stream) if length is None else http.read(stream, _size(length))
    except (ValueError, IndexError):
        raise RegistrationError("not HTTP, or too large")


def _chunks(stream):
    data = b""
    while True:
        length = _size(int(http.line(stream, _LIMIT)[0].split(b";")[0], 16))
        if not length:
            return data
        _size(len(data) + length)
        data += http.read(stream, length)
        http.line(stream, _LIMIT)


def _rest(stream):
    data = bytearray()
    try:
        while len(data) <= _LIMIT:
            data += http.read(stream, 1)
    except Closed:
        return bytes(data)
    raise ValueError


def _size(size):
    if not 0 <= size <= _LIMIT:
        raise ValueError
    return size


def result(status, data, credential):
    """What an answer means: the DeviceCertificate, RegistrationRefused with its code, or RegistrationError."""
    found = registration.parse(data) if status == 200 or data[:1] == b"{" else {}
    code = registration.number(found.get("code"))
    if code not in (-1, 200):
        raise load("refusals").RegistrationRefused(code, str(found.get("message", ""))[:80])
    found = found.get("data")
    if status != 200 or code != 200 or not isinstance(found, dict):
        raise RegistrationError("HTTP status %d, no data" % status)
    return registration.issued(found, credential)
