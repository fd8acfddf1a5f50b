"""The eFuses of one chip, held against a plan of `tools.line.security`, burned, and verified."""

from hashlib import sha256
from io import BytesIO
from types import TracebackType
from typing import Self

from tools.errors import UserError
from tools.line.security import Plan, file_hash, opened, quiet


class Fuses:
    """The eFuses of one chip: on a port, or virtual ones in a file (`virt`). Use it with `with`."""

    def __init__(self, chip: str = "auto", port: str | None = None, virt: str | None = None) -> None:
        import espefuse
        import esptool

        self._port = None
        if not virt and not port:
            raise UserError("say which chip: --port, or --virt for virtual eFuses")
        try:
            with quiet():
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
        """Whether a key block is in use: not blank, or read-protected (then it holds a key). UserError without one."""
        for entry in self.commands.efuses.blocks:
            if block == entry.name or block in entry.alias:
                field = self.commands.efuses[entry.name]
                return not field.is_readable() or bool(
                    self.commands.efuses.blocks[entry.id].get_bitstring().uint
                )
        raise UserError(f"this {self.chip} has no key block {block}")

    def free_block(self) -> int:
        """The number of the last key block that is blank. UserError when none is."""
        for number in reversed(range(6)):
            if not self.key_used(f"BLOCK_KEY{number}"):
                return number
        raise UserError(f"all six key blocks of this {self.chip} are in use: no secret can be burned into it")

    def sealed(self, block: str) -> str:
        """What a key block is for a secret: "empty", "sealed", or what it lacks of that, or has in its place."""
        if not self.key_used(block):
            return "empty"
        purpose = self.commands.efuses[f"KEY_PURPOSE_{block[-1]}"].get()
        field = self.commands.efuses[self.name(block)]
        if purpose not in ("HMAC_UP", "USER"):
            return f"used as {purpose}"
        if purpose == "HMAC_UP" and not field.is_readable() and not field.is_writeable():
            return "sealed"
        return "open" if field.is_readable() else "unreadable"

    def holds(self, block: str, key: bytes) -> bool:
        """Whether a key block that can be read has this key: power went in the middle of its burning."""
        field = self.commands.efuses[self.name(block)]
        found = self.commands.efuses.blocks[self.commands.efuses.get_index_block_by_name(block)]
        return field.is_readable() and found.get_bitstring().bytes[::-1] == key

    def can_protect(self) -> bool:
        """Whether a key block can still be protected against reading."""
        return self.commands.efuses["RD_DIS"].is_writeable()

    def name(self, block: str) -> str:
        """espefuse's own name of a key block."""
        return self.commands.efuses.blocks[self.commands.efuses.get_index_block_by_name(block)].name

    def revision(self) -> int:
        """The chip's major revision."""
        try:
            return self.commands.efuses.get_major_chip_version()
        except AttributeError:
            return self.commands.esp.get_major_chip_version()


def state(fuses: Fuses, made: Plan) -> dict[str, tuple[int | str, int | str]]:
    """{description of the step: (wanted value, value now)} for each eFuse of the plan, and for each key block."""
    found: dict[str, tuple[int | str, int | str]] = {}
    for kind, *what in made.steps:
        if kind == "efuses":
            for name, value in what[0].items():
                found[name] = (value, fuses.value(name))
        elif kind == "secret":
            found[what[0]] = ("sealed", fuses.sealed(what[0]))
        else:
            found[what[0]] = ("used", "used" if fuses.key_used(what[0]) else "empty")
    return found


def check(fuses: Fuses, made: Plan, secret: bytes | None = None) -> None:
    """UserError unless this plan may be burned into this chip as it is now; `secret` is that of the plan."""
    if (fuses.chip, fuses.mac) != (made.chip, made.mac):
        raise UserError(f"the plan is for {made.chip} {made.mac}, this is {fuses.chip} {fuses.mac}")
    for name, (wanted, now) in state(fuses, made).items():
        if wanted == "sealed":
            _check_block(fuses, name, str(now), secret)
        if now == "used" and made.files:
            raise UserError(f"key block {name} holds a key already; nothing more is burned into this chip")
        if isinstance(now, int) and isinstance(wanted, int) and now & ~wanted:
            raise UserError(f"eFuse {name} is {now:#x}; it can never become {wanted:#x}")
    if made.chip == "esp32" and {"download", "secure-boot"} & set(made.measures) and fuses.revision() < 3:
        raise UserError(
            f"this ESP32 is revision {fuses.revision()}; UART_DOWNLOAD_DIS and secure boot v2 "
            "begin with revision 3"
        )


