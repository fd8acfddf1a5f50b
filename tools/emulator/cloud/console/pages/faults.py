"""Faults: choose where, when and how one strikes, arm it, see what is armed and what has fired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.emulator.cloud import faults
from tools.emulator.cloud.console.page import Page, Refused
from tools.emulator.cloud.console.paging import ROWS
from tools.emulator.cloud.console.recent import newest

if TYPE_CHECKING:
    from starlette.responses import Response

    from tools.emulator.cloud.console.visit import Visit
    from tools.emulator.cloud.faults import Parameter

page = Page("faults", "/faults", order=70)
FORM = "/faults/{where}/{when}/{kind}"
FILTERS = ("pk", "dn", "topic")
TEMPLATE = ("number", "where", "when", "kind", "times", "after", *FILTERS)  # what each armed fault shows


@page.get("/faults")
def show(visit: Visit) -> Response:
    """What is armed and what has fired; where and when a fault shall strike is in the query."""
    where, when = visit.query.get("where"), visit.query.get("when")
    where = where if where in faults.STAGES else next(iter(faults.STAGES))
    when = when if when in faults.STAGES[where] else None
    return visit.render(
        "faults/page.html",
        where=where,
        when=when,
        wheres=list(faults.STAGES),
        whens=faults.STAGES[where],
        kinds=faults.kinds(where, when) if when else [],
    )


@page.get(FORM)
def form(visit: Visit, where: str, when: str, kind: str) -> Response:
    if not strikes(where, when, kind):
        raise Refused(visit.text("faults.no_kind", where=where, when=when, kind=kind), 404)
    known = faults.parameters(when, kind)
    return visit.render(
        "faults/form.html",
        where=where,
        when=when,
        kind=kind,
        parameters=[(name, widget(one), one) for name, one in known.items()],
        topical=when in faults.MESSAGES,
        products=list(visit.instance.registry.products.values())[:ROWS],
    )


def strikes(where: str, when: str, kind: str) -> bool:
    """Whether a fault of that kind can strike there."""
    return when in faults.STAGES.get(where, ()) and kind in faults.kinds(where, when)


def widget(parameter: Parameter) -> str:
    """How the form asks for it."""
    if parameter.choices or parameter.type is bool:
        return "choice"
    return {int: "number", dict: "json"}.get(parameter.type, "text")


@page.region("/faults", "faults/armed.html", every=0.5)
def armed(visit: Visit) -> dict[str, Any]:
    found = [fault.show() for fault in visit.instance.faults.armed[:ROWS]]
    more = [{name: value for name, value in one.items() if name not in TEMPLATE} for one in found]
    return {
        "armed": list(zip(found, more)),
        "total": len(visit.instance.faults.armed),
        "filters": FILTERS,
    }


@page.region("/faults", "faults/fired.html", every=0.5)
def fired(visit: Visit) -> dict[str, Any]:
    return {"fired": newest(visit.instance.journal.events, lambda one: one["event"] == "fault", ROWS)}


@page.post(FORM, back=FORM)
async def arm(visit: Visit, where: str, when: str, kind: str) -> Response:
    asked = {"where": where, "when": when, "kind": kind}
    if strikes(where, when, kind):
        asked |= details(visit, when, kind)  # of another choice the admin API says what is wrong
    (made,) = await visit.admin("POST", "/faults", asked)
    return visit.done("/faults", "faults.done", n=made["number"], kind=kind)


def details(visit: Visit, when: str, kind: str) -> dict[str, Any]:
    """What the form says beyond the choice, as the admin API takes it; what was left empty is left out."""
    found: dict[str, Any] = {name: visit.field(name) for name in FILTERS if visit.field(name)}
    found["times"] = None if visit.ticked("for_ever") else whole(visit, "times", "1")
    found["after"] = whole(visit, "after", "0")
    for name, parameter in faults.parameters(when, kind).items():
        typed = visit.field("parameter_" + name)
        if typed:
            found[name] = value(visit, name, typed, parameter)
    return found


def value(visit: Visit, name: str, typed: str, parameter: Parameter) -> Any:
    """The JSON value of what was typed in for a parameter; raises `Refused`."""
    if parameter.type is int:
        return whole(visit, "parameter_" + name, "")
    if parameter.type is bool:
        return typed == "true"
    return visit.json_field("parameter_" + name) if parameter.type is dict else typed


def whole(visit: Visit, field: str, default: str) -> int:
    typed = visit.field(field) or default
    digits = typed.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 16):
        raise Refused(visit.text("faults.no_number", name=field.removeprefix("parameter_"), typed=typed[:40]))
    return int(typed)


@page.post("/faults/disarm", back="/faults")
async def disarm(visit: Visit) -> Response:
    number = visit.field("number")
    await visit.admin("DELETE", f"/faults/{number}")
    return visit.done("/faults", "faults.disarmed", n=number)


@page.post("/faults/clear", back="/faults")
async def clear(visit: Visit) -> Response:
    await visit.admin("DELETE", "/faults")
    return visit.done("/faults", "faults.cleared")
