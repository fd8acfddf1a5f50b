"""Device details, thing model: live properties with plots, events, calls of services, what is desired."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.console import forms
from tools.emulator.cloud.console.page import Page, Refused
from tools.emulator.cloud.console.pages.device import AT, frame, names_of
from tools.emulator.cloud.console.visit import address
from tools.emulator.cloud.thing.downlinks import CALL
from tools.emulator.cloud.thing.things import EVENT, PROPERTY

if TYPE_CHECKING:
    from starlette.responses import Response

    from tools.emulator.cloud.console.forms import Field
    from tools.emulator.cloud.console.visit import Visit
    from tools.emulator.cloud.thing.model import Model

page = Page("device_model")
HERE = AT + "/model"
PLOTS, POINTS = 4, 200
ROWS = 20  # events and calls
WAIT = 5  # seconds for the device's reply
FOREVER = 2**53


def model_of(visit: Visit, pk: str) -> Model | None:
    return visit.instance.things.models.of(visit.product(pk).product_key)


def known(visit: Visit, pk: str, kind: str) -> dict[str, dict[str, Any]]:
    """{identifier: its part of the specification} of the `properties` or `services` of a product."""
    model = model_of(visit, pk)
    return {one["identifier"]: one for one in model.source[kind]} if model else {}


@page.get(HERE)
def show(visit: Visit, pk: str, dn: str) -> Response:
    model, properties = model_of(visit, pk), known(visit, pk, "properties")
    writable = [one for name, one in properties.items() if model and model.properties[name].writable]
    services = [
        {**one, "fields": forms.fields(one.get("inputData") or [])}
        for one in known(visit, pk, "services").values()
    ]
    return visit.render(
        "device/model.html",
        **frame(visit, pk, dn),
        model=model,
        writable=forms.fields(writable),
        services=services,
    )


@page.region(HERE, "device/properties.html", every=0.5)
def properties(visit: Visit, pk: str, dn: str) -> dict[str, Any]:
    """The newest value of each property, and lines of the numbers."""
    device, described = visit.device(pk, dn), known(visit, pk, "properties")
    current = visit.instance.things.current(device.key)
    rows = []
    for name in dict.fromkeys([*described, *current]):
        one = forms.field(described.get(name, {"identifier": name}))
        value, moment = current.get(name, (None, None))
        rows.append((one, "–" if moment is None else forms.label(one, value), moment))
    chosen = visit.query.get("plot")
    numbers = [one for one, _, moment in rows if moment and chosen in (None, one.identifier)]
    lines = [(one, line(visit, device.key, one)) for one in numbers if is_number(current[one.identifier][0])]
    return {"rows": rows, "lines": lines[:PLOTS], "here": address("products", pk, "devices", dn, "model")}


def is_number(value: Any) -> bool:
    """Whether a plot can show it: a whole number may be beyond a double."""
    return isinstance(value, (int, float)) and abs(value) <= sys.float_info.max


def line(visit: Visit, key: tuple[str, str], one: Field) -> list[tuple[float, float]]:
    found = visit.instance.store.points((*key, PROPERTY), one.identifier, 0, FOREVER, POINTS, True)
    return [(moment / 1000, float(value)) for _, moment, value in reversed(found) if is_number(value)]


@page.region(HERE, "device/events.html", every=0.5)
def events(visit: Visit, pk: str, dn: str) -> dict[str, Any]:
    visit.device(pk, dn)
    model = model_of(visit, pk)
    found = visit.instance.store.points((pk, dn, EVENT), None, 0, FOREVER, ROWS, True)
    return {"points": found, "known": model.events if model else {}}


@page.region(HERE, "device/calls.html", every=0.5)
def calls(visit: Visit, pk: str, dn: str) -> dict[str, Any]:
    visit.device(pk, dn)
    return {"points": visit.instance.store.points((pk, dn, CALL), None, 0, FOREVER, ROWS, True)}


@page.region(HERE, "device/desired.html", every=0.5)
def desired(visit: Visit, pk: str, dn: str) -> dict[str, Any]:
    return {"desired": visit.instance.desired.current(visit.device(pk, dn))}


# ---- what a person does


def typed(visit: Visit, described: list[dict[str, Any]]) -> dict[str, Any]:
    """The values of a form by the specification; raises `Refused`."""
    fields = forms.fields(described)
    try:
        found = forms.values(fields, {one.identifier: visit.field(one.identifier) for one in fields})
    except forms.Unusable as problem:
        raise Refused(f"{problem}.") from None
    return found


@page.post(HERE + "/set", back=HERE)
async def set_properties(visit: Visit, pk: str, dn: str) -> Response:
    """Sets what was filled in, at once or as desired."""
    items = typed(visit, list(known(visit, pk, "properties").values()))
    if not items:
        raise Refused(visit.text("device_model.nothing_set"))
    to, names = address("products", pk, "devices", dn, "model"), ", ".join(items)
    if visit.ticked("desire"):
        device = visit.device(pk, dn)
        await visit.call("SetDeviceDesiredProperty", **names_of(device), Items=items)
        return visit.done(to, "device_model.desired", names=names)
    sent = await visit.admin("POST", f"/devices/{pk}/{dn}/property", {"params": items, "wait": WAIT})
    return visit.done(to, *outcome(sent), names=names, **reply_of(sent))


@page.post(HERE + "/get", back=HERE)
async def get_property(visit: Visit, pk: str, dn: str) -> Response:
    """Asks the device for a property's value."""
    name = visit.field("identifier")
    sent = await visit.admin("POST", f"/devices/{pk}/{dn}/property/get", {"params": [name], "wait": WAIT})
    to = address("products", pk, "devices", dn, "model")
    return visit.done(to, *outcome(sent), names=name, **reply_of(sent))


@page.post(HERE + "/call/{service}", back=HERE)
async def call_service(visit: Visit, pk: str, dn: str, service: str) -> Response:
    described = known(visit, pk, "services").get(service)
    if described is None:
        raise Refused(visit.text("device_model.no_service", service=service))
    body = {"params": typed(visit, described.get("inputData") or []), "wait": WAIT}
    sent = await visit.admin("POST", f"/devices/{pk}/{dn}/service/{service}", body)
    to = address("products", pk, "devices", dn, "model")
    return visit.done(to, *outcome(sent), names=service, **reply_of(sent))


def outcome(sent: dict[str, Any]) -> tuple[str]:
    """The sentence of what became of a request to a device."""
    if sent.get("reply") is not None:
        return ("device_model.answered",)
    if sent.get("sync") or sent.get("sent"):
        return ("device_model.unanswered",)
    return ("device_model.kept" if sent.get("kept") else "device_model.dropped",)


def reply_of(sent: dict[str, Any]) -> dict[str, Any]:
    reply = sent.get("reply") or {}
    return {"code": reply.get("code", "–"), "data": reply.get("data", {}), "seconds": WAIT}
