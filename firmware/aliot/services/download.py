"""A file over HTTPS into the file system, checked by its digest; application.md 10 and 13."""

import os
from binascii import hexlify
from hashlib import sha256

from aliot import feed, http
from aliot.credentials import Credential
from aliot.endpoint import PUBLIC
from aliot.errors import AliotError, LinkError, StoreError, TimedOut
from aliot.ticks import Deadline
from aliot.transport import tls
from micropython import const

_BLOCK = const(512)  # bytes read and written at once
_LONGEST = const(2048)  # characters of a URL
_SLICE = const(1000)  # ms without a look at the watchdog


def fetch(device, url, path, sign, size, limit, timeout=30000):
    """Write what `url` gives to the file `path`: `size` bytes (0: not known), at most `limit`, with the digest `sign`.

    AliotError `download.url`, `download.status`, `download.http`, `download.size`, `download.digest`; LinkError;
    StoreError. Then there is no such file. The connect is bounded by the device's timeout, all that follows by
    `timeout` ms. Where memory does not suffice for two TLS connections the device's is ended first.
    """
    host, port, rest = _parts(url)
    stream = _open(device, host, port)
    try:
        stream.deadline = Deadline(timeout)
        name = host if port == 443 else "%s:%d" % (host, port)
        stream.write(("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % (rest, name)).encode())
        size = _length(stream, size, limit)
        if _written(stream, path, size) != sign:
            os.remove(path)
            raise AliotError("of %d bytes" % size, "download.digest", "later")
    finally:
        stream.close()


def digest(path):
    """The SHA-256 of a file as lower-case hex, "" where there is none."""
    made = sha256()
    try:
        with open(path, "rb") as file:
            while True:
                data = file.read(_BLOCK)
                if not data:
                    return hexlify(made.digest()).decode()
                made.update(data)
                feed()
    except OSError:
        return ""


def hex_digest(message):
    """The digest that a message of the platform names, lower-case; "" where that is no SHA-256."""
    sign = message.get("sign")
    if str(message.get("signMethod")).lower() != "sha256" or not isinstance(sign, str) or len(sign) != 64:
        return ""
    sign = sign.lower()
    return "" if [one for one in sign if one not in "0123456789abcdef"] else sign


def _parts(url):
    """(host, port, path and query) of an https URL."""
    if isinstance(url, str) and url[:8].lower() == "https://" and len(url) <= _LONGEST:
        end = min([at for at in (url.find("/", 8), url.find("?", 8), len(url)) if at > 0])
        host, _, port = url[8:end].partition(":")
        rest = url[end:].partition("#")[0]
        rest = rest if rest[:1] == "/" else "/" + rest
        right = [one for one in host if one.isdigit() or one.isalpha() or one in ".-"]
        if host and len(right) == len(host) and not [one for one in url if not " " < one < "\x7f"]:
            port = port or "443"
            if port.isdigit() and 0 < int(port) < 65536:
                return host, int(port), rest
    raise AliotError("no address of https", "download.url")


def _open(device, host, port):
    """A stream without a client certificate: it is for the platform alone."""
    nobody = Credential("", "")
    try:
        return tls.connect(nobody, host, port, PUBLIC, device.timeout)
    except LinkError as problem:
        if problem.code != "tls.memory" or not device.connected:
            raise
    device.stop()
    return tls.connect(nobody, host, port, PUBLIC, device.timeout)


def _length(stream, size, limit):
    """How long the body is, out of the answer's head."""
    try:
        status, length, chunked = http.head(stream)
    except (ValueError, IndexError):
        raise AliotError("not HTTP", "download.http", "later")
    if status != 200:
        raise AliotError("HTTP status %d" % status, "download.status", "later")
    if chunked or length is None:
        raise AliotError("no length", "download.http", "later")
    if not 0 < length <= limit or size not in (0, length):
        raise AliotError("%d bytes, not %d of at most %d" % (length, size, limit), "download.size", "later")
    return length


def _written(stream, path, size):
    """Write `size` bytes to a file; returns their digest as hex."""
    made = sha256()
    view = memoryview(bytearray(_BLOCK))
    try:
        with open(path, "wb") as file:
            while size:
                feed()
                if not stream.deadline.left():
                    raise TimedOut("download")
                if stream.ready(min(stream.deadline.left(), _SLICE)):
                    data = view[: stream.readinto(view[: min(size, _BLOCK)])]
                    made.update(data)
                    file.write(data)
                    size -= len(data)
    except OSError as problem:
        _removed(path)
        raise StoreError("the file %s: error %s" % (path, problem.args[0]))
    except BaseException:
        _removed(path)
        raise
    return hexlify(made.digest()).decode()


def _removed(path):
    try:
        os.remove(path)
    except OSError:
        pass
