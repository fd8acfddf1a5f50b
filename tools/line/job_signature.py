"""The signature of a job, and the keys for it.

`line job sign` adds the SHA-256 of every file that the job names and one last line, the Ed25519 signature over
everything before it. The station believes only the public key that is pinned in its own station file.
"""

import base64
import binascii
import hashlib
import json
import os
import re
import stat
from dataclasses import replace

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tools import secrets
from tools.errors import UserError
from tools.line.job import Job, checked, parse, read
from tools.line.job_contents import contents, digests, hashes

MARK = b"# signed: ed25519 "


def keygen(path: str, passphrase: str | None = None) -> str:
    """Write a new private key (0600, PEM) to `path` and its public key beside it (`path`.pub); returns the
    fingerprint.
    """
    if os.path.exists(path):
        raise UserError(f"{path} is there already; a key is never overwritten")
    key = Ed25519PrivateKey.generate()
    shut = (
        serialization.BestAvailableEncryption(passphrase.encode())
        if passphrase
        else serialization.NoEncryption()
    )
    secrets.write(
        path, key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, shut)
    )
    with open(path + ".pub", "wb") as file:
        file.write(
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
    return fingerprint(key.public_key())


def fingerprint(public: Ed25519PublicKey) -> str:
    """16 hex digits that name a public key."""
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def private_key(path: str, passphrase: str | None = None) -> Ed25519PrivateKey:
    try:
        with open(path, "rb") as file:
            mode, data = os.fstat(file.fileno()).st_mode, file.read(1 << 16)
    except OSError as error:
        raise UserError(f"signing key {path} cannot be read: {error.strerror}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise UserError(
            f"others can read signing key {path} (mode {stat.S_IMODE(mode):04o}): chmod 600 {path}"
        )
    try:
        key = serialization.load_pem_private_key(data, passphrase.encode() if passphrase else None)
    except TypeError:
        raise UserError(
            f"signing key {path} "
            + (
                "has no passphrase"
                if passphrase
                else "needs its passphrase: put it into ALIOT_JOB_PASSPHRASE"
            )
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise UserError(f"signing key {path} does not open: wrong passphrase, or no PEM key") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UserError(f"signing key {path} is no Ed25519 key; 'line job keygen' makes one")
    return key


def public_key(text: str, where: str) -> Ed25519PublicKey:
    """An Ed25519 public key from PEM text."""
    try:
        key = serialization.load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise UserError(f"{where} holds no Ed25519 public key in PEM form")
    return key


def sign(path: str, key: Ed25519PrivateKey) -> bytes:
    """The bytes of the signed job for the job in `path`. UserError when it, or a file it names, is not
    good.
    """
    text = read(path)
    if MARK in text:
        raise UserError(f"{path} is signed already; sign the file that it was made from")
    table = parse(text, path)
    if "pinned" in table.values:
        raise table.error("pinned", "is written by 'line job sign', not by hand")
    job = checked(table, path)
    pinned = "".join(
        f"{json.dumps(name)} = {json.dumps(digest)}\n" for name, digest in sorted(hashes(job).items())
    )
    body = text.rstrip() + b"\n\n[pinned]\n" + pinned.encode()
    return (
        body + MARK + fingerprint(key.public_key()).encode() + b" " + base64.b64encode(key.sign(body)) + b"\n"
    )


def load(path: str, public: Ed25519PublicKey) -> Job:
    """The Job in a signed file, if `public` signed it and every file it names is still the same. UserError
    if not.
    """
    data = read(path)
    body, mark, line = data.rpartition(MARK)
    if not mark or not body.endswith(b"\n"):
        raise UserError(f"{path} is not signed; the line's engineer signs it with 'line job sign'")
    signer, _, signature = line.strip().partition(b" ")
    if signer != fingerprint(public).encode():
        raise UserError(
            f"{path} is signed with key {_signer(line)}, this station believes only {fingerprint(public)}"
        )
    try:
        public.verify(base64.b64decode(signature, validate=True), body)
    except (InvalidSignature, ValueError, binascii.Error):
        raise UserError(f"{path} was changed after it was signed; fetch the signed file again") from None
    job = checked(parse(body, path), path, fingerprint(public))
    job = replace(job, checked=True, held=contents(job))
    _compare(job, path)
    return job


def load_unsigned(path: str) -> Job:
    """The Job in a file for a desk, where no station file pins a key; a signature is named, not checked."""
    body, _, line = read(path).partition(MARK)
    table = parse(body, path)
    table.values.pop("pinned", None)
    job = checked(table, path, _signer(line) if line else None)
    held = contents(job)
    return replace(job, held=held, pinned=digests(held))


def _signer(line):
    """The fingerprint in a line of signature, or what of it can be one."""
    return re.sub(r"[^0-9a-f]", "?", line.strip().partition(b" ")[0][:16].decode("ascii", "replace"))


def _compare(job, path):
    now = digests(job.held)
    for name in sorted(job.pinned.keys() - now.keys()):
        if name.startswith("file ") and os.path.isfile(os.path.join(job.files or "", name[5:])):
            raise UserError(
                f"{name} of job {job.name} was signed and does not go onto boards (it begins with a dot, or "
                ".aliotignore names it): sign the job again with 'line job sign'"
            )
    for name in sorted(now.keys() | job.pinned.keys()):
        if now.get(name) != job.pinned.get(name):
            raise UserError(
                f"{name} of job {job.name} is not the file that was signed; "
                f"put the right one beside {os.path.basename(path)}"
            )
