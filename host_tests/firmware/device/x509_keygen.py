"""A key and a request made on the board, in pieces that the host asks for (host_tests/x509)."""

import sys

from _chip import open as on_host
from aliot.x509 import der, keygen
from binascii import hexlify

made = []


def generate(bits):
    ticks = []
    made.append(keygen.generate(bits, lambda: ticks.append(1)))
    n, e = der.private_key(made[0])
    assert n >> (bits - 1) == 1 and e == 65537 and len(ticks) > 2


def several(bits):
    """Small ones, for what a single one may not show: all sound, all different."""
    found = [keygen.generate(bits) for _ in range(6)]
    for key in found:
        n, e = der.private_key(key)
        assert n >> (bits - 1) == 1
        for prime in der.numbers(key)[4:6]:
            assert prime >> (bits // 2 - 2) == 3 and pow(3, prime - 1, prime) == 1
    assert len(set(found)) == len(found)
    for wrong in (0, 496, 1000, -1024):
        try:
            keygen.generate(wrong)
        except ValueError:
            continue
        raise AssertionError(wrong)


def request(value):
    name, folder = value
    asked = keygen.request(made[0], name)
    for file, text in (
        ("key", hexlify(made[0]).decode()),
        ("request", hexlify(asked).decode()),
        ("pem", keygen.pem(asked)),
    ):
        with on_host(folder + "/" + file, "wb") as out:
            out.write(text.encode())
    assert "aliot.x509.keygen" in sys.modules


def composites(value):
    """Numbers that are no primes, strong pseudoprimes to base 2 among them, and primes."""
    for number in value["composite"]:
        assert not keygen._probable(int(number), None), number
    for number in value["prime"]:
        assert keygen._probable(int(number), None), number
