"""The key that signs packages: FOLDER/ota.key, encrypted with a passphrase, and FOLDER/ota.pub for boards."""

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tools import files, sealed_key, secrets
from tools.errors import UserError
from tools.image import updates

VARIABLE = "ALIOT_OTA_PASSPHRASE"
PRIVATE, PUBLIC = "ota.key", "ota.pub"
_LIMIT = 1 << 16


def refuse_bad_request(folder: Path, bits: int) -> None:
    """UserError when no such key can be made there."""
    if bits not in updates.BITS:
        raise UserError(f"a key for packages has 2048 or 3072 bits, not {bits}")
    for name in (PRIVATE, PUBLIC):
        if (folder / name).exists():
            raise UserError(
                f"{folder / name} is there already; a key is never overwritten, name another folder"
            )


def create(
    folder: Path | str, passphrase: bytes, bits: int = 2048, cost: int = sealed_key.COST
) -> rsa.RSAPublicKey:
    """Make a key in `folder`; its public half. UserError when one is there already."""
    folder = Path(folder)
    refuse_bad_request(folder, bits)
    key = rsa.generate_private_key(updates.EXPONENT, bits)
    secrets.folder(folder)
    secrets.write(folder / PRIVATE, sealed_key.seal(key, passphrase, cost))
    files.write(folder / PUBLIC, _pem(key.public_key()))
    return key.public_key()


def unlock(folder: Path | str, passphrase: bytes) -> rsa.RSAPrivateKey:
    """The key of a folder. UserError when it does not open or does not go with its public half."""
    folder = Path(folder)
    path = folder / PRIVATE
    if not path.is_file():
        raise UserError(
            f"{folder} holds no key for packages (no {PRIVATE} in it); 'python -m tools ota key {folder}' makes one"
        )
    key = sealed_key.unseal(files.read(path, _LIMIT), passphrase, path, "package key", "ota key")
    if _pem(key.public_key()) != _pem(updates.read_public(folder / PUBLIC)):
        raise UserError(f"{path} is not the key of {folder / PUBLIC}; put back the two that belong together")
    return key


def _pem(public):
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
