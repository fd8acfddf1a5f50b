"""An RSA key at rest: PKCS#8, PBES2 with scrypt and AES-256-CBC (RFC 5958, 8018, 7914); openssl opens it too.

`cryptography` reads this form but writes only PBKDF2 with 2,048 rounds, which
is little against someone who has taken the file; so the envelope is put
together here from its scrypt, AES and DER encoder.
"""

import os
from pathlib import Path

from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import padding, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.x509 import ObjectIdentifier

from tools import certificates
from tools.certificates import pem
from tools.errors import UserError

COST = 2**14  # 16 MB; openssl refuses a scrypt that wants more than 32
BLOCK = 8
PARALLEL = 5  # with this cost and block the least that OWASP's password storage sheet advises
LABEL = "ENCRYPTED PRIVATE KEY"

_PBES2 = ObjectIdentifier("1.2.840.113549.1.5.13")
_SCRYPT = ObjectIdentifier("1.3.6.1.4.1.11591.4.11")
_AES_256_CBC = ObjectIdentifier("2.16.840.1.101.3.4.1.42")


@asn1.sequence
class _ScryptParams:
    salt: bytes
    cost: int
    block: int
    parallel: int


@asn1.sequence
class _Derivation:
    algorithm: ObjectIdentifier
    parameters: _ScryptParams


@asn1.sequence
class _Encryption:
    algorithm: ObjectIdentifier
    iv: bytes


@asn1.sequence
class _Pbes2Params:
    derivation: _Derivation
    encryption: _Encryption


@asn1.sequence
class _Algorithm:
    algorithm: ObjectIdentifier
    parameters: _Pbes2Params


@asn1.sequence
class _EncryptedPrivateKeyInfo:
    algorithm: _Algorithm
    data: bytes


def seal(key: rsa.RSAPrivateKey, passphrase: bytes, cost: int = COST) -> bytes:
    """An RSA private key as PEM (bytes) that only the passphrase (bytes) opens."""
    salt, iv = os.urandom(16), os.urandom(16)
    secret = Scrypt(salt=salt, length=32, n=cost, r=BLOCK, p=PARALLEL).derive(passphrase)
    plain = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    scrypt = _ScryptParams(salt=salt, cost=cost, block=BLOCK, parallel=PARALLEL)
    algorithm = _Algorithm(
        algorithm=_PBES2,
        parameters=_Pbes2Params(
            derivation=_Derivation(algorithm=_SCRYPT, parameters=scrypt),
            encryption=_Encryption(algorithm=_AES_256_CBC, iv=iv),
        ),
    )
    return pem(
        LABEL,
        asn1.encode_der(_EncryptedPrivateKeyInfo(algorithm=algorithm, data=_encrypt(secret, iv, plain))),
    )


def _encrypt(secret, iv, plain):
    padder = padding.PKCS7(128).padder()
    padded = padder.update(plain) + padder.finalize()
    encryptor = Cipher(algorithms.AES(secret), modes.CBC(iv)).encryptor()
    return encryptor.update(padded) + encryptor.finalize()


def unseal(
    data: bytes, passphrase: bytes, name: Path | str, what: str = "CA key", maker: str = "ca init"
) -> rsa.RSAPrivateKey:
    """The RSA key in `data` (PEM); UserError if the passphrase is wrong or the file damaged.

    `what` it is to be, and which verb makes one, is said where it is something else.
    """
    if LABEL.encode() not in data:
        raise UserError(f"{name} is not an encrypted {what}; put back the one that '{maker}' made")
    try:
        key = serialization.load_pem_private_key(data, passphrase)
    except certificates.UNREADABLE:
        raise UserError(f"wrong passphrase for {name} (or the file is damaged)") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise UserError(f"the key in {name} is not RSA")
    return key
