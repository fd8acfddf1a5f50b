"""The signed job file: what the line makes, fixed by the engineer, so that the station's operator can
change none of it.

A job is TOML. `line job sign` adds the SHA-256 of every file that it names and
one last line, the Ed25519 signature over everything before it. The station
believes only the public key that is pinned in its own station file.
"""

import base64
import binascii
import datetime
import hashlib
import json
import os
import re
import stat
import tempfile
import tomllib
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tools import secrets
from tools.errors import UserError
from tools.flash import file_list as files
from tools.flash import leaks
from tools.image import application, config, identity
from tools.image import device_files as firmware
from tools.image import flash_image as layouts
from tools.line.ledger import connection

MARK = b"# signed: ed25519 "
SELF_TESTS = ("boot", "connected")

# table -> {key: type}; "" is the top of the file
FORM = {
    "": {
        "name": str,
        "product_key": str,
        "board": str,
        "number": int,
        "not_after": datetime.date,
        "firmware": str,
        "files": str,
        "config": str,
        "roots": list,
        "ledger": str,
        "replace": bool,
        "endpoint": dict,
        "self_test": dict,
        "label": dict,
        "pinned": dict,
    },
    "endpoint": {
        "region": str,
        "instance": str,
        "host": str,
        "port": int,
        "register_host": str,
        "sign_method": str,
        "method": str,
        "auth": str,
        "bootstrap": str,
    },
    "self_test": {"until": str, "seconds": (int, float), "wifi": bool},
    "label": {"format": str, "qr": str, "text": list},
}


@dataclass(frozen=True)
class Job:
    """One job. Paths are absolute; `firmware` and `files` may be None (identity only)."""

    name: str
    product_key: str
    board: str
    firmware: str | None = None
    files: str | None = None
    config: str | None = None  # goes onto the board as /config.json
    roots: tuple[str, ...] = ()
    ledger: str | None = field(default=None, repr=False)
    endpoint: dict[str, Any] = field(default_factory=dict)
    until: str = "boot"
    seconds: float = 60.0
    wifi: bool = False
    replace: bool = False  # overwrite an identity that is not the board's own
    label: dict[str, Any] = field(default_factory=dict)
    pinned: dict[str, str] = field(default_factory=dict)
    # {name in `pinned`: bytes}, read once, see `contents`
    held: dict[str, bytes] | None = field(default=None, repr=False)
    # {path on the board: bytes}, see `with_tree`
    tree: dict[str, bytes] = field(default_factory=dict, repr=False)
    # {path: source}, see `tools.flash.file_list.Wanted`
    sources: dict[str, str] = field(default_factory=dict, repr=False)
    signer: str | None = None  # the key's fingerprint, as the file says it; None: unsigned
    checked: bool = False  # the signature was checked with a key that is believed here
    number: int | None = None  # a station runs none with a lower number than the last of that name
    not_after: datetime.datetime | None = None  # no board begins after it

    @property
    def firmware_hash(self) -> str | None:
        """SHA-256 of the firmware's bytes that go onto boards, measured, or None when the job brings none."""
        return _sha256(self.held["firmware"]) if self.held and "firmware" in self.held else None

    @property
    def signature(self) -> str:
        """Who signed the job, for a person."""
        if self.signer is None:
            return "nobody"
        return self.signer if self.checked else f"key {self.signer}, not checked: no key is pinned here"

    def check_time(self, now: datetime.datetime) -> None:
        """UserError when the job's last moment is over."""
        if self.not_after is not None and now > self.not_after:
            raise UserError(
                f"job {self.name} is over since {self.not_after:%Y-%m-%d %H:%M} UTC: ask the engineer for a newer one"
            )

    @property
    def image_hash(self) -> str | None:
        """One SHA-256 over every file that the job brings onto the board, or None when it brings none."""
        parts = {path: _sha256(data) for path, data in self.tree.items()}
        return _sha256(json.dumps(parts, sort_keys=True).encode()) if parts else None


# -- keys ----------------------------------------------------------------------------------------------


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


# -- signing -------------------------------------------------------------------------------------------


def sign(path: str, key: Ed25519PrivateKey) -> bytes:
    """The bytes of the signed job for the job in `path`. UserError when it, or a file it names, is not
    good.
    """
    text = _read(path)
    if MARK in text:
        raise UserError(f"{path} is signed already; sign the file that it was made from")
    table = _parse(text, path)
    if "pinned" in table:
        raise UserError(f"{path}: [pinned] is written by 'line job sign', not by hand")
    job = _job(table, path)
    pinned = "".join(
        f"{json.dumps(name)} = {json.dumps(digest)}\n" for name, digest in sorted(hashes(job).items())
    )
    body = text.rstrip() + b"\n\n[pinned]\n" + pinned.encode()
    return (
        body + MARK + fingerprint(key.public_key()).encode() + b" " + base64.b64encode(key.sign(body)) + b"\n"
    )


