"""MicroPython's `cryptolib` on CPython: AES in ECB and CBC, as stock ESP32 firmware and the Unix port have
it.

Errors and their texts are those of MicroPython 1.25 (extmod/modcryptolib.c): keys of 16 or 32 bytes, one
object either encrypts or decrypts, whole blocks only, CBC goes on from call to call. AES itself is the
`cryptography` package's.
"""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_ECB = 1
_CBC = 2


class aes:
    """`aes(key, mode[, IV])`: mode 1 is ECB, 2 is CBC. ValueError for another mode, key size or IV size."""

    def __init__(self, key, mode, IV=None):
        if mode not in (_ECB, _CBC):
            raise ValueError("mode")
        key = bytes(_buffer(key))
        if len(key) not in (16, 32):
            raise ValueError("key")
        if mode == _CBC and (IV is None or len(_buffer(IV)) != 16):
            raise ValueError("IV")
        self._cipher = Cipher(
            algorithms.AES(key), modes.ECB() if mode == _ECB else modes.CBC(bytes(_buffer(IV)))
        )
        self._context = None
        self._encrypts = None

    def encrypt(self, data, out=None):
        """`data` (a multiple of 16 bytes) encrypted: bytes, or `out` filled and returned."""
        return self._run(True, data, out)

    def decrypt(self, data, out=None):
        """`data` (a multiple of 16 bytes) decrypted: bytes, or `out` filled and returned."""
        return self._run(False, data, out)

    def _run(self, encrypts, data, out):
        data = bytes(_buffer(data))
        if len(data) % 16:
            raise ValueError("blksize % 16")
        if out is not None and len(_buffer(out)) < len(data):
            raise ValueError("output too small")
        if self._encrypts is None:
            self._encrypts = encrypts
            self._context = self._cipher.encryptor() if encrypts else self._cipher.decryptor()
        if self._encrypts != encrypts:
            raise ValueError("can't encrypt & decrypt")
        result = self._context.update(data)
        if out is None:
            return result
        memoryview(out)[: len(result)] = result
        return out


def _buffer(value):
    if isinstance(value, str):
        value = value.encode()
    try:
        return memoryview(value)
    except TypeError:
        raise TypeError("object with buffer protocol required") from None
