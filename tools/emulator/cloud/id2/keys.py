"""An ID² key: the key families that are symmetric, and the one primitive they share (id2.md 1.1, 2.2)."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.hashes import SHA256, SM3, Hash
from cryptography.hazmat.primitives.padding import PKCS7


@dataclass(frozen=True)
class KeyType:
    """`size` in bytes; `digit` is the hash's on the wire, `number` the type's in provisioning, or None."""

    size: int
    cipher: type[AES] | type[TripleDES] | type[SM4]
    hash: type[SHA256] | type[SM3] = SHA256
    digit: str = "2"
    number: int | None = None


KEY_TYPES = {
    "AES_128": KeyType(16, AES, number=1),
    "AES_192": KeyType(24, AES, number=2),
    "AES_256": KeyType(32, AES, number=3),
    "3DES_112": KeyType(16, TripleDES),
    "3DES_168": KeyType(24, TripleDES),
    "SM4_128": KeyType(16, SM4, SM3, "3"),
}
NUMBERS = {kind.number: name for name, kind in KEY_TYPES.items() if kind.number}


@dataclass(frozen=True)
class Key:
    """`type` is a name of `KEY_TYPES`, `value` the key's bytes."""

    type: str
    value: bytes = field(repr=False)

    @property
    def kind(self) -> KeyType:
        return KEY_TYPES[self.type]

    def encrypt(self, data: bytes) -> bytes:
        """ECB with PKCS#5 padding; the device's `decrypt` takes it."""
        padder = PKCS7(self.kind.cipher.block_size).padder()
        return self.blocks(padder.update(data) + padder.finalize())

    def decrypt(self, data: bytes) -> bytes:
        """The inverse; raises ValueError where length or padding is wrong."""
        if not data or len(data) % (self.kind.cipher.block_size // 8):
            raise ValueError("not a whole number of blocks")
        decryptor = self.cipher().decryptor()
        unpadder = PKCS7(self.kind.cipher.block_size).unpadder()
        return unpadder.update(decryptor.update(data) + decryptor.finalize()) + unpadder.finalize()

    def blocks(self, data: bytes) -> bytes:
        """ECB without padding."""
        encryptor = self.cipher().encryptor()
        return encryptor.update(data) + encryptor.finalize()

    def cipher(self) -> Cipher:
        value = self.value + self.value[:8] if self.type == "3DES_112" else self.value
        return Cipher(self.kind.cipher(value), ECB())

    def sign(self, text: str) -> bytes:
        """The signature of an ASCII string."""
        digest = Hash(self.kind.hash())
        digest.update(text.encode())
        return self.encrypt(digest.finalize())

    def signed(self, text: str, signature: bytes) -> bool:
        """Whether `signature` is that of `text`."""
        return hmac.compare_digest(self.sign(text), signature)