def mode(job: Job) -> int:
    """The mode of a signed job's file: every operator reads it, unless its ledger's URL holds a password."""
    url = connection.parse_url(job.ledger) if job.ledger else None
    return 0o640 if url is not None and (url.password or "password" in url.query) else 0o644


def load(path: str, public: Ed25519PublicKey) -> Job:
    """The Job in a signed file, if `public` signed it and every file it names is still the same. UserError
    if not.
    """
    data = _read(path)
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
    job = _job(_parse(body, path), path, fingerprint(public))
    job = replace(job, checked=True, held=contents(job))
    _compare(job, path)
    return job


def load_unsigned(path: str) -> Job:
    """The Job in a file for a desk, where no station file pins a key; a signature is named, not checked."""
    body, _, line = _read(path).partition(MARK)
    table = _parse(body, path)
    table.pop("pinned", None)
    job = _job(table, path, _signer(line) if line else None)
    held = contents(job)
    return replace(job, held=held, pinned=_hashes(held))


def _signer(line):
    """The fingerprint in a line of signature, or what of it can be one."""
    return re.sub(r"[^0-9a-f]", "?", line.strip().partition(b" ")[0][:16].decode("ascii", "replace"))


def _compare(job, path):
    now = _hashes(job.held)
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


def hashes(job: Job) -> dict[str, str]:
    """{name: SHA-256 hex} of every file that a job names, see `contents`."""
    return _hashes(contents(job))


def _hashes(held):
    return {name: _sha256(data) for name, data in held.items()}


def contents(job: Job) -> dict[str, bytes]:
    """{name: bytes} of every file that a job names: firmware, each root, each file of the tree.

    These bytes are what is verified and what goes onto boards: no path of a job is read a second time.
    """
    found = {}
    if job.firmware:
        found["firmware"] = _read(job.firmware)
    if job.config:
        found["config"] = _read(job.config)
    for root in job.roots:
        found[_free("root " + os.path.basename(root), found)] = _read(root)
    if job.files:
        if not os.path.isdir(job.files):
            raise UserError(f"there is no folder {job.files}")
        found.update({f"file {name}": data for name, data in application.read(job.files).sources.items()})
    return found


