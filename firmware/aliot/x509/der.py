"""What a board reads of a certificate and of an RSA key: DER, and of it no more than it needs. Pure.

ValueError names what is wrong, for whatever bytes these functions are given.
"""

from binascii import hexlify

from micropython import const

_INTEGER = const(0x02)
_BIT_STRING = const(0x03)
_OID = const(0x06)
_UTC_TIME = const(0x17)
_GENERALIZED_TIME = const(0x18)
_SEQUENCE = const(0x30)
_VERSION = const(0xA0)
_RSA = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"  # 1.2.840.113549.1.1.1


def certificate(data):
    """(serial, begins, ends, expires, modulus, exponent) of an X.509 certificate with an RSA key.

    The serial in the normal form of x509.md 3.1; begins and ends in seconds since 1970; expires as YYYY-MM-DD.
    """
    at, end = _whole(data)
    at, end = _inside(data, at, end, _SEQUENCE)  # what is signed
    if data[at] == _VERSION:
        at = _inside(data, at, end, _VERSION)[1]
    first, at = _inside(data, at, end, _INTEGER)
    serial = hexlify(data[first:at]).decode().upper().lstrip("0")
    for _ in range(2):  # signature algorithm, issuer
        at = _inside(data, at, end, _SEQUENCE)[1]
    first, at = _inside(data, at, end, _SEQUENCE)
    begins, expires, first = _time(data, first, at)
    ends, expires, first = _time(data, first, at)
    at = _inside(data, at, end, _SEQUENCE)[1]  # subject
    at, end = _inside(data, at, end, _SEQUENCE)
    kind, at_key = _inside(data, at, end, _SEQUENCE)
    kind, last = _inside(data, kind, at_key, _OID)
    if data[kind:last] != _RSA:
        raise ValueError("not an RSA key")
    at, end = _inside(data, at_key, end, _BIT_STRING)
    at, end = _inside(data, at + 1, end, _SEQUENCE)
    modulus, at = _number(data, at, end)
    return serial, begins, ends, expires, modulus, _number(data, at, end)[0]


def private_key(data):
    """(modulus, exponent) of an RSA key in PKCS#1 whose parts belong to each other."""
    version, n, e, d, p, q, dp, dq, inverse = numbers(data)
    if version or n != p * q or min(p, q) < 2 or (d * e - 1) % (p - 1) or (d * e - 1) % (q - 1):
        raise ValueError("its numbers do not belong to each other")
    if dp != d % (p - 1) or dq != d % (q - 1) or inverse * q % p != 1:
        raise ValueError("its numbers do not belong to each other")
    return n, e


def numbers(data):
    """What stands in a PKCS#1 key: version, n, e, d, p, q, and the three that make it fast."""
    at, end = _whole(data)
    found = []
    while len(found) < 9:
        number, at = _number(data, at, end)
        found.append(number)
    return found


def _whole(data):
    """Where the content of a SEQUENCE that is all of `data` begins and ends."""
    if len(data) > 4 and data[0] == _SEQUENCE:
        at, end = _bounds(data, 0)
        if end != len(data):
            raise ValueError("%d bytes of %d" % (len(data), end))
        return at, end
    raise ValueError("not DER" if data else "empty")


def _inside(data, at, end, tag):
    """Where the content of the element at `at`, which must have this tag and end before `end`, begins and ends."""
    if at + 2 <= end and data[at] == tag:
        first, last = _bounds(data, at)
        if first < last <= end:
            return first, last
    raise ValueError("malformed at byte %d" % at)


def _bounds(data, at):
    size = data[at + 1]
    at += 2
    if size > 0x80:
        more = size & 0x7F
        size = int.from_bytes(data[at : at + more], "big") if more < 4 else 1 << 24
        at += more
    return at, at + size


def _number(data, at, end):
    first, last = _inside(data, at, end, _INTEGER)
    if data[first] > 0x7F:
        raise ValueError("malformed at byte %d" % at)
    return int.from_bytes(data[first:last], "big"), last


def _time(data, at, end):
    """(seconds since 1970, YYYY-MM-DD, where the next element begins)."""
    tag = data[at] if at < end else 0
    first, last = _inside(data, at, end, tag)
    text = data[first:last].decode()
    if tag == _UTC_TIME:
        text = ("20" if text < "5" else "19") + text  # RFC 5280: 1950 to 2049
    elif tag != _GENERALIZED_TIME:
        raise ValueError("malformed at byte %d" % at)
    if len(text) != 15 or text[14] != "Z" or not text[:14].isdigit():
        raise ValueError("malformed date")
    year, month, day = int(text[:4]), int(text[4:6]), int(text[6:8])
    if not 1 <= month <= 12 or not 1 <= day <= 31:
        raise ValueError("malformed date")
    seconds = int(text[8:10]) * 3600 + int(text[10:12]) * 60 + int(text[12:14])
    return _days(year, month, day) * 86400 + seconds, "%s-%s-%s" % (text[:4], text[4:6], text[6:8]), last


def _days(year, month, day):
    """Days from 1970-01-01, with the year taken to begin in March."""
    year -= month < 3
    month = (month + 9) % 12
    return year * 365 + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day - 719469
