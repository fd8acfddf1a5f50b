"""The console's view of centres: where a device is at home, its token, a new bootstrap, the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.admin_routes import body, masked, route
from tools.emulator.cloud.web import BadRequest

if TYPE_CHECKING:
    from tools.emulator.cloud.admin import AdminApp
    from tools.emulator.cloud.registry import Device
    from tools.emulator.cloud.web import Request


def describe(app: AdminApp, device: Device, shown: bool) -> dict[str, Any]:
    """What `GET /devices/{pk}/{dn}` says of a device's centre and tokens."""
    seconds = app.instance.config.timing.token_seconds
    tokens = [
        {"token": masked(token, shown), "issued_at": issued, "expires_at": issued + seconds}
        for token, issued in device.tokens
    ]
    return {"centre": app.instance.registry.homes.of(device), "iot_id": device.iot_id, "iot_tokens": tokens}


@route("POST", "/devices/{pk}/{dn}/centre")
def assign(app: AdminApp, request: Request, pk: str, dn: str) -> dict[str, str]:
    device, region = app.device(pk, dn), body(request, region=str)["region"]
    centres = app.instance.config.centres
    if region not in centres:
        raise BadRequest(400, f"region {region!r} is no centre here; there are {', '.join(centres)}")
    app.instance.registry.assign(device, region)
    return {"done": "centre"}


@route("POST", "/devices/{pk}/{dn}/bootstrap")
def demand(app: AdminApp, request: Request, pk: str, dn: str) -> dict[str, Any]:
    device, values = app.device(pk, dn), {"cmd": 0} | body(request)
    if set(values) != {"cmd"} or type(values["cmd"]) is not int:
        raise BadRequest(400, 'the body must be {"cmd": number}, or left out for cmd 0')
    number, outcomes = app.instance.demand_bootstrap(device, values["cmd"])
    return {"id": number, **outcomes}


@route("DELETE", "/devices/{pk}/{dn}/tokens")
def void(app: AdminApp, request: Request, pk: str, dn: str) -> dict[str, str]:
    app.instance.registry.tokens.void(app.device(pk, dn))
    return {"done": "void"}


@route("GET", "/clock")
def clock(app: AdminApp, request: Request) -> dict[str, Any]:
    return {"time": app.instance.wall(), "ahead": app.instance.wall.ahead}


@route("POST", "/clock")
def advance(app: AdminApp, request: Request) -> dict[str, Any]:
    seconds = body(request).get("advance")
    if type(seconds) not in (int, float) or not 0 <= seconds <= 10**9:
        raise BadRequest(400, "advance must be a number of seconds from 0 to 1000000000")
    app.instance.wall.ahead += seconds
    return clock(app, request)
