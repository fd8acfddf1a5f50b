"""Updates over the air as they lie on a board: public keys, the record, the trees in /ota.

A key is a file in /aliot/keys: its name is the key's id (16 hex digits, of the SHA-256 of its modulus), its bytes are
the modulus. `platform` is that of a product with secure upgrade, which `digestsign` is checked with. The record and the
choice of a tree are the firmware's own (aliot/ota/choice.py).
"""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tools import certificates, files
from tools.errors import UserError
from tools.image.slots import Slot

KEYS = "/aliot/keys/"
PLATFORM = KEYS + "platform"
RECORDS = ("/ota/r/0", "/ota/r/1")
BITS = (2048, 3072)
EXPONENT = 65537  # a board knows no other
_LIMIT = 1 << 16


def key_id(public: rsa.RSAPublicKey) -> str:
    """16 hex digits."""
    return hashlib.sha256(modulus(public)).hexdigest()[:16]


def modulus(public: rsa.RSAPublicKey) -> bytes:
    """The modulus, most significant byte first; 256 or 384 bytes."""
    return public.public_numbers().n.to_bytes(public.key_size // 8, "big")


def read_public(path: Path | str, cure: str = "'python -m tools ota key' makes one") -> rsa.RSAPublicKey:
    """The key that `ota key` wrote, PEM or DER. UserError when it is none, or none that a board can check with."""
    data = files.read(path, _LIMIT)
    if b"PRIVATE KEY" in data:
        raise UserError(f"{path} is a private key, which no board may have; name the .pub beside it")
    try:
        load = serialization.load_pem_public_key if b"-----" in data else serialization.load_der_public_key
        public = load(data)
    except certificates.UNREADABLE:
        raise UserError(f"{path} is no public key (PEM or DER); {cure}") from None
    if not isinstance(public, rsa.RSAPublicKey) or public.public_numbers().e != EXPONENT:
        raise UserError(
            f"the key in {path} is not RSA with the exponent {EXPONENT}, the only one a board checks"
        )
    if public.key_size not in BITS:
        raise UserError(f"the key in {path} has {public.key_size} bits; take 2048 or 3072")
    return public


def key_files(paths: Iterable[Path | str], platform: Path | str | None = None) -> dict[str, bytes]:
    """{path on the board: bytes} of the public keys in files, and of the platform's own. UserError."""
    keys = [read_public(path) for path in paths]
    found = {KEYS + key_id(key): modulus(key) for key in keys}
    if platform is not None:
        cure = "the console shows that of a product with secure upgrade"
        found[PLATFORM] = modulus(read_public(platform, cure))
    return found


def trusted(paths: Iterable[str]) -> list[str]:
    """The ids of the keys among some paths of a board whose packages it takes."""
    return [path.removeprefix(KEYS) for path in paths if path.startswith(KEYS) and path != PLATFORM]


@dataclass(frozen=True)
class Tree:
    """A tree that a record names: `path` ("" for the golden one), `state` ("on trial", "good", "good before"), and what
    its manifest says. `pair`: of the firmware that it belongs to, b"" for any.
    """

    path: str
    state: str
    release: str
    number: str
    pair: bytes = b""

    def __str__(self) -> str:
        what = f"release {self.release}, number {self.number}, {self.state}, in {self.path}"
        if not self.path:
            what = f"the golden tree, {self.state}"
        return what + (f", with the firmware in ota_{self.pair[0] - 17}" if self.pair else "")


def trees(file: Callable[[str], bytes | None], slots: Iterable[Slot] = ()) -> list[Tree]:
    """The trees that a board's record names, what runs first; `file(path)` gives bytes or None.

    `slots`: those of a board that has them: only a tree of the firmware that starts runs. [] when only the golden
    tree is there, or none belongs to that firmware.
    """
    record = newest_record(file)
    found = []
    for index, (code, state) in enumerate(zip(record[4:7], ("on trial", "good", "good before"))):
        pair = record[17 + 13 * index : 26 + 13 * index]
        pair = pair if any(pair[:1]) else b""
        path = f"/ota/{chr(code)}" if code else ""
        manifest = file(f"{path}/manifest") if code else b"" if pair else None
        if manifest is not None:
            fields = dict(
                line.split(" ", 1) for line in manifest.decode(errors="replace").splitlines() if " " in line
            )
            found.append(Tree(path, state, fields.get("release", "?"), fields.get("number", "?"), pair))
    starts = next((slot.pair for slot in slots if slot.starts), b"")
    runs = next((tree for tree in found if not starts or tree.pair in (b"", starts)), None)
    return [runs, *(tree for tree in found if tree is not runs)] if runs else []


def newest_record(file: Callable[[str], bytes | None]) -> bytes:
    """The copy of the record that counts, without its CRC; b"" where there is none."""
    copies = [data[:-4] for data in map(file, RECORDS) if data and len(data) > 12 and _is_good(data)]
    return max(copies, default=b"")


def brought_firmware(file: Callable[[str], bytes | None]) -> bool:
    """Whether an update has brought firmware to a board."""
    return len(newest_record(file)) > 17


def _is_good(data):
    return zlib.crc32(data[:-4]).to_bytes(4, "little") == data[-4:]


def at_flash(file: Callable[[str], bytes | None], kept: bool, slots: Sequence[Slot] = ()) -> Iterator[str]:
    """What a flash by cable says of the update on a board; `kept`: it goes on to run."""
    found = trees(file, slots)
    for slot in slots if brought_firmware(file) else ():
        yield str(slot)
    if found:
        yield f"an update runs on this board: {found[0]}; the golden tree is what a cable brought"
        yield (
            "  it goes on to run: --keep-ota"
            if kept
            else "  what this cable brings runs from now on; --keep-ota would have left the update"
        )
