"""The console's view of gateways: topology, wishes, sub-devices thrown off (gateway.md 6.4, 7, 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from tools.emulator.cloud.admin_routes import body, route
from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.gateway.request import METHOD_KEY, method_of, read_items
from tools.emulator.cloud.web import BadRequest

if TYPE_CHECKING:
    from tools.emulator.cloud.admin import AdminApp
    from tools.emulator.cloud.registry import Device
    from tools.emulator.cloud.web import Request

KICKS = (427, 527, 520, 521, 522, 6401)  # codes of /ext/error, gateway.md 9


def describe(app: AdminApp, device: Device) -> dict[str, Any]:
    """What `GET /devices/{pk}/{dn}` says more of a gateway or a sub-device."""
    gateways = app.instance.gateways
    node = app.instance.registry.node(device.product_key)
    if node == "gateway":
        online = sum(len(session.carried) for session in app.instance.sessions.of(*device.key))
        return {"node": node, "subdevices": gateways.topology.count(device.key), "subdevices_online": online}
    if node == "subdevice":
        return {"node": node, "gateway": named(device.gateway) if device.gateway else None}
    return {"node": node}


def named(key: tuple[str, str]) -> dict[str, str]:
    return {"product_key": key[0], "device_name": key[1]}


def gateway_of(app: AdminApp, pk: str, dn: str) -> Device:
    device = app.device(pk, dn)
    if app.instance.registry.node(pk) != "gateway":
        raise BadRequest(409, f"{dn} is no gateway, its product has node = {app.instance.registry.node(pk)}")
    return device


def subdevices_of(app: AdminApp, request: Request) -> tuple[list[Device], list[dict[str, Any]]]:
    """The sub-devices that a body names as {"subdevices": [{"product_key", "device_name"}, ...]}."""
    values = body(request, subdevices=list)["subdevices"]
    if not values or not all(isinstance(one, dict) for one in values):
        raise BadRequest(400, "subdevices must name at least one product_key and device_name")
    return [subdevice(app, one) for one in values], values


def subdevice(app: AdminApp, values: dict[str, Any]) -> Device:
    pk, dn = cast(str, values.get("product_key")), cast(str, values.get("device_name"))
    device = app.device(pk, dn)
    if not app.instance.is_subdevice(device):
        node = app.instance.registry.node(pk)
        raise BadRequest(409, f"{dn} is no sub-device, its product has node = {node}")
    return device


@route("GET", "/devices/{pk}/{dn}/topology")
def show_topology(app: AdminApp, request: Request, pk: str, dn: str) -> list[dict[str, Any]]:
    gateway = gateway_of(app, pk, dn)
    return [
        {**named(device.key), "status": app.instance.status(device)}
        for device in app.instance.gateways.topology.of(gateway.key)
    ]


@route("POST", "/devices/{pk}/{dn}/topology")
def attach(app: AdminApp, request: Request, pk: str, dn: str) -> dict[str, str]:
    gateway, (devices, values) = gateway_of(app, pk, dn), subdevices_of(app, request)
    for device, one in zip(devices, values):
        if "sign" in one:
            prove(app, device, one)
    room = app.instance.config.limits.subdevices - app.instance.gateways.topology.count(gateway.key)
    if sum(device.gateway != gateway.key for device in set(devices)) > room:
        raise BadRequest(409, "topology count exceeded")
    app.instance.gateways.attach(gateway.key, list(dict.fromkeys(devices)))
    return {"done": "attach"}


def prove(app: AdminApp, device: Device, values: dict[str, Any]) -> None:
    """Checks the sign of an item as the cloud's own API does (gateway.md 6.4); raises `BadRequest`."""
    fields = {key: value for key, value in values.items() if key not in ("product_key", "device_name")}
    wire = {"productKey": device.product_key, "deviceName": device.device_name, **fields}
    try:
        (item,) = read_items([wire], 1, ("sign", METHOD_KEY))
        proven = item.proves(device.secret, method_of(item, 6292))
    except Refused as refusal:
        raise BadRequest(400, str(refusal)) from None
    if not proven:
        raise BadRequest(409, f"the sign for {device.device_name} is wrong")


@route("DELETE", "/devices/{pk}/{dn}/topology")
def detach(app: AdminApp, request: Request, pk: str, dn: str) -> dict[str, str]:
    gateway, (devices, _) = gateway_of(app, pk, dn), subdevices_of(app, request)
    for device in devices:
        if device.gateway != gateway.key:
            raise BadRequest(409, f"{device.device_name} is not attached to {dn}")
    devices = list(dict.fromkeys(devices))
    app.instance.gateways.detach(devices)
    app.instance.gateways.report_detached(devices, gateway.key)
    return {"done": "detach"}


@route("POST", "/devices/{pk}/{dn}/notify")
def notify(app: AdminApp, request: Request, pk: str, dn: str) -> dict[str, Any]:
    gateway, (devices, _) = gateway_of(app, pk, dn), subdevices_of(app, request)
    pairs = [{"productKey": device.product_key, "deviceName": device.device_name} for device in devices]
    number, outcomes = app.instance.gateways.notices.add_notify(gateway.key, pairs)
    return {"id": number, **outcomes}


@route("POST", "/devices/{pk}/{dn}/permit")
def permit(app: AdminApp, request: Request, pk: str, dn: str) -> dict[str, Any]:
    gateway = gateway_of(app, pk, dn)
    number, outcomes = app.instance.gateways.notices.permit(gateway.key, body(request, params=dict)["params"])
    return {"id": number, **outcomes}


@route("GET", "/devices/{pk}/{dn}/found")
def show_found(app: AdminApp, request: Request, pk: str, dn: str) -> list[dict[str, str]]:
    gateway = gateway_of(app, pk, dn)
    return [named(key) for key in app.instance.gateways.found.get(gateway.key, {})]


def kick(app: AdminApp, device: Device, values: dict[str, Any]) -> dict[str, str]:
    """Forces a sub-device offline with a code on /ext/error of its gateway."""
    code = values.get("code", app.instance.config.switches.taken_over)
    if code not in KICKS:
        raise BadRequest(400, f"code must be one of {', '.join(map(str, KICKS))}")
    session = app.instance.gateways.online(device)
    if session is None:
        raise BadRequest(409, f"{device.device_name} is not online")
    app.instance.gateways.force_offline(session, code, "by the admin")
    return {"done": "kick"}
