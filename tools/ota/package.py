"""A package: a signed manifest, then the files in its order, so that a board reads it once from front to back.

    b"ALOT" | form u8 = 1 | 0 u8 | signature length u16 LE | manifest length u32 LE
    key id, 8 bytes (tools.image.updates) | signature, 0, 256 or 384 bytes
    manifest | image of the firmware | files

The signature is RSA PKCS#1 v1.5 with SHA-256 of the manifest, which holds the SHA-256 of each file and of each piece
of the image.
"""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tools import files
from tools.errors import UserError
from tools.image import updates
from tools.ota import manifest as manifests
from tools.ota.manifest import File, Manifest

MARK, FORM = b"ALOT", 1
LARGEST = 16 << 20  # bytes; what the platform sends over MQTT (application.md 5.6)
_HEAD = struct.Struct("<4sBBHI8s")
_NO_KEY = bytes(8)


@dataclass(frozen=True)
class Package:
    """`contents` has the bytes of the image and of the files, one after another."""

    manifest: Manifest
    contents: bytes = field(repr=False)
    key: str = ""  # id of the key that signed it; "" for none
    signature: bytes = field(default=b"", repr=False)

    def encode(self) -> bytes:
        text = self.manifest.encode()
        key = bytes.fromhex(self.key) if self.key else _NO_KEY
        head = _HEAD.pack(MARK, FORM, 0, len(self.signature), len(text), key)
        return head + self.signature + text + self.contents

    def signed(self, key: rsa.RSAPrivateKey) -> "Package":
        """The same, signed by `key`; the same key gives the same bytes."""
        signature = key.sign(self.manifest.encode(), padding.PKCS1v15(), hashes.SHA256())
        return replace(self, key=updates.key_id(key.public_key()), signature=signature)

    def check(self, public: rsa.RSAPublicKey) -> None:
        """UserError when it is not signed by this key."""
        if not self.signature:
            raise UserError("the package is not signed: 'python -m tools ota sign' does it")
        if self.key != updates.key_id(public):
            raise UserError(
                f"the package is signed by the key {self.key}, not by {updates.key_id(public)}: name its key"
            )
        try:
            public.verify(self.signature, self.manifest.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            raise UserError("the signature is wrong: the package was changed after it was signed") from None


def pack(tree: Mapping[str, bytes], manifest: Manifest, image: bytes = b"") -> Package:
    """The unsigned package of a tree {path in it: bytes} and of a firmware's image; `manifest` says the rest.

    UserError.
    """
    ordered = sorted(tree.items())
    pieces = [image[at : at + manifests.PIECE] for at in range(0, len(image), manifests.PIECE)]
    rows = tuple(File(len(data), hashlib.sha256(data).hexdigest(), path) for path, data in ordered)
    listed = tuple((len(piece), hashlib.sha256(piece).hexdigest()) for piece in pieces)
    contents = image + b"".join(data for _, data in ordered)
    made = Package(replace(manifest, files=rows, pieces=listed), contents)
    if len(made.encode()) > LARGEST:
        raise UserError(
            f"the package has more than {LARGEST >> 20} MB: leave out what the board does not need"
        )
    return made


def mpy_version(tree: Mapping[str, bytes]) -> int:
    """The version of the .mpy files in a tree; UserError when they differ, or one holds machine code."""
    heads = {path: data[:3] for path, data in sorted(tree.items()) if path.endswith(".mpy")}
    found = {head[1] for head in heads.values() if len(head) == 3}
    native = [path for path, head in heads.items() if len(head) < 3 or head[0] != 0x4D or head[2] >> 2 & 0x2F]
    if native:
        raise UserError(
            f"{native[0]} is no .mpy file of plain bytecode, which is all that runs on every chip"
        )
    if len(found) != 1:
        raise UserError(f"the .mpy files have different versions ({', '.join(map(str, sorted(found)))})")
    return found.pop()


def is_one(path: Path | str) -> bool:
    """Whether a file begins as a package does. UserError when it cannot be read."""
    with files.as_user_error(f"read {path}"), open(path, "rb") as stream:
        return stream.read(len(MARK)) == MARK


def read(path: Path | str) -> Package:
    """The Package in a file, whole: every file of it has its size and its SHA-256. UserError."""
    return parse(files.read(path, LARGEST), path)


def parse(data: bytes, name: object = "the package") -> Package:
    """The Package in these bytes; UserError names what is wrong with `name`."""
    if len(data) < _HEAD.size or not data.startswith(MARK):
        raise UserError(f"{name} is no package of a release: 'python -m tools ota pack' makes one")
    _, form, reserved, signature, size, key = _HEAD.unpack_from(data)
    if form != FORM:
        raise UserError(f"{name} has form {form}, and these tools read form {FORM}: use newer ones")
    if reserved:
        raise UserError(f"{name} has {reserved} in byte 5, where a package has 0: it is damaged")
    at = _HEAD.size + signature
    text, contents = data[at : at + size], data[at + size :]
    if len(text) < size:
        raise UserError(f"{name} is cut short in its manifest")
    try:
        manifest = manifests.parse(text)
    except UserError as error:
        raise UserError(f"{name}: {error}") from None
    _refuse_contents(manifest, contents, name)
    return Package(
        manifest, contents, "" if key == _NO_KEY else key.hex(), data[_HEAD.size : _HEAD.size + signature]
    )


def _refuse_contents(manifest, contents, name):
    rows = [(size, digest, "the image") for size, digest in manifest.pieces]
    rows += [(file.size, file.sha256, file.path) for file in manifest.files]
    at = 0
    for size, digest, what in rows:
        data = contents[at : at + size]
        if len(data) < size:
            raise UserError(f"{name} is cut short in {what}")
        if hashlib.sha256(data).hexdigest() != digest:
            raise UserError(f"{name}: {what} is not what the manifest says; it was changed or reordered")
        at += size
    if at < len(contents):
        raise UserError(f"{name} has {len(contents) - at} bytes behind its last file")
