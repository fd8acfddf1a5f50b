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
from types import TracebackType
from typing import Any, Self

from tools import secrets
from tools.errors import UserError

MEASURES = ("secure-boot", "encryption", "jtag", "download")  # the order in which they are burned

STOCK = {
    "secure-boot": "stock MicroPython images are not signed; a chip with secure boot never starts one",
    "encryption": "stock MicroPython images are built without flash encryption; "
    "a chip with it never starts one, "
    "and their NVS and file system would stay plain",
    "download": "after this no cable flashes the chip again, not even for repair; "
    "only over-the-air updates are left",
}

# chip -> measure -> steps: ("efuses", {name: value}), ("key", block, purpose), ("digest", block, purpose).
# The values are ESP-IDF's for release mode (its pages on flash encryption and secure boot v2 for each chip).
STEPS: dict[str, dict[str, list[tuple[Any, ...]]]] = {
    "esp32": {
        "secure-boot": [("digest", "BLOCK2", None), ("efuses", {"ABS_DONE_1": 1})],
        "encryption": [
            ("key", "flash_encryption", None),
            (
                "efuses",
                {
                    "FLASH_CRYPT_CONFIG": 0xF,
                    "FLASH_CRYPT_CNT": 0x7F,
                    "DISABLE_DL_ENCRYPT": 1,
                    "DISABLE_DL_DECRYPT": 1,
                    "DISABLE_DL_CACHE": 1,
                },
            ),
        ],
        "jtag": [("efuses", {"JTAG_DISABLE": 1})],
        "download": [("efuses", {"UART_DOWNLOAD_DIS": 1})],
    },
    "esp32s3": {
        "secure-boot": [
            ("digest", "BLOCK_KEY1", "SECURE_BOOT_DIGEST0"),
            ("efuses", {"SECURE_BOOT_EN": 1, "SECURE_BOOT_KEY_REVOKE1": 1, "SECURE_BOOT_KEY_REVOKE2": 1}),
        ],
        "encryption": [
            ("key", "BLOCK_KEY0", "XTS_AES_128_KEY"),
            (
                "efuses",
                {
                    "SPI_BOOT_CRYPT_CNT": 7,
                    "DIS_DOWNLOAD_MANUAL_ENCRYPT": 1,
                    "DIS_DOWNLOAD_ICACHE": 1,
                    "DIS_DOWNLOAD_DCACHE": 1,
                },
            ),
        ],
        "jtag": [("efuses", {"DIS_PAD_JTAG": 1, "DIS_USB_JTAG": 1, "SOFT_DIS_JTAG": 7})],
        "download": [("efuses", {"DIS_DIRECT_BOOT": 1, "DIS_DOWNLOAD_MODE": 1})],
    },
    "esp32c3": {
        "secure-boot": [
            ("digest", "BLOCK_KEY1", "SECURE_BOOT_DIGEST0"),
            ("efuses", {"SECURE_BOOT_EN": 1, "SECURE_BOOT_KEY_REVOKE1": 1, "SECURE_BOOT_KEY_REVOKE2": 1}),
        ],
        "encryption": [
            ("key", "BLOCK_KEY0", "XTS_AES_128_KEY"),
            ("efuses", {"SPI_BOOT_CRYPT_CNT": 7, "DIS_DOWNLOAD_MANUAL_ENCRYPT": 1, "DIS_DOWNLOAD_ICACHE": 1}),
        ],
        "jtag": [("efuses", {"DIS_PAD_JTAG": 1, "DIS_USB_JTAG": 1, "SOFT_DIS_JTAG": 7})],
        "download": [("efuses", {"DIS_DIRECT_BOOT": 1, "DIS_DOWNLOAD_MODE": 1})],
    },
}


