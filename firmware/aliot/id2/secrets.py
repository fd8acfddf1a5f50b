"""What ID² gives an application beside its link: data, keys and secrets of one device (id2.md 2.2).

Pure, over a `SecureElement`; iTLS needs none of it. Seeds are ASCII as bytes.
"""

from hashlib import sha256

from aliot.id2.codes import digits, pad, sign, unpad
from cryptolib import aes


def decrypt(element, data):
    """The plain bytes of data that a server encrypted for this device, at most 1024 (id2.md 2.2).

    ValueError when the length is not one of ECB or the padding is wrong.
    """
    if not 0 < len(data) <= 1024 or len(data) % 16:
        raise ValueError("length of ciphertext")
    return unpad(element.ecb_decrypt(data))


def get_secret(element, seed):
    """A secret of this device for `seed`: 64 upper-case hex digits (id2.md 2.2)."""
    return digits(sha256(sign(element, seed)).digest())


def derive_key(element, seed, size=32):
    """A key of `size` bytes (1 to 32) of this device for `seed` (id2.md 2.2)."""
    if not 0 < size <= 32:
        raise ValueError("length of key")
    return sha256(sign(element, element.get_id() + seed)).digest()[:size]


def encrypt(element, seed, data):
    """`data` under AES-256-ECB with the derived key of `seed` (id2.md 2.2); equal blocks show as equal."""
    return aes(derive_key(element, seed), 1).encrypt(pad(data))
