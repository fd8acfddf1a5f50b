"""The eFuses of one chip, held against a plan of `tools.line.security`, burned, and verified."""

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
        if file_hash(files[kind], "key", "--flash-key" if kind == "key" else "--signing-key") != digest:
            raise UserError(f"{files[kind]} is not the file that the plan was made with")
    try:
        with quiet():
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