@dataclass(frozen=True)
class Plan:
    """What will be burned into one chip. Keys are named by the SHA-256 of their files, never held."""

    chip: str
    mac: str
    measures: tuple[str, ...]
    steps: tuple[list[Any], ...]  # [kind, ...] as in STEPS, JSON's own types
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
                name = "flash encryption key" if kind == "key" else "digest of the secure boot public key"
                yield (
                    f"burn the {name} (file {self.files[kind][:16]}) into {block}"
                    + (f" as {purpose}" if purpose else "")
                    + ", protected against reading and writing" * (kind == "key")
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
) -> Plan:
    """The Plan for a chip ("esp32", ...) and MAC. UserError for what would make the chip a brick.

    `own_build`: the firmware is an own build for flash encryption. `flash_key`,
    `signing_key`, `signed_image`: files; the image must be signed with the key.
    """
    if chip not in STEPS:
        raise UserError(f"there is no plan for an {chip}; there are {', '.join(STEPS)}")
    unknown = [measure for measure in measures if measure not in MEASURES]
    if unknown or not measures:
        raise UserError(
            f"say which of {', '.join(MEASURES)} to plan" + (f", not {unknown[0]}" if unknown else "")
        )
    measures = tuple(measure for measure in MEASURES if measure in measures)
    files: dict[str, str] = {}
    steps: list[list[Any]] = []
    warnings: list[str] = []
    if "encryption" in measures:
        if not own_build:
            raise UserError(STOCK["encryption"] + "; say --own-build when this firmware is built for it")
        files["key"] = _hash(flash_key, "flash encryption key", "--flash-key")
    if "secure-boot" in measures:
        files["digest"] = _hash(signing_key, "secure boot public key", "--signing-key")
        assert signing_key is not None
        if not signed_image:
            raise UserError(STOCK["secure-boot"] + "; name the signed bootloader or application with --image")
        check_signature(signing_key, signed_image)
    for measure in measures:
        steps += [list(step) for step in STEPS[chip][measure]]
        if measure == "download":
            warnings.append(STOCK["download"])
    if chip == "esp32" and {"download", "secure-boot"} & set(measures):
        warnings.append(
            "an ESP32 before chip revision 3 has no UART_DOWNLOAD_DIS and no secure boot v2; it is refused"
        )
    return Plan(chip, mac, measures, tuple(steps), files, tuple(warnings))


def _hash(path, what, option):
    if not path:
        raise UserError(f"the {what} is missing: name its file with {option}")
    with _opened(path) as file:
        return hashlib.sha256(file.read()).hexdigest()


def _opened(path):
    try:
        return open(path, "rb")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def check_signature(signing_key: str, image: str) -> None:
    """UserError unless the image carries a secure boot v2 signature of the key (espsecure verifies)."""
    import espsecure
    import esptool

    with _quiet(), _opened(signing_key) as key, _opened(image) as data:
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

    with _quiet(), _opened(flash_key) as key, _opened(image) as data:
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


def save(made: Plan, path: str) -> None:
    secrets.write(path, json.dumps(asdict(made), indent=1) + "\n")


def load(path: str) -> Plan:
    """The Plan in a file. UserError when it is none."""
    with _opened(path) as file:
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


# -- the chip ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _quiet():
    """esptool's printing is kept off the screen; what went wrong comes as its exception."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


class Fuses:
    """The eFuses of one chip: on a port, or virtual ones in a file (`virt`). Use it with `with`."""

    def __init__(self, chip: str = "auto", port: str | None = None, virt: str | None = None) -> None:
        import espefuse
        import esptool

        self._port = None
        if not virt and not port:
            raise UserError("say which chip: --port, or --virt for virtual eFuses")
        try:
            with _quiet():
                esp = self._connect(port) if port else None
                self.commands = espefuse.init_commands(
                    esp=esp,
                    chip=chip,
                    virt=bool(virt),
                    virt_efuse_file=virt,
                    do_not_confirm=True,
                    batch_mode=True,
                )
        except (esptool.FatalError, OSError) as error:
            self._close()
            raise UserError(
                f"the chip's eFuses cannot be read: {' '.join(str(error).split())[:200]}"
            ) from None
        self.chip = self.commands.CHIP_NAME.lower().replace("-", "")

    def _connect(self, name):
        """The chip in its loader, on a port that is quick at espefuse's hundreds of short questions."""
        import esptool

        from tools.flash import port as ports

        self._port = ports.open_port(name)
        return esptool.detect_chip(self._port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: type[BaseException] | TracebackType | BaseException | None) -> None:
        self.commands.__exit__(*error)
        self._close()

    def _close(self):
        if self._port is not None:
            self._port.close()
            self._port = None

    @property
    def mac(self) -> str:
        return str(self.commands.efuses["MAC"].get()).split()[0]

    def value(self, name: str) -> int:
        raw = self.commands.efuses[name].get_raw()
        return int(raw) if not isinstance(raw, bytes) else int.from_bytes(raw, "little")

    def key_used(self, block: str) -> bool:
        """Whether a key block holds something, or is closed against reading (then it holds a key)."""
        for entry in self.commands.efuses.blocks:
            if block == entry.name or block in entry.alias:
                field = self.commands.efuses[entry.name]
                return not field.is_readable() or bool(
                    self.commands.efuses.blocks[entry.id].get_bitstring().uint
                )
        raise UserError(f"this {self.chip} has no key block {block}")

    def revision(self) -> int:
        """Major chip revision, or None where this chip has none to look at."""
        try:
            return self.commands.efuses.get_major_chip_version()
        except AttributeError:
            return self.commands.esp.get_major_chip_version()


