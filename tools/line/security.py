"""Closing a chip for good: eFuses and flash encryption as a plan that is shown, confirmed, burned and
verified.

A plan is data: which eFuses get which value, which key block gets which key, in
an order in which each step is still possible. Nothing here is ever undone.
espefuse burns, espsecure encrypts and checks signatures; virtual eFuses in a
file go through the same calls.

What stock MicroPython images cannot do: they are not signed, so secure boot
would never start them; their bootloader is built without flash encryption and
their NVS and file system without encrypted reads and writes, so flash
encryption needs an own build. JTAG and download mode can be closed on them.
"""

import contextlib
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO

from tools import secrets
from tools.chips import CHIPS
from tools.errors import UserError
from tools.image.identity.base import Identity
from tools.image.identity.own import Own

NAMES = {
    "key": "flash encryption key",
    "digest": "digest of the secure boot public key",
    "secret": "device's or product's secret",
}
MEASURES = ("secret", "secure-boot", "encryption", "jtag", "download")  # the order in which they are burned


STOCK = {
    "secret": "a key block is used up for good, and nothing reads the secret back out of it: what neither the console "
    "nor the ledger has is lost; who runs code on the board can have it sign",
    "secure-boot": "stock MicroPython images are not signed; a chip with secure boot never starts one",
    "encryption": "stock MicroPython images are built without flash encryption; "
    "a chip with it never starts one, "
    "and their NVS and file system would stay plain",
    "download": "after this no cable flashes the chip again, not even for repair; "
    "only over-the-air updates are left",
}


@dataclass(frozen=True)
class Plan:
    """What will be burned into one chip. Keys are named by the SHA-256 of their files, never held."""

    chip: str
    mac: str
    measures: tuple[str, ...]
    steps: tuple[list[Any], ...]  # [kind, ...] as in `chips.Chip.security`, JSON's own types
    files: dict[str, str] = field(default_factory=dict)  # "key", "digest" -> SHA-256 hex
    warnings: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """What has to be typed to burn it: it names the chip and this very plan."""
        return f"BURN {self.mac} {self.digest[:8]}"

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def lines(self) -> Iterator[str]:
        """The plan in words, one step a line."""
        for kind, *what in self.steps:
            if kind == "efuses":
                yield from (f"burn eFuse {name} = {value:#x}" for name, value in what[0].items())
            else:
                block, purpose = what
                named = "SHA-256" if kind == "secret" else "file"
                yield (
                    f"burn the {NAMES[kind]} ({named} {self.files[kind][:16]}) into {block}"
                    + (f" as {purpose}" if purpose else "")
                    + ", protected against reading and writing" * (kind != "digest")
                )


def plan(
    chip: str,
    mac: str,
    measures: Sequence[str],
    *,
    own_build: bool = False,
    flash_key: str | None = None,
    signing_key: str | None = None,
    signed_image: str | None = None,
    secret: bytes | None = None,
    block: int | None = None,
) -> Plan:
    """The Plan for a chip ("esp32", ...) and MAC. UserError for what would make the chip a brick.

    `own_build`: the firmware is an own build for flash encryption. `flash_key`,
    `signing_key`, `signed_image`: files; the image must be signed with the key. `secret`: the key that
    `key_of` makes, for KEY`block`.
    """
    if chip not in CHIPS:
        raise UserError(f"there is no plan for an {chip}; there are {', '.join(CHIPS)}")
    unknown = [measure for measure in measures if measure not in MEASURES]
    if unknown or not measures:
        raise UserError(
            f"say which of {', '.join(MEASURES)} to plan" + (f", not {unknown[0]}" if unknown else "")
        )
    measures = tuple(measure for measure in MEASURES if measure in measures)
    files: dict[str, str] = {}
    steps: list[list[Any]] = []
    warnings: list[str] = []
    if "secret" in measures:
        _check_secret(chip, measures, secret)
        assert secret is not None
        files["secret"] = hashlib.sha256(secret).hexdigest()
        warnings.append(STOCK["secret"])
    if "encryption" in measures:
        if not own_build:
            raise UserError(STOCK["encryption"] + "; say --own-build when this firmware is built for it")
        files["key"] = file_hash(flash_key, "flash encryption key", "--flash-key")
    if "secure-boot" in measures:
        files["digest"] = file_hash(signing_key, "secure boot public key", "--signing-key")
        assert signing_key is not None
        if not signed_image:
            raise UserError(STOCK["secure-boot"] + "; name the signed bootloader or application with --image")
        check_signature(signing_key, signed_image)
    for measure in measures:
        steps += [list(step) for step in CHIPS[chip].security[measure]]
        if measure == "secret" and block is not None:
            steps[-1][1] = f"BLOCK_KEY{block}"
        if measure == "download":
            warnings.append(STOCK["download"])
    if chip == "esp32" and {"download", "secure-boot"} & set(measures):
        warnings.append(
            "an ESP32 before chip revision 3 has no UART_DOWNLOAD_DIS and no secure boot v2; it is refused"
        )
    return Plan(chip, mac, measures, tuple(steps), files, tuple(warnings))