def _free(name, taken):
    """`name`, or with the first number behind it that is free: two roots may have one file name."""
    numbers = (f"{name} ({number})" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(other for other in numbers if other not in taken)


def with_tree(job: Job) -> Job:
    """The Job with the files that it brings onto a board: the release's, compiled, and over them its own.

    A job with neither firmware nor files brings none: it burns identities into
    boards that run already. UserError when a file holds something like a secret.
    """
    if not job.firmware and not job.files:
        return job
    everything = contents(job) if job.held is None else job.held
    own = {name[5:]: data for name, data in everything.items() if name.startswith("file ")}
    leaks.refuse(own)
    tree, sources = firmware.compile_tree(), {}
    with tempfile.TemporaryDirectory(prefix="aliot-job-") as folder:
        if job.files:
            brought = {f"/{name}": data for name, data in own.items() if not name.endswith(".py")}
            brought.update(firmware.compile_tree(_lay_out(os.path.join(folder, "files"), own), names=own))
            sources.update(dict.fromkeys(brought, files.FILES))
            tree.update(brought)
        held = {name[5:]: data for name, data in everything.items() if name.startswith("root ")}
        if job.config:
            if config.PATH in tree:
                raise UserError(f"job {job.name} has a config and files/config.json: leave one of them away")
            tree[config.PATH] = _config(folder, os.path.basename(job.config), everything["config"])
            sources[config.PATH] = files.CONFIG
        roots = _roots(os.path.join(folder, "roots"), held, tree)
        sources.update(dict.fromkeys(roots, files.ROOT))
        tree.update(roots)
    return replace(job, held=everything, tree=tree, sources=sources)


def _config(folder, name, data):
    """What a board reads of a config.json, checked by the board's own table."""
    path = os.path.join(_lay_out(folder, {name: data}), name)
    try:
        return json.dumps(config.read(path), ensure_ascii=False).encode()
    except UserError as error:
        raise UserError(str(error).replace(path, name)) from None


def _roots(folder, held, tree):
    """{path on the board: DER bytes} of every root of the files `held` {file name: bytes}, beside what is in `tree`."""
    _lay_out(folder, held)
    try:
        return layouts.root_files([os.path.join(folder, name) for name in held], tree)
    except UserError as error:
        raise UserError(str(error).replace(folder + os.sep, "")) from None


def _lay_out(folder, held):
    """The folder, made with those files {path in it: bytes}: the compiler works on files."""
    os.makedirs(folder, exist_ok=True)
    for name, data in held.items():
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        with open(os.path.join(folder, name), "xb") as file:
            file.write(data)
    return folder


# -- reading -------------------------------------------------------------------------------------------


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def _parse(body, path):
    try:
        return tomllib.loads(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise UserError(f"{path} is no text in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path}: {error}") from None


def _job(table, path, signer=None):
    """The checked Job of a parsed file."""
    _check_form(table, "", path)
    for name in ("endpoint", "self_test", "label"):
        _check_form(table.get(name, {}), name, path)
    for name in ("name", "product_key", "board"):
        if name not in table:
            raise UserError(f"{path}: {name} is missing")
    test = table.get("self_test", {})
    if test.get("until", "boot") not in SELF_TESTS:
        raise UserError(f"{path}: self_test.until is one of {', '.join(SELF_TESTS)}")
    if not 0 < test.get("seconds", 60) <= 3600:
        raise UserError(f"{path}: self_test.seconds is between 0 and 3600")
    if any(not isinstance(root, str) for root in table.get("roots", [])):
        raise UserError(f"{path}: roots is a list of DER files")
    if "config" in table and not ("firmware" in table or "files" in table):
        raise UserError(f"{path}: config goes onto a board with firmware or files; name one of them")
    _check_endpoint(table, path)
    folder = os.path.dirname(os.path.abspath(path))

    def place(name):
        return os.path.normpath(os.path.join(folder, name)) if name else None

    return Job(
        name=table["name"],
        product_key=table["product_key"],
        board=table["board"],
        firmware=place(table.get("firmware")),
        files=place(table.get("files")),
        config=place(table.get("config")),
        roots=tuple(place(root) for root in table.get("roots", [])),
        ledger=table.get("ledger"),
        endpoint=table.get("endpoint", {}),
        until=test.get("until", "boot"),
        seconds=float(test.get("seconds", 60)),
        wifi=test.get("wifi", False),
        replace=table.get("replace", False),
        label=table.get("label", {}),
        pinned=table.get("pinned", {}),
        signer=signer,
        number=table.get("number"),
        not_after=_last_moment(table.get("not_after")),
    )


def _last_moment(day):
    """The moment after which a job is over: the end of a day, or the time itself; UTC where it says no zone."""
    if day is None:
        return None
    if not isinstance(day, datetime.datetime):
        day = datetime.datetime.combine(day, datetime.time(23, 59, 59))
    return day.astimezone(datetime.UTC) if day.tzinfo else day.replace(tzinfo=datetime.UTC)


def _check_form(table, name, path):
    for key, value in table.items():
        where = f"{path}: {name + '.' if name else ''}{key}"
        if key not in FORM[name]:
            raise UserError(f"{where} is no setting of a job; there are {', '.join(FORM[name])}")
        kind = FORM[name][key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise UserError(f"{where} has the wrong kind of value")


def _check_endpoint(table, path):
    """The endpoint's fields by the rules of an identity; the secret here is none."""
    probe = {
        "product_key": table["product_key"],
        "product_secret": "x" * 16,
        "name_rule": "mac",
        **table.get("endpoint", {}),
    }
    try:
        identity.parse(probe)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _sha256(data):
    return hashlib.sha256(data).hexdigest()


def shown(job: Job) -> dict[str, object]:
    """What `line job show` prints, as a dict; a ledger URL without its password."""
    table = {
        "job": job.name,
        "signed by": job.signature,
        "number": job.number,
        "not after": job.not_after and f"{job.not_after:%Y-%m-%d %H:%M} UTC",
        "product": job.product_key,
        "board": job.board,
        "firmware": _named(job.firmware, job.firmware_hash),
        "files": job.files,
        "config": _named(job.config, job.pinned.get("config")),
        "extra roots": [
            f"{name[5:]} {digest[:16]}"
            for name, digest in sorted(job.pinned.items())
            if name.startswith("root ")
        ],
        "endpoint": job.endpoint,
        "self-test": f"until {job.until}, {job.seconds:g} s",
        "line Wi-Fi": "handed over in RAM" if job.wifi else "none",
        "label": job.label or None,
        "ledger": connection.shown(connection.parse_url(job.ledger)) if job.ledger else None,
    }
    return {name: value for name, value in table.items() if value not in (None, [], {})}


def _named(path, digest):
    return f"{os.path.basename(path)} {digest}" if path else None
