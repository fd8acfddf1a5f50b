"""A file over HTTPS into the file system, checked by its digest; application.md 10 and 13."""

import os
from binascii import hexlify
from hashlib import sha256

from aliot import feed, https
from aliot.errors import AliotError, StoreError, TimedOut
from aliot.ticks import Deadline
from micropython import const

_BLOCK = const(512)  # bytes read and written at once
_SLICE = const(1000)  # ms without a look at the watchdog


def fetch(device, url, path, sign, size, limit, timeout=30000):
    """Write what `url` gives to the file `path`: `size` bytes (0: not known), at most `limit`, with the digest `sign`.

    AliotError `download.url`, `download.status`, `download.http`, `download.size`, `download.digest`; LinkError;
    StoreError. Then there is no such file. The connect is bounded by the device's timeout, all that follows by
    `timeout` ms. Where memory does not suffice for two TLS connections the device's is ended first.
    """
    stream = https.get(device, url)
    try:
        stream.deadline = Deadline(timeout)
        length = https.answer(stream, 200)[1]
        if not 0 < length <= limit or size not in (0, length):
            raise AliotError(
                "%d bytes, not %d of at most %d" % (length, size, limit), "download.size", "later"
            )
        size = length
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
