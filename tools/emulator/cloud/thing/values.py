"""A value against the dataType of a thing specification (application.md 1.2, 2). Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

STRICT, WEAK, NONE = "strict", "weak", "none"
INT32 = range(-(2**31), 2**31)
TEXT_MAX, ARRAY_MAX = 10_240, 512  # what length and size are where the specification has none
DIGITS = re.compile(r"[0-9]{1,19}")


class Mismatch(Exception):
    """A value that does not fit: one of the platform's codes, and its text."""

    def __init__(self, code: int, text: str):
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Type:
    """A dataType: `low` and `high` of numbers, `keys` of an enum, `size` of a text (characters) or an array.

    `members` are the fields of a struct by identifier; `item` is what an array is made of.
    """

    kind: str
    low: float = float("-inf")
    high: float = float("inf")
    keys: frozenset[int] = frozenset()
    size: int = TEXT_MAX
    members: dict[str, Type] | None = None
    item: Type | None = None


def check(kind: Type, value: Any, level: str, name: str) -> None:
    """Raises `Mismatch` unless `value` fits; the level "weak" looks at the kind of JSON value only."""
    CHECKS[kind.kind](kind, value, level == STRICT, name)


def whole(value: Any) -> bool:
    return type(value) is int


def check_int(kind: Type, value: Any, strict: bool, name: str) -> None:
    if not whole(value) or value not in INT32 or strict and not kind.low <= value <= kind.high:
        raise Mismatch(6306, f"tsl parse: int value error -> {name}")


def check_number(code: int, kind: Type, value: Any, strict: bool, name: str) -> None:
    number = whole(value) or type(value) is float
    if not number or strict and not kind.low <= value <= kind.high:
        raise Mismatch(code, f"tsl parse: {kind.kind} value error -> {name}")


def check_float(kind: Type, value: Any, strict: bool, name: str) -> None:
    check_number(6307, kind, value, strict, name)


def check_double(kind: Type, value: Any, strict: bool, name: str) -> None:
    check_number(6322, kind, value, strict, name)


def check_bool(kind: Type, value: Any, strict: bool, name: str) -> None:
    if not whole(value) or value not in (0, 1):
        raise Mismatch(6308, f"tsl parse: bool value error -> {name}")


def check_enum(kind: Type, value: Any, strict: bool, name: str) -> None:
    if not whole(value) or strict and value not in kind.keys:
        raise Mismatch(6309, f"tsl parse: enum value error -> {name}")


def check_text(kind: Type, value: Any, strict: bool, name: str) -> None:
    if not isinstance(value, str) or len(value) > (kind.size if strict else TEXT_MAX):
        raise Mismatch(6310, f"tsl parse: text size error -> {name}")


def check_date(kind: Type, value: Any, strict: bool, name: str) -> None:
    if not isinstance(value, str):
        raise Mismatch(6311, f"tsl parse: date value error -> {name}")
    if not DIGITS.fullmatch(value):
        raise Mismatch(6326, f"tsl parse: date format error -> {name}")


def check_struct(kind: Type, value: Any, strict: bool, name: str) -> None:
    if not isinstance(value, dict):
        raise Mismatch(6312, f"tsl parse: struct value error -> {name}")
    for member, inner in value.items():
        found = (kind.members or {}).get(member)
        if found is None:
            raise Mismatch(6304, f"tsl parse: params not exist -> {name}.{member[:64]}")
        CHECKS[found.kind](found, inner, strict, f"{name}.{member}")


def check_array(kind: Type, value: Any, strict: bool, name: str) -> None:
    if not isinstance(value, list):
        raise Mismatch(6328, f"tsl parse: value is not array -> {name}")
    if len(value) > (kind.size if strict else ARRAY_MAX):
        raise Mismatch(6324, f"tsl parse: array size error -> {name}")
    if kind.item is not None:
        try:
            for one in value:
                CHECKS[kind.item.kind](kind.item, one, strict, name)
        except Mismatch:
            raise Mismatch(6325, f"tsl parse: array item type error -> {name}") from None


CHECKS: dict[str, Callable[[Type, Any, bool, str], None]] = {
    "int": check_int,
    "float": check_float,
    "double": check_double,
    "text": check_text,
    "date": check_date,
    "bool": check_bool,
    "enum": check_enum,
    "struct": check_struct,
    "array": check_array,
}
