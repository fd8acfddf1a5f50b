"""An RSA key and a certificate request (PKCS#10) made on the board, so that the key need never leave it.

Imported by nothing else. It takes minutes on a chip, with the whole heap in use now and then: best done before TLS
is open, or by a board that has nothing else to do. `os.urandom` of an ESP32 is strong only while its radio is on:
let Wi-Fi be active before generate() is called.
"""

import os
from binascii import b2a_base64, unhexlify
from hashlib import sha256

from aliot.x509.der import numbers
from micropython import const

_EXPONENT = const(65537)
_WINDOW = const(2048)  # odd numbers that are looked at from one random start
_ROUNDS = const(5)  # of Miller and Rabin with random bases: FIPS 186-5, B.3.1, for primes of 1024 bits
_RSA = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"  # rsaEncryption, NULL
_SHA256_RSA = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00"
_COMMON_NAME = b"\x06\x03\x55\x04\x03"
_SHA256 = unhexlify("3031300d060960864801650304020105000420")  # DigestInfo of RFC 8017, 9.2


def generate(bits=2048, tick=None):
    """A new private key of `bits` (a multiple of 16, 512 or more) as PKCS#1 DER.

    `tick` is called again and again, a moment apart on a host and seconds on a chip: feed a watchdog there.
    """
    if bits % 16 or bits < 512:
        raise ValueError("bits: a multiple of 16, 512 or more")
    small = _small_primes(2000)
    while True:
        p, q = _prime(bits // 2, small, tick), _prime(bits // 2, small, tick)
        if abs(p - q) >> (bits // 2 - 100):
            break
    if p < q:
        p, q = q, p
    least = (p - 1) * (q - 1) // _gcd(p - 1, q - 1)
    d = _inverse(_EXPONENT, least)
    parts = (0, p * q, _EXPONENT, d, p, q, d % (p - 1), d % (q - 1), _inverse(q, p))
    return _der(0x30, *[_integer(number) for number in parts])


def request(key, name):
    """A certificate request, PKCS#10 DER with SHA-256, for a key of generate() and the common name `name`."""
    n, e = numbers(key)[1:3]
    subject = _der(0x30, _der(0x31, _der(0x30, _COMMON_NAME, _der(0x0C, name.encode()))))
    public = _der(0x30, _der(0x30, _RSA), _der(0x03, b"\0", _der(0x30, _integer(n), _integer(e))))
    asked = _der(0x30, _integer(0), subject, public, b"\xa0\0")
    return _der(0x30, asked, _der(0x30, _SHA256_RSA), _der(0x03, b"\0", _signed(key, asked)))


def pem(data, label="CERTIFICATE REQUEST"):
    """DER as PEM text, for what takes no DER."""
    lines = [b2a_base64(data[at : at + 48]).decode() for at in range(0, len(data), 48)]
    return "-----BEGIN %s-----\n%s-----END %s-----\n" % (label, "".join(lines), label)


def _signed(key, data):
    """RSASSA-PKCS1-v1_5 with SHA-256, RFC 8017, 8.2."""
    n, e, d, p, q, dp, dq, inverse = numbers(key)[1:9]
    size = (len("%x" % n) + 1) // 2
    ending = _SHA256 + sha256(data).digest()
    padded = b"\0\x01" + b"\xff" * (size - len(ending) - 3) + b"\0" + ending
    number = int.from_bytes(padded, "big")
    last = pow(number % q, dq, q)
    made = last + q * ((pow(number % p, dp, p) - last) * inverse % p)
    if pow(made, e, n) != number:  # a fault here would give the key away
        raise ValueError("the key cannot sign")
    return made.to_bytes(size, "big")


def _small_primes(limit):
    """Odd primes below `limit`."""
    composite = bytearray(limit)
    primes = []
    for number in range(3, limit, 2):
        if not composite[number]:
            primes.append(number)
            for multiple in range(number * number, limit, 2 * number):
                composite[multiple] = 1
    return primes


def _prime(bits, small, tick):
    """A random prime whose two highest bits are set, and that 65537 goes with."""
    composite = bytearray(_WINDOW)
    while True:
        start = int.from_bytes(os.urandom(bits // 8), "big") | 3 << (bits - 2) | 1
        for at in range(_WINDOW):
            composite[at] = 0
        for prime in small:
            for at in range((prime - start % prime) * (prime + 1) // 2 % prime, _WINDOW, prime):
                composite[at] = 1
        for at in range(_WINDOW):
            if not composite[at]:
                if tick:
                    tick()
                number = start + 2 * at
                if not number >> bits and (number - 1) % _EXPONENT and _probable(number, tick):
                    return number


def _probable(number, tick):
    """Miller and Rabin: base 2, which turns away almost all, then random ones."""
    odd = number - 1
    twos = 0
    while not odd & 1:
        odd >>= 1
        twos += 1
    base = 2
    for _ in range(_ROUNDS + 1):
        value = pow(base, odd, number)
        left = twos
        while value != number - 1 and (value != 1 or left < twos):
            left -= 1
            if not left:
                return False
            value = value * value % number
        if tick:
            tick()
        base = 2 + int.from_bytes(os.urandom(16), "big")
    return True


def _gcd(a, b):
    while b:
        a, b = b, a % b
    return a


def _inverse(a, modulus):
    """The inverse of `a`, which must have one."""
    old, new, x, y = a, modulus, 1, 0
    while new:
        times = old // new
        old, new = new, old - times * new
        x, y = y, x - times * y
    return x % modulus


def _der(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    length = size.to_bytes(2 if size > 0xFF else 1, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def _integer(number):
    text = "%x" % number
    data = unhexlify("0" * (len(text) % 2) + text)
    return _der(0x02, b"\0" + data if data[0] > 0x7F else data)
