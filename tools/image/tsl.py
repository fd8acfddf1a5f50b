"""A product's model (TSL) as the console exports it, turned into the table that a board reads; application.md 2.

A board never parses the JSON: `aliot.thing.model` finds a feature in the table by two or three reads. Its bytes,
integers little-endian:

    "TSL2" | CRC-32 u32 of all behind it | slots u16 | slots x u32, where a feature begins or 0
    feature: size of its definition u16 | length of its key u8 | key | definition

A key is `p`, `e` or `s` (property, event, service) and the identifier; it lies in the slot CRC-32(key) modulo slots,
or in the first free one behind it, the first slot after the last. Definitions:

    property   1 if it can be set, else 0 (u8) | type
    event      members
    service    size of the inputs u16 | inputs: members | outputs: members
    members    count u8, for each: size of its type u16 | length of its name u8 | name | type

    i   int            min i32, max i32
    f d float, double  1 min, 2 max, 4 step (u8), of these f64 what is there; behind the step its decimals u8
    b   bool
    e   enum           count u8, the keys i32
    t   text           longest u16, in bytes (the page does not say of what; inferred: what is short enough in bytes
                       is in characters too)
    m   date
    s   struct         members
    a   array          most elements u16, type of an element

The event `post` and the services `set` and `get` that every full TSL has are left out. A module is a TSL of its own
with `functionBlockId` (inferred: the page has only how its identifiers are written), in a list with the others, or its
identifiers are written `module:identifier` already.
"""

import json
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from tools.errors import UserError

NAME = "model.json"
MAGIC = b"TSL2"
SECTIONS = ("properties", "events", "services")
# application.md 2; where older limits were lower the newer ones hold
FEATURE_BYTES, TEXT, ELEMENTS, MEMBERS, ENUM, PARAMETERS = 8192, 10240, 512, 50, 100, 100
INT32 = (-(1 << 31), (1 << 31) - 1)
RESERVED = {"set", "get", "post", "property", "event", "time", "value"}
BUILT_IN = {"events": ("post",), "services": ("set", "get")}
ITEMS = ("int", "float", "double", "text", "struct")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_]{1,50}")
_KEY = re.compile(r"-?[0-9]+")
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DIGITS = 400  # of a number as text: more than any double has


@dataclass(frozen=True)
class Table:
    """`data` is what lies on a board, `counts` how many properties, events and services it has."""

    data: bytes
    counts: tuple[int, int, int]

    def describe(self) -> str:
        names = ("property", "properties"), ("event", "events"), ("service", "services")
        counted = (f"{count} {one if count == 1 else many}" for count, (one, many) in zip(self.counts, names))
        return f"{', '.join(counted)} as a table of {len(self.data)} bytes"


class _Fault(Exception):
    """What is wrong, and where in the JSON."""


class _Long(str):
    """A whole number of the JSON with more digits than one can have: its text, so that its place gets named."""


def _whole(text: str) -> int | _Long:
    return int(text) if len(text) <= _DIGITS else _Long(text)


def is_tsl(name: str, data: bytes) -> bool:
    """Whether a file of an application is a TSL: by its name, and by what a TSL has and other JSON has not."""
    found = sum(f'"{key}"'.encode() in data for key in ("schema", "profile", "properties"))
    return name.rpartition("/")[2] == NAME and found >= 2


def path_in(folder: Path) -> Path | None:
    """The file of the model in an application's folder, None when there is none. UserError when no board takes it."""
    path = folder / NAME
    data = path.read_bytes() if path.is_file() else b""
    if not is_tsl(NAME, data):
        return None
    build(data, str(path))
    return path.resolve()


def build(data: bytes, name: str = NAME) -> Table:
    """The table of a TSL. UserError in one line, with file and place in it, when it is none."""
    try:
        content = json.loads(data.decode("utf-8-sig"), parse_int=_whole)
    except UnicodeDecodeError:
        raise UserError(f"{name} is not UTF-8: export the TSL from the console again") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{name}: line {error.lineno} is not JSON: {error.msg}") from None
    except RecursionError:
        raise UserError(f"{name} is no TSL: it is nested without an end") from None
    try:
        features, counts = _features(content)
    except _Fault as fault:
        raise UserError(f"{name}: {fault}") from None
    return Table(_table(features), counts)


