"""Calls of the cloud's API on properties, events, services and desired properties (application.md 15)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.cloud_api import Failed, action, device_of, value
from tools.emulator.cloud.thing.desired import Conflict
from tools.emulator.cloud.thing.downlinks import CALL, Wish
from tools.emulator.cloud.thing.things import EVENT, PROPERTY

if TYPE_CHECKING:
    from tools.emulator.cloud.admin import AdminApp
    from tools.emulator.cloud.thing.model import Model

PAGE_MAX = 100  # entries of one answer
FOREVER = 2**53


def model_of(app: AdminApp, values: dict[str, Any]) -> Model | None:
    return app.instance.things.models.of(device_of(app, values).product_key)


def wish_of(values: dict[str, Any]) -> Wish:
    qos = value(values, "Qos", int, 0)
    if qos not in (0, 1):
        raise Failed("ParameterError", "Qos must be 0 or 1")
    return Wish(qos)


@action
async def set_device_property(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """SetDeviceProperty: returns at once; the device's reply is a message to the business server."""
    device = device_of(app, values)
    sent = await app.instance.downlinks.set(device, value(values, "Items", dict), wish_of(values))
    return {"MessageId": sent["id"]}


@action
async def invoke_thing_service(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """InvokeThingService: an asynchronous service returns its id at once, a synchronous one its outputs."""
    device, name = device_of(app, values), value(values, "Identifier", str)
    wish = wish_of(values)
    sent = await app.instance.downlinks.invoke(device, name, value(values, "Args", dict), wish)
    if not sent.get("sync"):
        return {"MessageId": sent["id"]}
    if sent["reply"] is None:
        if app.instance.status(device) == "online":
            raise Failed("TIMEOUT", "no answer came in time")
        raise Failed("OFFLINE", "the device is offline")
    return {"MessageId": sent["id"], "Result": sent["reply"].get("data", {})}


@action
async def set_device_desired_property(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """SetDeviceDesiredProperty: kept, and sent as a set if the device is online."""
    device, items = device_of(app, values), value(values, "Items", dict)
    versions = value(values, "Versions", dict, {})
    if not all(type(version) is int for version in versions.values()):
        raise Failed("ParameterError", "Versions must be whole numbers")
    try:
        fresh = app.instance.desired.set(device, items, versions)
    except Conflict as conflict:
        raise Failed("iot.desired.VersionConflict", str(conflict)) from None
    data: dict[str, Any] = {"Versions": fresh}
    if app.instance.status(device) == "online":
        data["MessageId"] = (await app.instance.downlinks.set(device, items, Wish()))["id"]
    return data


@action
def query_device_desired_property(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    device, names = device_of(app, values), value(values, "Identifier", list, [])
    current = app.instance.desired.current(device)
    found = [
        {"Identifier": name, "Value": one["value"], "Version": one["version"], "Time": one["time"]}
        for name, one in current.items()
        if not names or name in names
    ]
    return {"List": {"DesiredPropertyInfo": found}}


@action
def query_device_property_status(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """The newest value of each property, those of the model that were never posted too."""
    device, model = device_of(app, values), model_of(app, values)
    current = app.instance.things.current(device.key)
    names = dict.fromkeys([*(model.properties if model else ()), *current])
    found = []
    for name in names:
        known = model.properties.get(name) if model else None
        newest, time = current.get(name, ("", ""))
        entry = {"Identifier": name, "Value": newest, "Time": time}
        found.append(entry | ({"Name": known.name, "DataType": known.kind.kind} if known else {}))
    return {"List": {"PropertyStatusInfo": found}}


def page(app: AdminApp, values: dict[str, Any], kind: str, name: str | None) -> dict[str, Any]:
    """{"points": of one page, "NextValid": whether more are there, "NextTime": from which they go on}."""
    device = device_of(app, values)
    start, end = value(values, "StartTime", int, 0), value(values, "EndTime", int, FOREVER)
    if not all(-(2**63) <= time < 2**63 for time in (start, end)):
        raise Failed("ParameterError", "StartTime and EndTime are milliseconds in 64 bits")
    size = value(values, "PageSize", int, PAGE_MAX)
    if not 1 <= size <= PAGE_MAX:
        raise Failed("ParameterError", f"PageSize must be 1 to {PAGE_MAX}")
    backward = value(values, "Asc", int, 1) == 0
    key = (*device.key, kind)
    found = app.instance.store.points(key, name, start, end, size + 1, backward)
    more = found[size:]
    return {"points": found[:size], "NextValid": bool(more), "NextTime": more[0][1] if more else None}


def answer(found: dict[str, Any], kind: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {"List": {kind: entries}, "NextValid": found["NextValid"], "NextTime": found["NextTime"]}


@action
def query_device_property_data(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    found = page(app, values, PROPERTY, value(values, "Identifier", str))
    return answer(found, "PropertyInfo", [{"Value": one, "Time": time} for _, time, one in found["points"]])


@action
def query_device_event_data(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    found, model = (
        page(app, values, EVENT, value(values, "Identifier", str, "") or None),
        model_of(app, values),
    )
    entries = []
    for name, time, outputs in found["points"]:
        known = model.events.get(name) if model else None
        kind = {"EventType": known.level, "Name": known.name} if known else {}
        entries.append({"Identifier": name, "OutputData": outputs, "Time": time, **kind})
    return answer(found, "EventInfo", entries)


@action
def query_device_service_data(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    found = page(app, values, CALL, value(values, "Identifier", str, "") or None)
    entries = [
        {
            "Identifier": name,
            "InputData": one["in"],
            "OutputData": one["out"],
            "Code": one["code"],
            "Time": time,
        }
        for name, time, one in found["points"]
    ]
    return answer(found, "ServiceInfo", entries)
