"""Secrets at rest: AES-256-GCM around every secret in the ledger, and the key that opens it.

The associated data names the ledger, the table and the row, so that a sealed
secret copied to another row, or to another ledger, does not open.

    sealed = 0x01 | key id, 4 bytes | nonce, 12 bytes | ciphertext and tag
    plain  = 0x00 | the text                    (only in a ledger that was asked to be plain)
"""

import base64
import binascii
import hashlib
import os
import stat
from collections.abc import Mapping
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tools.errors import UserError
from tools.secrets import mask

KEY_SIZE = 32
NONCE_SIZE = 12
PLAIN, SEALED = b"\0", b"\1"
KEY_VARIABLE = "ALIOT_LEDGER_KEY"
ROOT = 0  # whose key file a group may read: the operators' of a station
KEY_FILE_VARIABLE = "ALIOT_LEDGER_KEY_FILE"


class Secret:
    """A secret that prints as `****abcd`; `reveal()` gives the text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return mask(self._text)

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled; hand over the ledger's row instead")


class Key:
    """An AES-256 key with a short public name (`id`, 4 bytes of its SHA-256)."""

    def __init__(self, raw: bytes) -> None:
        if len(raw) != KEY_SIZE:
            raise UserError(f"a ledger key has {KEY_SIZE} bytes, this one has {len(raw)}")
        self.id = hashlib.sha256(b"aliot ledger key" + raw).digest()[:4]
        self._raw = raw
        self._gcm = AESGCM(raw)

    def __reduce__(self) -> tuple[type["Key"], tuple[bytes]]:
        return Key, (self._raw,)  # to a worker process, through its pipe

    def seal(self, text: str, about: bytes) -> bytes:
        """`text` (str) sealed for the row that `about` (bytes) names."""
        nonce = os.urandom(NONCE_SIZE)
        return SEALED + self.id + nonce + self._gcm.encrypt(nonce, text.encode(), about)

    def open(self, sealed: bytes, about: bytes) -> str:
        if sealed[1:5] != self.id:
            raise UserError(
                f"a secret in the ledger is sealed with key {sealed[1:5].hex()}, not with "
                f"{self.id.hex()}; give the key that 'line rekey' made last"
            )
        try:
            return self._gcm.decrypt(sealed[5 : 5 + NONCE_SIZE], sealed[5 + NONCE_SIZE :], about).decode()
        except InvalidTag:
            raise UserError(
                f"the secret of {about.decode()} does not open: the row was altered or copied "
                "from another one; restore the ledger from a backup"
            ) from None


class Seal:
    """Seals and opens the secrets of one ledger; `key` None means a plain ledger."""

    def __init__(self, ledger_id: str, key: Key | None) -> None:
        self.ledger_id = ledger_id
        self.key = key

    def _about(self, *place):
        return "/".join((self.ledger_id,) + place).encode()

    def shut(self, text: str, *place: str) -> bytes:
        """The bytes to store. `place`: table, then the row's natural key."""
        return PLAIN + text.encode() if self.key is None else self.key.seal(text, self._about(*place))

    def open(self, stored: bytes, *place: str) -> str:
        """The text of what `shut` made for the same place. UserError when it does not open."""
        stored = bytes(stored)
        if stored[:1] == PLAIN and self.key is None:
            return stored[1:].decode()
        if stored[:1] == PLAIN:
            raise UserError(
                f"the secret of {'/'.join(place)} is not sealed, but this ledger is; restore it from a backup"
            )
        if self.key is None:
            raise UserError(
                "the secrets of this ledger are sealed: name the key with --key-file, "
                f"{KEY_FILE_VARIABLE} or {KEY_VARIABLE}"
            )
        return self.key.open(stored, self._about(*place))


def parse_key(text: str, where: str) -> Key:
    """A Key from 64 hex digits or base64 of 32 bytes."""
    text = text.strip()
    try:
        raw = bytes.fromhex(text) if len(text) == 2 * KEY_SIZE else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if len(raw) != KEY_SIZE:
        raise UserError(f"{where} holds no ledger key (64 hex digits, or base64 of 32 bytes)")
    return Key(raw)


def read_key(path: str) -> Key:
    """The key in a file that only its owner may read (mode 0600), or of root's for one group (0640)."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            found = os.fstat(file.fileno())
            text = file.read(4096)
    except FileNotFoundError:
        raise UserError(f"there is no key file {path}; 'line init' makes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"key file {path} cannot be read: {getattr(error, 'strerror', 'not text')}"
            + (f"; 'line doctor' says what {path} needs" if isinstance(error, PermissionError) else "")
        ) from None
    mode = stat.S_IMODE(found.st_mode)
    if mode & (0o037 if found.st_uid == ROOT else 0o077):
        right = "640" if found.st_uid == ROOT else "600"
        raise UserError(f"others can read key file {path} (mode {mode:04o}): chmod {right} {path}")
    return parse_key(text, f"key file {path}")


def make_key(path: str) -> Key:
    """A new random key in a new 0600 file; returns the Key. An existing file is never overwritten."""
    raw = os.urandom(KEY_SIZE)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UserError(f"{path} is there already; a ledger key is never overwritten") from None
    except OSError as error:
        raise UserError(f"key file {path} cannot be made: {error.strerror}") from None
    with os.fdopen(handle, "w") as file:
        file.write(raw.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return Key(raw)


def find_key(path: str | None = None, environ: Mapping[str, str] = os.environ) -> Key | None:
    """The key from `path`, ALIOT_LEDGER_KEY_FILE or ALIOT_LEDGER_KEY, or None when none of them is there."""
    path = path or environ.get(KEY_FILE_VARIABLE)
    if path:
        return read_key(path)
    if environ.get(KEY_VARIABLE):
        return parse_key(environ[KEY_VARIABLE], KEY_VARIABLE)
    return None