def _table(features: Mapping[bytes, bytes]) -> bytes:
    slots = max(1, len(features) * 3 // 2)
    places = [0] * slots
    begin = len(MAGIC) + 6 + 4 * slots
    records = b""
    for key, definition in features.items():
        slot = zlib.crc32(key) % slots
        while places[slot]:
            slot = (slot + 1) % slots
        places[slot] = begin + len(records)
        records += struct.pack("<HB", len(definition), len(key)) + key + definition
    checked = struct.pack(f"<H{slots}I", slots, *places) + records
    return MAGIC + struct.pack("<I", zlib.crc32(checked)) + checked


def _features(content: Any) -> tuple[dict[bytes, bytes], tuple[int, int, int]]:
    """({key: definition}, how many of each section) of a TSL or of a list of them."""
    features: dict[bytes, bytes] = {}
    counts = [0, 0, 0]
    parts = content if isinstance(content, list) else [content]
    for at, part in enumerate(parts):
        place = f"[{at}]" if isinstance(content, list) else ""
        _object(part, place)
        module = part.get("functionBlockId") or ""
        if module and not (isinstance(module, str) and _IDENTIFIER.fullmatch(module)):
            raise _Fault(f"{_at(place, 'functionBlockId')}: not letters, digits and _, at most 50")
        for number, section in enumerate(SECTIONS):
            for where, identifier, feature in _section(part, place, section):
                full = f"{module}:{identifier}" if module and ":" not in identifier else identifier
                key = section[0].encode() + full.encode()
                if key in features:
                    raise _Fault(f"{where}.identifier: '{full}' stands there twice")
                features[key] = _checked_size(_DEFINED[section](feature, where), where)
                counts[number] += 1
    if not features:
        raise _Fault("it has neither properties, events nor services")
    if len(features) > 40000:
        raise _Fault(f"{len(features)} features are more than 40000")
    return features, (counts[0], counts[1], counts[2])


def _section(part: dict, place: str, section: str) -> Iterator[tuple[str, str, dict]]:
    """(place, identifier, feature) of a section without what every TSL has."""
    for at, feature in enumerate(_list(part.get(section, []), _at(place, section))):
        where = f"{_at(place, section)}[{at}]"
        _object(feature, where)
        identifier = feature.get("identifier")
        method = str(feature.get("method", ""))
        if identifier in BUILT_IN.get(section, ()) and method.startswith(
            ("thing.event.property", "thing.service.property")
        ):
            continue
        yield where, _identifier(identifier, f"{where}.identifier", True), feature


def _identifier(value: Any, where: str, is_feature: bool = False) -> str:
    if not isinstance(value, str) or not value:
        raise _Fault(f"{where}: missing")
    parts = value.split(":")
    if len(parts) > 1 + is_feature or not all(_IDENTIFIER.fullmatch(part) for part in parts):
        raise _Fault(f"{where}: {_quoted(value)} is not letters, digits and _, at most 50")
    if is_feature and parts[-1] in RESERVED:
        raise _Fault(f"{where}: '{value}' is a name that the platform keeps for itself")
    return value


def _property(feature: dict, where: str) -> bytes:
    mode = feature.get("accessMode")
    if mode not in ("r", "rw"):
        raise _Fault(f"{where}.accessMode: neither r nor rw")
    return bytes([mode == "rw"]) + _type(feature.get("dataType"), f"{where}.dataType")


def _event(feature: dict, where: str) -> bytes:
    return _parameters(feature, "outputData", where)


def _service(feature: dict, where: str) -> bytes:
    inputs = _parameters(feature, "inputData", where)
    return struct.pack("<H", len(inputs)) + inputs + _parameters(feature, "outputData", where)


_DEFINED: dict[str, Callable[[dict, str], bytes]] = {
    "properties": _property,
    "events": _event,
    "services": _service,
}


def _parameters(feature: dict, name: str, where: str) -> bytes:
    value = feature.get(name)
    return _members([] if value is None else value, f"{where}.{name}", PARAMETERS, ())


def _members(value: Any, where: str, most: int, above: tuple[str, ...]) -> bytes:
    members = _list(value, where)
    if len(members) > most:
        raise _Fault(f"{where}: {len(members)} are more than {most}")
    made = bytes([len(members)])
    names = set()
    for at, member in enumerate(members):
        place = f"{where}[{at}]"
        _object(member, place)
        name = _identifier(member.get("identifier"), f"{place}.identifier")
        if name in names:
            raise _Fault(f"{place}.identifier: '{name}' stands there twice")
        names.add(name)
        kind = _checked_size(_type(member.get("dataType"), f"{place}.dataType", above), place)
        made += struct.pack("<HB", len(kind), len(name)) + name.encode() + kind
    return made


def _type(value: Any, where: str, above: tuple[str, ...] = ()) -> bytes:
    """The bytes of a `dataType`; `above` are the types that it lies in."""
    _object(value, where)
    name, specs = value.get("type"), value.get("specs")
    if not isinstance(name, str) or name not in _TYPES:
        raise _Fault(f"{where}.type: {_shown(name)} is none of {', '.join(_TYPES)}")
    if name in above:
        raise _Fault(f"{where}.type: {_a(name)} in {_a(name)}")
    if name != "struct":
        specs = {} if specs is None else specs
        _object(specs, f"{where}.specs")
    return _TYPES[name](specs, f"{where}.specs", above)


def _int(specs: dict, where: str, above: tuple[str, ...]) -> bytes:
    low, high = _number(specs, "min", where), _number(specs, "max", where)
    _order(low, high, where)
    limits = [INT32[0] if low is None else low, INT32[1] if high is None else high]
    for name, limit in zip(("min", "max"), limits):
        if limit != int(limit) or not INT32[0] <= limit <= INT32[1]:
            raise _Fault(f"{where}.{name}: {limit} is no int32")
    return b"i" + struct.pack("<ii", *map(int, limits))


def _floating(letter: bytes) -> Callable[[dict, str, tuple[str, ...]], bytes]:
    def define(specs: dict, where: str, above: tuple[str, ...]) -> bytes:
        low, high, step = (_number(specs, name, where) for name in ("min", "max", "step"))
        _order(low, high, where)
        made = b""
        for limit in (low, high, step):
            made += b"" if limit is None else struct.pack("<d", float(limit))
        if step is not None:
            if float(step) <= 0:
                raise _Fault(f"{where}.step: {step} is not above 0")
            exponent = step.normalize().as_tuple().exponent
            made += bytes([min(15, max(0, -exponent if isinstance(exponent, int) else 0))])
        given = (low is not None) | (high is not None) << 1 | (step is not None) << 2
        return letter + bytes([given]) + made

    return define


def _enum(specs: dict, where: str, above: tuple[str, ...]) -> bytes:
    for key in specs:
        if not _KEY.fullmatch(key) or len(key) > _DIGITS:
            raise _Fault(f"{where}: {_shown(key)}, a key, is no integer")
    keys = sorted(int(key) for key in specs)
    if not 0 < len(keys) <= ENUM:
        raise _Fault(f"{where}: {len(keys)} keys; 1 to {ENUM} it has to have")
    if len(set(keys)) < len(keys):
        raise _Fault(f"{where}: a key stands there twice")
    if keys[0] < INT32[0] or keys[-1] > INT32[1]:
        raise _Fault(f"{where}: a key is no int32")
    return b"e" + struct.pack(f"<B{len(keys)}i", len(keys), *keys)


def _text(specs: dict, where: str, above: tuple[str, ...]) -> bytes:
    return b"t" + struct.pack("<H", _count(specs, "length", where, TEXT))


def _struct(specs: Any, where: str, above: tuple[str, ...]) -> bytes:
    return b"s" + _members(specs, where, MEMBERS, (*above, "struct"))


def _array(specs: dict, where: str, above: tuple[str, ...]) -> bytes:
    item = _object(specs.get("item"), f"{where}.item")
    if item.get("type") not in ITEMS:
        raise _Fault(f"{where}.item.type: {_shown(item.get('type'))} is none of {', '.join(ITEMS)}")
    size = _count(specs, "size", where, ELEMENTS)
    return b"a" + struct.pack("<H", size) + _type(item, f"{where}.item", (*above, "array"))


_TYPES: dict[str, Callable[[Any, str, tuple[str, ...]], bytes]] = {
    "int": _int,
    "float": _floating(b"f"),
    "double": _floating(b"d"),
    "bool": lambda specs, where, above: b"b",
    "enum": _enum,
    "text": _text,
    "date": lambda specs, where, above: b"m",
    "struct": _struct,
    "array": _array,
}


def _number(specs: dict, name: str, where: str) -> Decimal | None:
    """A number of `specs`, which is text or a number; None when it is not there or empty."""
    value = specs.get(name)
    if value is None or value == "":
        return None
    text = str(value)
    fits = len(text) <= _DIGITS and not isinstance(value, bool) and _DECIMAL.fullmatch(text)
    try:
        number = Decimal(text) if fits else Decimal("nan")
    except InvalidOperation:  # an exponent beyond all bounds
        number = Decimal("nan")
    if not number.is_finite() or abs(number.adjusted()) > 300:
        raise _Fault(f"{where}.{name}: {_shown(value)} is no number")
    return number


def _count(specs: dict, name: str, where: str, most: int) -> int:
    number = _number(specs, name, where)
    if number is None:
        return most
    if number != int(number) or not 0 < number <= most:
        raise _Fault(f"{where}.{name}: {number} is not 1 to {most}")
    return int(number)


def _order(low: Decimal | None, high: Decimal | None, where: str) -> None:
    if low is not None and high is not None and low > high:
        raise _Fault(f"{where}.min: {low} is more than max, {high}")


def _checked_size(data: bytes, where: str) -> bytes:
    if len(data) > FEATURE_BYTES:
        raise _Fault(
            f"{where}: its definition takes {len(data)} bytes; a board reads at most {FEATURE_BYTES}"
        )
    return data


def _object(value: Any, where: str) -> dict:
    if not isinstance(value, dict):
        raise _Fault(f"{where or 'it'}: {_shown(value)} is no object")
    return value


def _list(value: Any, where: str) -> list:
    if not isinstance(value, list):
        raise _Fault(f"{where}: {_shown(value)} is no list")
    return value


def _at(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _a(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _quoted(text: str) -> str:
    """Text between single quotation marks, on one line."""
    return f"'{json.dumps(text)[1:-1]}'"


def _shown(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."
