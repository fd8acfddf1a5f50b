"""Switches and figures, and checks in the order that a switch gives; the tables are in `switches.py` files."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Switch:
    """`allowed` is a tuple of values, a `range` of whole numbers, or one of the two classes below."""

    default: Any
    allowed: Any
    source: str
    meaning: str


@dataclass(frozen=True)
class OrderOf:
    """A list holding each of `names` exactly once."""

    names: tuple


@dataclass(frozen=True)
class SomeOf:
    """A list holding any of `names`."""

    names: tuple


@dataclass(frozen=True)
class Figure:
    """A number of at least `low`; `whole` refuses fractions."""

    default: float
    low: float
    whole: bool
    source: str
    meaning: str


def first_refusal(order, checks, *case):
    """The code of the first check that fails, or None; `checks` maps a name to a function of `case`."""
    return next((code for name in order if (code := checks[name](*case))), None)