def state(fuses: Fuses, made: Plan) -> dict[str, tuple[int | str, int | str]]:
    """{step in words: (wanted, now)} of every eFuse, and of each key block whether it is used."""
    found: dict[str, tuple[int | str, int | str]] = {}
    for kind, *what in made.steps:
        if kind == "efuses":
            for name, value in what[0].items():
                found[name] = (value, fuses.value(name))
        else:
            found[what[0]] = ("used", "used" if fuses.key_used(what[0]) else "empty")
    return found


def check(fuses: Fuses, made: Plan) -> None:
    """UserError unless this plan may be burned into this chip as it is now."""
    if (fuses.chip, fuses.mac) != (made.chip, made.mac):
        raise UserError(f"the plan is for {made.chip} {made.mac}, this is {fuses.chip} {fuses.mac}")
    for name, (wanted, now) in state(fuses, made).items():
        if now == "used" and made.files:
            raise UserError(f"key block {name} holds a key already; nothing more is burned into this chip")
        if isinstance(now, int) and isinstance(wanted, int) and now & ~wanted:
            raise UserError(f"eFuse {name} is {now:#x}; it can never become {wanted:#x}")
    if made.chip == "esp32" and {"download", "secure-boot"} & set(made.measures) and fuses.revision() < 3:
        raise UserError(
            f"this ESP32 is revision {fuses.revision()}; UART_DOWNLOAD_DIS and secure boot v2 "
            "begin with revision 3"
        )


def burn(fuses: Fuses, made: Plan, flash_key: str | None = None, signing_key: str | None = None) -> None:
    """Burn the plan, all of it in espefuse's one batch. UserError when it may not be, or when it failed."""
    import esptool

    check(fuses, made)
    files = {"key": flash_key, "digest": signing_key}
    for kind, digest in made.files.items():
        if _hash(files[kind], "key", "--flash-key" if kind == "key" else "--signing-key") != digest:
            raise UserError(f"{files[kind]} is not the file that the plan was made with")
    try:
        with _quiet():
            for kind, *what in made.steps:
                _burn_step(fuses.commands, made.chip, kind, what, files)
            done = fuses.commands.burn_all(check_batch_mode=True)
    except (esptool.FatalError, OSError) as error:
        raise UserError(
            f"burning failed: {' '.join(str(error).split())[:200]}; "
            "'line security verify' says how far it came"
        ) from None
    if done is False:
        raise UserError("burning failed; 'line security verify' says how far it came")


def _burn_step(commands, chip, kind, what, files):
    if kind == "efuses":
        commands.burn_efuse({name: str(value) for name, value in what[0].items()})
    elif kind == "key" and chip == "esp32":
        commands.burn_key([what[0]], [_opened(files["key"])])
    elif kind == "key":
        commands.burn_key([what[0]], [_opened(files["key"])], [what[1]])
    elif chip == "esp32":
        commands.burn_key_digest(_opened(files["digest"]))
    else:
        commands.burn_key_digest([what[0]], [_opened(files["digest"])], [what[1]])


def verify(fuses: Fuses, made: Plan) -> list[str]:
    """Lines of what the chip has not as the plan says; empty when all of it is burned."""
    if (fuses.chip, fuses.mac) != (made.chip, made.mac):
        raise UserError(f"the plan is for {made.chip} {made.mac}, this is {fuses.chip} {fuses.mac}")
    return [
        f"{name}: {_shown(now)}, planned {_shown(wanted)}"
        for name, (wanted, now) in state(fuses, made).items()
        if wanted != now
    ]


def _shown(value):
    return f"{value:#x}" if isinstance(value, int) else value
