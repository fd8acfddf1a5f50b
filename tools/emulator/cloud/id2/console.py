"""The console's view of ID²: identities, licences, white lists (id2.md 1, 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.admin_routes import body, masked, route
from tools.emulator.cloud.id2.identities import STATES
from tools.emulator.cloud.id2.keys import KEY_TYPES
from tools.emulator.cloud.web import BadRequest

if TYPE_CHECKING:
    from tools.emulator.cloud.admin import AdminApp
    from tools.emulator.cloud.id2.identities import Identity, Licence
    from tools.emulator.cloud.registry import Device, Product
    from tools.emulator.cloud.web import Request


def describe_product(app: AdminApp, product: Product) -> dict[str, Any]:
    """What `GET /products` says more of an ID2 product."""
    identities = app.instance.id2.identities
    licence = identities.licences.get(product.product_key)
    if licence is None:
        return {}
    return {
        "whitelist": licence.whitelist,
        "provisioning_left": licence.left,
        "identities": len(identities.of(product.product_key)),
    }


def describe_device(app: AdminApp, device: Device) -> dict[str, Any]:
    """What `GET /devices/{pk}/{dn}` says more of a device of an ID2 product."""
    if app.product(device.product_key).auth != "id2":
        return {}
    bound = app.instance.id2.identities.bound(*device.key)
    return {"id2": bound and bound.id2}


def show(app: AdminApp, identity: Identity, request: Request) -> dict[str, Any]:
    shown = request.query.get("secret") == "1"
    return {
        "id2": identity.id2,
        "id2_type": identity.key_type,
        "id2_key": masked(identity.key_hex, shown),
        "product_key": identity.product_key,
        "state": identity.state,
        "device_name": identity.device_name,
        "fingerprint": identity.fingerprint,
        "authentications_today": identity.today(app.instance.wall()),
    }


def find(app: AdminApp, id2: str) -> Identity:
    identity = app.instance.id2.identities.by_id.get(id2)
    if identity is None:
        raise BadRequest(404, f"no identity {id2}")
    return identity


def licence_of(app: AdminApp, pk: str) -> Licence:
    app.product(pk)
    licence = app.instance.id2.identities.licences.get(pk)
    if licence is None:
        raise BadRequest(409, f"product {pk} authenticates by {app.product(pk).auth}, not by id2")
    return licence


@route("GET", "/identities")
def list_identities(app: AdminApp, request: Request) -> list[dict[str, Any]]:
    return [show(app, one, request) for one in app.instance.id2.identities.by_id.values()]


@route("GET", "/identities/{id2}")
def show_identity(app: AdminApp, request: Request, id2: str) -> dict[str, Any]:
    return show(app, find(app, id2), request)


@route("POST", "/products/{pk}/identities")
def create_identities(app: AdminApp, request: Request, pk: str) -> list[dict[str, Any]]:
    licence_of(app, pk)
    values = body(request, count=int)
    key_type = values.get("id2_type", "AES_128")
    if not 1 <= values["count"] <= 10_000:
        raise BadRequest(400, "count must be 1 to 10000")
    if key_type not in tuple(KEY_TYPES):
        raise BadRequest(400, f"id2_type must be one of {', '.join(KEY_TYPES)}")
    made = app.instance.id2.identities.create(pk, key_type, values["count"])
    return [show(app, one, request) for one in made]


@route("POST", "/identities/{id2}/state")
def set_state(app: AdminApp, request: Request, id2: str) -> dict[str, Any]:
    identity, state = find(app, id2), body(request, state=str)["state"]
    if state not in STATES:
        raise BadRequest(400, f"state must be one of {', '.join(STATES)}")
    app.instance.set_identity_state(identity, state)
    return show(app, identity, request)


@route("POST", "/identities/{id2}/unbind")
def unbind(app: AdminApp, request: Request, id2: str) -> dict[str, Any]:
    identity = find(app, id2)
    app.instance.id2.identities.bind(identity, None)
    return show(app, identity, request)


@route("POST", "/identities/{id2}/authentications")
def set_authentications(app: AdminApp, request: Request, id2: str) -> dict[str, Any]:
    identity, today = find(app, id2), body(request, today=int)["today"]
    if today < 0:
        raise BadRequest(400, "today must be at least 0")
    app.instance.id2.identities.set_count(identity, app.instance.wall(), today)
    return show(app, identity, request)


@route("POST", "/products/{pk}/whitelist")
def set_whitelist(app: AdminApp, request: Request, pk: str) -> dict[str, Any]:
    licence = licence_of(app, pk)
    licence.whitelist = body(request, enabled=bool)["enabled"]
    app.instance.id2.identities.save_licence(pk)
    return describe_product(app, app.product(pk))


@route("POST", "/products/{pk}/quota")
def set_quota(app: AdminApp, request: Request, pk: str) -> dict[str, Any]:
    licence, left = licence_of(app, pk), body(request).get("left", "")
    if left is not None and (type(left) is not int or left < 0):
        raise BadRequest(400, "left must be a whole number, or null for any number")
    licence.left = left
    app.instance.id2.identities.save_licence(pk)
    return describe_product(app, app.product(pk))
