"""Decides which records a burn leaves on both media, from the good ones that the board has. Pure."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tools.errors import UserError
from tools.firmware import record
from tools.image import flash_image as layouts
from tools.image import identity as identities
from tools.image import owner as owners
from tools.image.owner import owner

NAMES = (layouts.BURNED, layouts.ISSUED, *layouts.SLOTS)
_KINDS = {name: record.BURNED if name == layouts.BURNED else record.ISSUED for name in NAMES}


@dataclass(frozen=True)
class Copy:
    """One good record that was found: `medium` is "nvs", "littlefs" or "journal"."""

    medium: str
    name: str
    generation: int
    fields: dict[int, bytes] = field(repr=False)
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Decision:
    """The records that both media shall hold; `issued` is None when none shall be there, `slots` {name: bytes}."""

    generation: int
    burned: bytes = field(repr=False)
    issued: bytes | None = field(repr=False)
    slots: dict[str, bytes] = field(default_factory=dict, repr=False)

    def record(self, name: str) -> bytes | None:
        return {layouts.BURNED: self.burned, layouts.ISSUED: self.issued, **self.slots}.get(name)


def good_copies(raw: Mapping[tuple[str, str], object]) -> tuple[tuple[Copy, ...], tuple[str, ...]]:
    """(good copies, notes on the rest) of {(medium, name): bytes or None}."""
    copies, notes = [], []
    for (medium, name), data in raw.items():
        if data is None:
            continue
        try:
            data = data if isinstance(data, bytes) else b""
            kind, generation, fields = record.decode(data)
            if kind != _KINDS[name]:
                raise ValueError("record: of another kind")
            copies.append(Copy(medium, name, generation, fields, data))
        except ValueError as error:
            notes.append(f"the {name} record on {medium} is damaged ({error})")
    return tuple(copies), tuple(notes)


def newest(copies: Iterable[Copy], name: str | None = None) -> Copy | None:
    """The good copy with the highest generation, of the record `name` or of any; None without one."""
    return max((c for c in copies if name in (None, c.name)), key=lambda c: c.generation, default=None)


def decide(
    copies: Sequence[Copy],
    fields: dict[int, bytes],
    mac: str,
    *,
    issued: dict[int, bytes] | None = None,
    replace: bool = False,
    now: float | None = None,
    slots: Mapping[str, dict[int, bytes]] | None = None,
) -> Decision:
    """The `Decision` for burning `fields` ({tag: bytes}) into the board that holds `copies`. Pure.

    The generation is the larger of the time (`now`, Unix seconds) and one more
    than the highest found. An issued secret of the same identity is kept, and
    `issued` fields (and `slots`, {name: fields}) are put in where there is none;
    one of another identity is a UserError without `replace`, as is any where the
    device's secret shall lie in eFuse. What is there already stays as it is.
    """
    own, strangers = _issued_copies(copies, fields, mac)
    if record.KEY_BLOCK in fields and fields.get(record.KIND) == b"device":  # then no secret stays in flash
        own, strangers = [], strangers + [copy for copy in own if owners.holds_secret(copy.fields)]
    if strangers and not replace:
        raise UserError(
            f"this board holds the issued secret of {owners.describe(strangers[0].fields, mac)}, which is "
            f"lost when {owners.describe(fields, mac)} is burned: make a backup, then --replace goes on"
        )
    burned = newest(copies, layouts.BURNED)
    highest = max((c.generation for c in copies), default=0)
    if burned and burned.fields == fields:
        generation, data = burned.generation, burned.data
    else:
        generation = identities.next_generation(highest, now)
        data = _encoded(record.BURNED, generation, fields)
    named = (
        {}
        if fields.get(record.KIND) == b"x509"
        else dict(
            zip((record.PRODUCT_KEY, record.DEVICE_NAME), (text.encode() for text in owner(fields, mac)))
        )
    )
    return Decision(
        generation,
        data,
        _issued(own, burned, named, generation, issued),
        _slots(own, generation, slots or {}),
    )


def _issued_copies(copies, fields, mac):
    """(copies of what came after the burn of the identity in `fields`, those of others that hold a secret)."""
    found = [c for c in copies if c.name != layouts.BURNED]
    earlier = [
        c.generation for c in copies if c.name == layouts.BURNED and owners.same(c.fields, fields, mac)
    ]
    own = [
        c for c in found if any(owners.belongs(c.fields, fields, mac, number) for number in (*earlier, None))
    ]
    return own, [
        c for c in found if c not in own and c.name != layouts.NEXT and owners.holds_secret(c.fields)
    ]


def _slots(own, generation, given):
    """{name: bytes} of an X.509 board's later certificates, now of this burned generation."""
    slots = {}
    for name in layouts.SLOTS:
        kept = newest(own, name)
        fields = kept.fields if kept else given.get(name)
        if fields:
            fields = {**fields, record.FOR_GENERATION: struct.pack("<I", generation)}
            number = kept.generation if kept else generation + layouts.SLOTS.index(name)
            slots[name] = (
                kept.data if kept and kept.fields == fields else _encoded(record.ISSUED, number, fields)
            )
    return slots


def _issued(own, burned, named, generation, given):
    """The issued record's bytes for this burned generation, or None."""
    current = struct.pack("<I", burned.generation) if burned else None
    belongs = [c for c in own if c.fields.get(record.FOR_GENERATION) == current]
    kept = newest(belongs, layouts.ISSUED) or newest(own, layouts.ISSUED)
    if not kept and not given:
        return None
    fields = {
        **(kept.fields if kept else given),
        **named,
        record.FOR_GENERATION: struct.pack("<I", generation),
    }
    if kept and kept.fields == fields:
        return kept.data
    return _encoded(record.ISSUED, max(generation, kept.generation + 1 if kept else 0), fields)


def _encoded(kind, generation, fields):
    """The bytes of a record; UserError where its generation is one more than a record can hold."""
    if generation >= 1 << 32:
        raise UserError(
            f"generation {(1 << 32) - 1} of the board's records is the last one, so nothing newer can be "
            "written: 'make erase PORT=' saves the identity and clears the board, then 'make flash PORT=' "
            "and 'make restore PORT= BACKUP=', or 'make burn PORT= CERT='"
        )
    return record.encode(kind, generation, fields)
