"""A thing specification (TSL) as the console exports it, read and turned into tables (application.md 2). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from tools.emulator.cloud.thing.values import ARRAY_MAX, CHECKS, TEXT_MAX, Type

IDENTIFIER = re.compile(r"(?:[A-Za-z0-9_]{1,50}:)?[A-Za-z0-9_]{1,50}")
RESERVED = ("set", "get", "post", "property", "event", "time", "value")
BUILT_IN = {"properties": (), "events": ("post",), "services": ("set", "get")}
EVENT_TYPES = ("info", "alert", "error")
CALL_TYPES = ("async", "sync")
ITEMS = ("int", "float", "double", "text", "struct")
FEATURES, MEMBERS, ENUM_KEYS, PARAMETERS = (
    300,
    50,
    100,
    100,
)  # of a module, a struct, an enum, a service or event


@dataclass(frozen=True)
class Property:
    kind: Type
    writable: bool
    name: str


@dataclass(frozen=True)
class Event:
    outputs: dict[str, Type]
    level: str  # info, alert or error
    name: str


@dataclass(frozen=True)
class Service:
    inputs: dict[str, Type]
    outputs: dict[str, Type]
    required: frozenset[str]
    sync: bool
    name: str


@dataclass(frozen=True)
class Model:
    """The features of a product by identifier, those of a module as `module:identifier`; `source` is the TSL."""

    properties: dict[str, Property] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)


def read(source: Any) -> Model:
    """The `Model` of a TSL, or of a list of them, one for each module; raises ValueError, one line.

    The identifiers of a TSL with a `functionBlockId` (inferred) other than "default" get it as prefix.
    """
    parts = source if isinstance(source, list) else [source]
    if not parts or not all(isinstance(part, dict) for part in parts):
        raise ValueError("a TSL is a JSON object, as the console exports it")
    tables: dict[str, dict[str, Any]] = {kind: {} for kind in READERS}
    whole: dict[str, Any] = dict(parts[0])
    for kind, reader in READERS.items():
        whole[kind] = []
        for part in parts:
            for one in listed(part, kind, FEATURES):
                name = identifier(one, kind, block(part))
                if name is None:
                    continue
                if name in tables[kind]:
                    raise ValueError(f"{kind}: {name} is there twice")
                tables[kind][name] = reader(one, f"{kind}: {name}")
                whole[kind].append({**one, "identifier": name})
    return Model(tables["properties"], tables["events"], tables["services"], whole)


def block(part: dict[str, Any]) -> str:
    found = part.get("functionBlockId") or ""
    return "" if found in ("", "default") else f"{found}:"


def listed(values: dict[str, Any], key: str, most: int) -> list[dict[str, Any]]:
    found = values.get(key) or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError(f"{key} must be a list of objects")
    if len(found) > most:
        raise ValueError(f"{key} has {len(found)} entries, at most {most} may be")
    return found


def identifier(one: dict[str, Any], kind: str, prefix: str) -> str | None:
    """The identifier of a feature; None for the built-in ones of a full TSL."""
    name = one.get("identifier")
    if name in BUILT_IN[kind]:
        return None
    whole = f"{prefix}{name}" if isinstance(name, str) and ":" not in name else name
    if not isinstance(whole, str) or not IDENTIFIER.fullmatch(whole) or whole.split(":")[-1] in RESERVED:
        raise ValueError(
            f"{kind}: identifier {name!r} must be 1 to 50 letters, digits or _, and none of {', '.join(RESERVED)}"
        )
    return whole


def read_property(one: dict[str, Any], where: str) -> Property:
    mode = one.get("accessMode", "r")
    if mode not in ("r", "rw"):
        raise ValueError(f"{where}: accessMode must be r or rw, not {mode!r}")
    return Property(read_type(one.get("dataType"), where), mode == "rw", str(one.get("name", "")))


def read_event(one: dict[str, Any], where: str) -> Event:
    level = one.get("type", "info")
    if level not in EVENT_TYPES:
        raise ValueError(f"{where}: type must be one of {', '.join(EVENT_TYPES)}, not {level!r}")
    return Event(read_fields(one, "outputData", where, PARAMETERS), level, str(one.get("name", "")))


def read_service(one: dict[str, Any], where: str) -> Service:
    call = one.get("callType", "async")
    if call not in CALL_TYPES:
        raise ValueError(f"{where}: callType must be async or sync, not {call!r}")
    inputs = read_fields(one, "inputData", where, PARAMETERS)
    required = frozenset(name["identifier"] for name in one.get("inputData") or [] if name.get("required"))
    outputs = read_fields(one, "outputData", where, PARAMETERS)
    return Service(inputs, outputs, required, call == "sync", str(one.get("name", "")))


def read_fields(values: dict[str, Any], key: str, where: str, most: int) -> dict[str, Type]:
    found: dict[str, Type] = {}
    for one in listed(values, key, most):
        name = one.get("identifier")
        if not isinstance(name, str) or not name or name in found:
            raise ValueError(f"{where}: {key} needs identifiers, each once")
        found[name] = read_type(one.get("dataType"), f"{where}.{name}")
    return found


def read_type(values: Any, where: str, inside: bool = False) -> Type:
    """The `Type` of a dataType; `inside` is one of a struct, in which no other stands."""
    kind = values.get("type") if isinstance(values, dict) else None
    if not isinstance(kind, str) or kind not in CHECKS or inside and kind == "struct":
        raise ValueError(f"{where}: dataType {kind!r} is not one of {', '.join(CHECKS)}")
    specs = values.get("specs") or {}
    if kind == "struct":
        return Type(kind, members=read_members(specs, where))
    if not isinstance(specs, dict):
        raise ValueError(f"{where}: specs must be an object")
    if kind == "array":
        return read_array(specs, where, inside)
    if kind == "enum":
        return Type(kind, keys=read_keys(specs, where))
    low, high = number(specs, "min", float("-inf"), where), number(specs, "max", float("inf"), where)
    return Type(kind, low, high, size=int(number(specs, "length", TEXT_MAX, where)))


def read_members(specs: Any, where: str) -> dict[str, Type]:
    members: dict[str, Type] = {}
    for one in listed({"specs": specs}, "specs", MEMBERS):
        name = one.get("identifier")
        if not isinstance(name, str) or not name or name in members:
            raise ValueError(f"{where}: a struct needs identifiers, each once")
        members[name] = read_type(one.get("dataType"), f"{where}.{name}", True)
    return members


def read_array(specs: dict[str, Any], where: str, inside: bool) -> Type:
    item = specs.get("item")
    if not isinstance(item, dict) or item.get("type") not in ITEMS or inside and item["type"] == "struct":
        raise ValueError(f"{where}: the item of an array must be one of {', '.join(ITEMS)}")
    return Type(
        "array", size=int(number(specs, "size", ARRAY_MAX, where)), item=read_type(item, where + "[]", inside)
    )


def read_keys(specs: dict[str, Any], where: str) -> frozenset[int]:
    try:
        keys = frozenset(int(key) for key in specs)
    except ValueError:
        raise ValueError(f"{where}: the keys of an enum must be whole numbers") from None
    if len(keys) > ENUM_KEYS:
        raise ValueError(f"{where}: an enum has at most {ENUM_KEYS} keys")
    return keys


def number(specs: dict[str, Any], key: str, default: float, where: str) -> float:
    """A number of `specs`, where numbers are strings."""
    value = specs.get(key, "")
    if value in ("", None):
        return default
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{where}: {key} {value!r} is not a number") from None


READERS = {"properties": read_property, "events": read_event, "services": read_service}


def template(model: Model) -> dict[str, Any]:
    """The full TSL: that of the product with the built-in event `post` and services `set` and `get`."""
    properties = [
        {key: one[key] for key in ("identifier", "name", "dataType") if key in one}
        for one in model.source.get("properties", [])
    ]
    event = {
        "identifier": "post",
        "name": "post",
        "type": "info",
        "required": True,
        "method": "thing.event.property.post",
        "outputData": properties,
    }
    services = [
        {
            "identifier": name,
            "name": name,
            "required": True,
            "callType": "async",
            "method": f"thing.service.property.{name}",
            "inputData": properties if name == "set" else [one["identifier"] for one in properties],
            "outputData": [] if name == "set" else properties,
        }
        for name in ("set", "get")
    ]
    source = model.source
    return {
        **source,
        "events": [event, *source.get("events", [])],
        "services": [*services, *source.get("services", [])],
    }
