"""Fields of a form out of a thing specification, and the JSON values that come back from them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

NUMBERS = ("int", "float", "double")


class Unusable(ValueError):
    """What was typed in is no value of its type; the text is one sentence without its end."""


@dataclass(frozen=True)
class Field:
    """`choices` are (value, label) of a bool or an enum; `low`, `high`, `step` and `unit` are as the model has them."""

    identifier: str
    name: str
    kind: str
    choices: tuple[tuple[str, str], ...] = ()
    low: str = ""
    high: str = ""
    step: str = ""
    unit: str = ""
    length: str = ""

    @property
    def widget(self) -> str:
        """How a page asks for it."""
        if self.choices:
            return "choice"
        return "number" if self.kind in NUMBERS else "text" if self.kind in ("text", "date") else "json"

    def value(self, typed: str) -> Any:
        """The JSON value of what was typed in; raises `Unusable`."""
        try:
            if self.choices or self.kind == "int":
                return int(typed)
            if self.kind in NUMBERS:
                return float(typed)
            return typed if self.widget == "text" else json.loads(typed)
        except ValueError:
            kind = "JSON" if self.widget == "json" else f"of type {self.kind}"
            raise Unusable(f"{self.identifier}: {typed[:40]!r} is not {kind}") from None


def field(source: dict[str, Any]) -> Field:
    """The `Field` of a property or of an input of a service, as the specification has it."""
    data_type = source.get("dataType") or {}
    kind, specs = str(data_type.get("type", "text")), data_type.get("specs")
    specs = specs if isinstance(specs, dict) else {}
    choices: tuple[tuple[str, str], ...] = ()
    if kind in ("bool", "enum"):
        choices = tuple((key, str(label)) for key, label in specs.items()) or (("0", "0"), ("1", "1"))
    more = {name: str(specs.get(key, "")) for name, key in
            (("low", "min"), ("high", "max"), ("step", "step"), ("unit", "unit"), ("length", "length"))}  # fmt: skip
    return Field(str(source["identifier"]), str(source.get("name", "")), kind, choices, **more)


def fields(sources: Iterable[dict[str, Any]]) -> list[Field]:
    return [field(one) for one in sources]


def values(known: Iterable[Field], typed: dict[str, str]) -> dict[str, Any]:
    """{identifier: value} of the fields that were filled in; raises `Unusable`."""
    filled = ((one, typed.get(one.identifier, "")) for one in known)
    return {one.identifier: one.value(text) for one, text in filled if text != ""}


def label(one: Field, value: Any) -> str:
    """A value with its label or unit, for a page."""
    number = int(value) if isinstance(value, bool) else value
    named = dict(one.choices).get(str(number))
    if named:
        return f"{named} ({number})"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"{text} {one.unit}".strip()