def _check_block(fuses, block, now, secret):
    """A block of a secret is blank, or has this very secret since power went in the middle of its burning."""
    if now != "empty" and not (now == "open" and secret is not None and fuses.holds(block, secret)):
        raise UserError(f"key block {block} is {now}: it is in use; nothing more is burned into this chip")
    if not fuses.can_protect():
        raise UserError(
            "RD_DIS of this chip is write-protected: a key could be read for ever; nothing is burned"
        )


def burn(
    fuses: Fuses,
    made: Plan,
    flash_key: str | None = None,
    signing_key: str | None = None,
    secret: bytes | None = None,
) -> None:
    """Burn the plan, all of it in espefuse's one batch. UserError when it may not be, or when it failed.

    A secret whose burning was cut is finished: `secret` is the key of `security.key_of`.
    """
    import esptool

    check(fuses, made, secret)
    if "secret" in made.files and (secret is None or sha256(secret).hexdigest() != made.files["secret"]):
        raise UserError("the secret of --cert is not the one that the plan was made with")
    files = {"key": flash_key, "digest": signing_key}
    for kind, digest in made.files.items():
        if (
            kind != "secret"
            and file_hash(files[kind], "key", "--flash-key" if kind == "key" else "--signing-key") != digest
        ):
            raise UserError(f"{files[kind]} is not the file that the plan was made with")
    try:
        with quiet():
            for kind, *what in made.steps:
                if kind == "secret":
                    _burn_secret(fuses, what[0], what[1], secret)
                else:
                    _burn_step(fuses.commands, made.chip, kind, what, files)
            done = fuses.commands.burn_all(check_batch_mode=True)
    except (esptool.FatalError, OSError) as error:
        raise UserError(
            f"burning failed: {' '.join(str(error).split())[:200]}; "
            "'line security verify' says how far it came"
        ) from None
    if done is False:
        raise UserError("burning failed; 'line security verify' says how far it came")


def _burn_secret(fuses, block, purpose, secret):
    commands = fuses.commands
    if fuses.sealed(block) == "empty":
        commands.burn_key([block], [BytesIO(secret)], [purpose])
        return
    # the burn was cut between the key and BLOCK0, where all the rest is
    purposes, field = commands.efuses[f"KEY_PURPOSE_{block[-1]}"], commands.efuses[fuses.name(block)]
    purposes.save(purpose)
    purposes.disable_write()
    field.disable_read()
    field.disable_write()


def _burn_step(commands, chip, kind, what, files):
    if kind == "efuses":
        commands.burn_efuse({name: str(value) for name, value in what[0].items()})
    elif kind == "key" and chip == "esp32":
        commands.burn_key([what[0]], [opened(files["key"])])
    elif kind == "key":
        commands.burn_key([what[0]], [opened(files["key"])], [what[1]])
    elif chip == "esp32":
        commands.burn_key_digest(opened(files["digest"]))
    else:
        commands.burn_key_digest([what[0]], [opened(files["digest"])], [what[1]])


def verify(fuses: Fuses, made: Plan) -> list[str]:
    """One line for each difference between chip and plan; empty when the whole plan is burned."""
    if (fuses.chip, fuses.mac) != (made.chip, made.mac):
        raise UserError(f"the plan is for {made.chip} {made.mac}, this is {fuses.chip} {fuses.mac}")
    return [
        f"{name}: {_shown(now)}, planned {_shown(wanted)}"
        for name, (wanted, now) in state(fuses, made).items()
        if wanted != now
    ]


def _shown(value):
    return f"{value:#x}" if isinstance(value, int) else value
