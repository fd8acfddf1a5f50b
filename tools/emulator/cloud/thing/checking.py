"""Posted values against a model: what is accepted, and what is dropped with its code (application.md 2, 3). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.thing.model import Event, Model
from tools.emulator.cloud.thing.values import NONE, Mismatch, Type, check

WRAPPED = ({"value"}, {"value", "time"})
TIME_MAX = 2**53  # ms; a number that JSON carries without loss


@dataclass(frozen=True)
class Point:
    """One value of `name` (a property, or an event with its outputs) at `time`, Unix ms."""

    name: str
    value: Any
    time: int

    def show(self) -> dict[str, Any]:
        return {"value": self.value, "time": self.time}


@dataclass
class Checked:
    """`accepted` points, and `failed` ones as the record's `checkFailedData`."""

    accepted: list[Point] = field(default_factory=list)
    failed: dict[str, dict[str, Any]] = field(default_factory=dict)

    def take(self, name: str, value: Any, time: int, problem: Mismatch | None) -> None:
        if problem is None:
            self.accepted.append(Point(name, value, time))
        else:
            shown = {"value": value, "time": time, "code": problem.code, "message": str(problem)}
            self.failed[name] = shown

    def insist(self) -> None:
        """Raise `Refused` with the first failure, for a message that is accepted whole or not at all."""
        for one in self.failed.values():
            raise Refused(one["code"], text=one["message"])


def wrapped(value: Any) -> bool:
    """Whether a posted value is an object of a value and, at most, its time (application.md 3.1, inferred)."""
    return isinstance(value, dict) and set(value) in WRAPPED


def split(value: Any, now: int) -> tuple[Any, Any]:
    """(value, time) of a posted value, wrapped or bare; what has no time gets `now`."""
    if wrapped(value):
        return value["value"], value.get("time", now)
    return value, now


def timed(time: Any, name: str, now: int) -> tuple[int, Mismatch | None]:
    """(Unix ms, None), or (`now`, what is wrong with the time that was sent)."""
    if type(time) is int and 0 <= time < TIME_MAX:
        return time, None
    return now, Mismatch(6326, f"tsl parse: date format error -> {name}")


def properties(model: Model | None, level: str, values: dict[str, Any], now: int) -> Checked:
    """Each of the posted `values`, {identifier: value or {value, time}}."""
    return points(model, level, ((name, value) for name, value in values.items()), now)


def points(model: Model | None, level: str, values: Iterable[tuple[str, Any]], now: int) -> Checked:
    """The same of (identifier, value or {value, time}) pairs, in which an identifier may stand often."""
    found = Checked()
    for name, one in values:
        value, sent = split(one, now)
        time, problem = timed(sent, name, now)
        found.take(name, value, time, problem or misfit(model, level, name, value))
    return found


def misfit(model: Model | None, level: str, name: str, value: Any) -> Mismatch | None:
    """What is wrong with a property's value, or None; without a model, or at the level "none", nothing is."""
    if model is None or level == NONE:
        return None
    known = model.properties.get(name)
    if known is None:
        return unknown(name)
    return fits(known.kind, value, level, name)


def fits(kind: Type, value: Any, level: str, name: str) -> Mismatch | None:
    try:
        check(kind, value, level, name)
    except Mismatch as problem:
        return problem
    return None


def unknown(name: str) -> Mismatch:
    return Mismatch(6304, f"tsl parse: params not exist -> {name[:128]}")


def outputs(kinds: dict[str, Type], level: str, values: dict[str, Any], time: int) -> Checked:
    """The outputs of an event or a service; what the model lacks fails with 6304."""
    found = Checked()
    for name, value in values.items():
        kind = kinds.get(name)
        problem = None if level == NONE else unknown(name) if kind is None else fits(kind, value, level, name)
        found.take(name, value, time, problem)
    return found


def event_value(params: Any) -> tuple[dict[str, Any], Any]:
    """(outputs, time or None) of an event's params: `{value, time}`, or bare outputs (application.md 3.3, inferred)."""
    if not isinstance(params, dict):
        raise Refused(460)
    value, time = (params["value"], params.get("time")) if wrapped(params) else (params, None)
    if not isinstance(value, dict):
        raise Refused(460)
    return value, time


def event(known: Event | None, level: str, name: str, params: Any, now: int) -> tuple[Point, dict[str, Any]]:
    """(the event with the outputs that fit, its checkFailedData); `known` is None without a model."""
    value, sent = event_value(params)
    time, problem = (now, None) if sent is None else timed(sent, name, now)
    if problem:
        raise Refused(problem.code, text=str(problem))
    if known is None or level == NONE:
        return Point(name, value, time), {}
    checked = outputs(known.outputs, level, value, time)
    return Point(name, {one.name: one.value for one in checked.accepted}, time), checked.failed