def _check_secret(chip, measures, secret):
    if "secret" not in CHIPS[chip].security:
        raise UserError(f"an {chip} has no HMAC peripheral: a secret stays in its flash")
    if "secure-boot" in measures:
        raise UserError(
            "secure boot may lock RD_DIS, and a key that is burned then can be read for ever: "
            "burn the secret before, by a plan of its own"
        )
    if secret is None:
        raise UserError("the secret is missing: name the identity that has it with --cert")


def key_of(identity: Identity) -> bytes:
    """The 32 bytes of a key block for the secret of an identity; hardware_hmac.md 1. UserError when it has none."""
    secret = (identity.device_secret or identity.product_secret or "") if isinstance(identity, Own) else ""
    if not secret:
        raise UserError("this identity has no DeviceSecret or ProductSecret that a key block could hold")
    if len(secret) > 32:
        raise UserError(f"its secret has {len(secret)} characters, a key block holds 32")
    if (identity.sign_method or "hmacsha256") != "hmacsha256":
        raise UserError(f"a key in eFuse signs with hmacsha256 only, not with {identity.sign_method}")
    return secret.encode().ljust(32, b"\0")


def file_hash(path: str | None, what: str, option: str) -> str:
    """SHA-256 hex of a file that a person named with `option`."""
    if not path:
        raise UserError(f"the {what} is missing: name its file with {option}")
    with opened(path) as file:
        return hashlib.sha256(file.read()).hexdigest()


def opened(path: str) -> BinaryIO:
    """A file to read. UserError when it cannot be."""
    try:
        return open(path, "rb")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def check_signature(signing_key: str, image: str) -> None:
    """UserError unless the image carries a secure boot v2 signature of the key (espsecure verifies)."""
    import espsecure
    import esptool

    with quiet(), opened(signing_key) as key, opened(image) as data:
        try:
            espsecure.verify_signature("2", False, None, key, data)
        except (esptool.FatalError, ValueError, SystemExit, AttributeError):
            raise UserError(
                f"{image} is not signed with {signing_key} for secure boot v2; "
                "a chip with secure boot would never start it"
            ) from None


def encrypt(image: str, offset: int, flash_key: str, out: str, chip: str) -> None:
    """Encrypt a flash image for its offset with espsecure; `out` is a new 0600 file's path."""
    import espsecure
    import esptool

    with quiet(), opened(flash_key) as key, opened(image) as data:
        made = _Kept()
        try:
            espsecure.encrypt_flash_data(key, made, offset, 0xF, chip != "esp32", data)
        except (esptool.FatalError, ValueError) as error:
            raise UserError(f"{image} cannot be encrypted: {error}") from None
    secrets.write(out, made.data)


class _Kept(io.BytesIO):
    """Bytes that stay after espsecure has closed its output."""

    data = b""

    def close(self):
        self.data = self.getvalue()
        super().close()

    def write(self, data):
        size = super().write(data)
        self.data = self.getvalue()
        return size


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """esptool's printing is kept off the screen; what went wrong comes as its exception."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def save(made: Plan, path: str) -> None:
    secrets.write(path, json.dumps(asdict(made), indent=1) + "\n")


def load(path: str) -> Plan:
    """The Plan in a file. UserError when it is none."""
    with opened(path) as file:
        try:
            table = json.load(file)
            return Plan(
                table["chip"],
                table["mac"],
                tuple(table["measures"]),
                tuple(table["steps"]),
                table["files"],
                tuple(table["warnings"]),
            )
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{path} is no plan; 'line security plan' makes one") from None
