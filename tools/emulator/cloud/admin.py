"""The admin API: JSON over HTTP on loopback, what the console and the cloud's own API do for a person."""

from __future__ import annotations

from collections.abc import Awaitable
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud import cloud_api, creation, faults, openapi, web_hooks  # noqa: F401  (routes of two)
from tools.emulator.cloud.admin_routes import LOOPBACK, ROUTES, body, masked, qos_of, route
from tools.emulator.cloud.centres import console as of_centres
from tools.emulator.cloud.config import NAME_RULE
from tools.emulator.cloud.gateway import console as of_gateways
from tools.emulator.cloud.id2 import console as of_id2
from tools.emulator.cloud.identifier import DEVICE_NAME, whole_number
from tools.emulator.cloud.instance import text_payload
from tools.emulator.cloud.ota import console as of_ota
from tools.emulator.cloud.services import console as of_services  # noqa: F401 (it registers its routes)
from tools.emulator.cloud.thing import console as of_thing
from tools.emulator.cloud.topics import device_of
from tools.emulator.cloud.web import BadRequest, HttpPeer, answer_json
from tools.emulator.cloud.x509 import console as of_x509

if TYPE_CHECKING:
    from tools.emulator.cloud.link import Link
    from tools.emulator.cloud.registry import Device, Product
    from tools.emulator.cloud.web import Request, Response

BODY_MAX = 16 * 1024 * 1024
STRANGERS_BODY = 16 * 1024  # bytes that anybody may send
LOOPBACK_ONLY = "the admin API answers on loopback, and no web page"
TOKEN_NEEDED = (
    "with --console the admin API asks for `Authorization: Bearer TOKEN`, admin_token of ready.json"
)


class AdminPeer(HttpPeer):
    """Takes in a large body only from whom the admin API answers."""

    def admit(self, request: Request, length: int) -> None:
        if length > STRANGERS_BODY and self.app.foreign(request):
            raise BadRequest(403, LOOPBACK_ONLY)
        if length > STRANGERS_BODY and not self.app.permits(request):
            raise BadRequest(401, TOKEN_NEEDED)


class AdminApp:
    """Answers admin requests for `server` (its instance and listeners)."""

    def __init__(self, server):
        self.server, self.instance = server, server.instance
        self.token: str | None = None  # what `Authorization: Bearer` must carry, if anything

    def peer(self, link: Link) -> HttpPeer:
        link.settle()
        return AdminPeer(link, self, BODY_MAX)

    def __call__(self, request, link):
        if self.foreign(request):
            return answer_json({"error": LOOPBACK_ONLY}, 403)
        if not self.permits(request):
            return answer_json({"error": TOKEN_NEEDED}, 401, headers={"WWW-Authenticate": "Bearer"})
        try:
            return self.dispatch(request)
        except BadRequest as error:
            return answer_json({"error": str(error)}, error.status)
        except ValueError as error:
            return answer_json({"error": f"bad request: {error}"}, 400)

    def foreign(self, request: Request) -> bool:
        """Whether a web page asks, or somebody who took another name for this machine."""
        host = request.headers.get("host", "").rsplit(":", 1)[0]
        return "origin" in request.headers or host not in LOOPBACK

    def permits(self, request: Request) -> bool:
        """Whether the request carries the token that ready.json has, if the cloud asks for one."""
        carried = request.headers.get("authorization", "")
        return self.token is None or compare_digest(carried.encode(), f"Bearer {self.token}".encode())

    def dispatch(self, request: Request) -> Response | Awaitable[Response]:
        methods = []
        for method, _, expression, function in ROUTES:
            found = expression.fullmatch(request.path)
            if found and method == request.method:
                answer = function(self, request, **found.groupdict())
                return answer if not isinstance(answer, (dict, list)) else answer_json(answer)
            methods += [method] if found else []
        if methods:
            raise BadRequest(405, f"{request.path} takes {', '.join(methods)}")
        raise BadRequest(404, f"{request.path} is not known; GET / lists what is")

    def product(self, pk: str) -> Product:
        product = self.instance.registry.products.get(pk)
        if product is None:
            raise BadRequest(404, f"no product {pk}")
        return product

    def device(self, pk: str, dn: str) -> Device:
        device = self.product(pk).devices.get(dn)
        if device is None:
            raise BadRequest(404, f"no device {dn} in product {pk}")
        return device


@route("GET", "/")
def index(app: AdminApp, request: Request) -> dict[str, Any]:
    return {
        "routes": [f"{method} {pattern}" for method, pattern, _, _ in ROUTES],
        "calls": sorted(cloud_api.ACTIONS),
    }


@route("GET", "/products")
def list_products(app: AdminApp, request: Request) -> list[dict[str, Any]]:
    shown = request.query.get("secret") == "1"
    return [describe_product(app, product, shown) for product in app.instance.registry.products.values()]


def describe_product(app: AdminApp, product: Product, shown: bool) -> dict[str, Any]:
    return {
        "product_key": product.product_key,
        "name": product.name,
        "product_secret": masked(product.secret, shown),
        "auth": product.auth,
        "node": product.node,
        "dynamic_registration": product.dynamic_registration,
        "preregistration_free": product.preregistration_free,
        "devices": len(product.devices),
        **of_id2.describe_product(app, product),
        **of_ota.describe_product(app, product),
        **of_thing.describe_product(app, product),
    }


@route("POST", "/products")
def create_product(app: AdminApp, request: Request) -> dict[str, Any]:
    made = creation.create(app.instance, body(request))
    return describe_product(app, made, request.query.get("secret") == "1")


def switch_of(app: AdminApp, request: Request, pk: str) -> tuple[Product, bool]:
    """The product, and what a switch of its registration becomes: one for products with secrets only."""
    product, enabled = app.product(pk), body(request, enabled=bool)["enabled"]
    if enabled and product.auth != "secret":
        raise BadRequest(409, f"product {pk} authenticates by {product.auth}")
    return product, enabled


@route("POST", "/products/{pk}/preregistration_free")
def set_preregistration_free(app: AdminApp, request: Request, pk: str) -> dict[str, Any]:
    product, enabled = switch_of(app, request, pk)
    app.instance.registry.set_preregistration_free(product, enabled)
    return {"product_key": pk, "preregistration_free": product.preregistration_free}


@route("POST", "/products/{pk}/dynamic_registration")
def set_dynamic_registration(app: AdminApp, request: Request, pk: str) -> dict[str, Any]:
    product, enabled = switch_of(app, request, pk)
    app.instance.registry.set_dynamic_registration(product, enabled)
    return {"product_key": pk, "dynamic_registration": product.dynamic_registration}


@route("POST", "/products/{pk}/devices")
def create_devices(app: AdminApp, request: Request, pk: str) -> list[dict[str, Any]]:
    product = app.product(pk)
    names = body(request, device_names=list)["device_names"]
    for name in names:
        if not isinstance(name, str) or not DEVICE_NAME.fullmatch(name):
            raise BadRequest(400, f"DeviceName {name!r} {NAME_RULE}")
        if name in product.devices:
            raise BadRequest(409, f"DeviceName {name} is there already")
    if len(set(names)) != len(names):
        raise BadRequest(409, "a DeviceName is there twice")
    shown = request.query.get("secret") == "1"
    return [
        {"device_name": device.device_name, "device_secret": masked(device.secret, shown)}
        for device in app.instance.registry.add(product, names)
    ]


@route("GET", "/devices")
def list_devices(app: AdminApp, request: Request) -> list[dict[str, Any]]:
    return [
        {
            "product_key": device.product_key,
            "device_name": device.device_name,
            "status": app.instance.status(device),
        }
        for product in app.instance.registry.products.values()
        for device in product.devices.values()
    ]


@route("GET", "/devices/{pk}/{dn}")
def show_device(app: AdminApp, request: Request, pk: str, dn: str) -> dict[str, Any]:
    device, shown = app.device(pk, dn), request.query.get("secret") == "1"
    sessions = app.instance.sessions.of(pk, dn)
    online = {session.key[2] for session in sessions if session.peer}
    return {
        "product_key": pk,
        "device_name": dn,
        "status": app.instance.status(device),
        **of_gateways.describe(app, device),
        **of_x509.describe(app, device),
        **of_centres.describe(app, device, shown),
        **of_id2.describe_device(app, device),
        "device_secret": masked(device.secret, shown),
        "activated_at": device.activated_at,
        "registration": "closed" if device.registration_closed else "open",
        "registrations": device.issued,
        "preregistration_free": device.free,
        "clients": [
            {
                "client_id": unit.client_id,
                "device_token": masked(unit.token, shown),
                "activated_at": unit.activated_at,
                "blocked": unit.blocked,
                "online": unit.client_id in online,
            }
            for unit in device.units.values()
        ],
        "sessions": [
            {
                "client_id": session.key[2],
                "online": session.peer is not None,
                "clean": not session.persistent,
                "system": session.system,
                "subscriptions": sorted(session.filters),
                "waiting": len(session.waiting),
                "unacknowledged": len(session.flying),
            }
            for session in sessions
        ],
        "properties": app.instance.things.values(device.key),
        "traffic": app.instance.account(pk, dn).show(),
    }


@route("POST", "/devices/{pk}/{dn}/reset")
def reset(app: AdminApp, request: Request, pk: str, dn: str) -> dict[str, str]:
    app.instance.registry.reset(app.device(pk, dn))
    return {"done": "reset"}


@route("POST", "/devices/{pk}/{dn}/disable")
def disable(app: AdminApp, request: Request, pk: str, dn: str) -> dict[str, str]:
    app.instance.disable(app.device(pk, dn))
    return {"done": "disable"}


@route("POST", "/devices/{pk}/{dn}/enable")
def enable(app: AdminApp, request: Request, pk: str, dn: str) -> dict[str, str]:
    app.instance.enable(app.device(pk, dn))
    return {"done": "enable"}


@route("POST", "/devices/{pk}/{dn}/delete")
def delete(app: AdminApp, request: Request, pk: str, dn: str) -> dict[str, str]:
    app.instance.delete(app.device(pk, dn))
    return {"done": "delete"}


@route("POST", "/devices/{pk}/{dn}/kick")
def kick(app: AdminApp, request: Request, pk: str, dn: str) -> dict[str, str]:
    device, values = app.device(pk, dn), body(request)
    if app.instance.is_subdevice(device):
        return of_gateways.kick(app, device, values)
    how = values.get("how", "close")
    if how not in ("close", "reset"):
        raise BadRequest(400, "how must be close or reset")
    app.instance.kick(device, "by the admin", how=how)
    return {"done": "kick"}


@route("POST", "/devices/{pk}/{dn}/clients")
def clients(app: AdminApp, request: Request, pk: str, dn: str) -> dict[str, str]:
    device, values = app.device(pk, dn), body(request)
    if values == {"clear": True}:
        app.instance.clear_units(device)
        return {"done": "clear"}
    if set(values) != {"keep"} or not isinstance(values["keep"], str):
        raise BadRequest(400, 'the body must be {"keep": ClientID} or {"clear": true}')
    if values["keep"] not in device.units:
        raise BadRequest(404, f"{dn} has no such ClientID")
    app.instance.keep_unit(device, values["keep"])
    return {"done": "keep"}


@route("POST", "/devices/{pk}/{dn}/rrpc")
def call_rrpc(app: AdminApp, request: Request, pk: str, dn: str) -> Awaitable[Response]:
    device, values = app.device(pk, dn), body(request)
    topic = values.get("topic")
    if topic is not None and (not isinstance(topic, str) or not topic.startswith("/")):
        raise BadRequest(400, "topic must be a topic of the device, or left out")

    async def call():
        answer = await app.instance.call(device, text_payload(values.get("payload", "")), topic)
        if answer is None:
            return answer_json(
                {"error": "the device is offline, has not subscribed, or did not answer in time"}, 504
            )
        return answer_json({"payload": answer.decode(errors="replace"), "payload_hex": answer.hex()})

    return call()


@route("POST", "/publish")
def publish(app: AdminApp, request: Request) -> dict[str, int]:
    values = body(request, topic=str)
    topic, qos = values["topic"], qos_of(values)
    if "payload_hex" in values:
        payload = bytes.fromhex(body(request, payload_hex=str)["payload_hex"])
    else:
        payload = text_payload(values.get("payload", ""))
    levels = topic.split("/")
    if not topic or "+" in topic or "#" in topic or "\0" in topic:
        raise BadRequest(400, "topic must be a topic name without wildcards")
    if levels[:2] == ["", "broadcast"] and len(levels) > 2:
        return app.instance.broadcast(app.product(levels[2]).product_key, topic, payload, qos)
    found = device_of(topic)
    if found is None:
        raise BadRequest(400, f"{topic} names no device")
    app.device(*found)
    return app.instance.send_down(*found, topic, payload, qos)


def whole(query: dict[str, str]) -> int:
    """Takes `after` out of `query`: the number of the last entry seen."""
    number = whole_number(query.pop("after", "0"))
    if number is None:
        raise BadRequest(400, "after must be a whole number")
    return number


@route("GET", "/messages")
def messages(app: AdminApp, request: Request) -> list[dict[str, Any]]:
    query = dict(request.query)
    after = whole(query)
    unknown = set(query) - {"pk", "dn", "direction", "topic"}
    if unknown:
        raise BadRequest(
            400, f"{', '.join(sorted(unknown))}: not a filter; there are after, pk, dn, direction, topic"
        )
    return app.instance.journal.select_messages(after, **query)


@route("GET", "/log")
def events(app: AdminApp, request: Request) -> list[dict[str, Any]]:
    query = dict(request.query)
    return app.instance.journal.select_events(whole(query), **query)


@route("GET", "/stats")
def stats(app: AdminApp, request: Request) -> dict[str, Any]:
    listeners = {
        listener.where: {
            "accepted": listener.accepted,
            "open": len(listener.links),
            "tls_handshakes": listener.handshakes,
            "failed_handshakes": listener.failed_handshakes,
        }
        for listener in app.server.listeners
    }
    return {"listeners": listeners, "online": len(app.instance.sessions.live())}


@route("POST", "/console/address")
def console_address(app: AdminApp, request: Request) -> dict[str, str]:
    if app.server.console is None:
        raise BadRequest(409, "the cloud has no console; start it with --console")
    return {"address": app.server.console.address()}


@route("GET", "/faults")
def armed(app: AdminApp, request: Request) -> list[dict[str, Any]]:
    return [fault.show() for fault in app.instance.faults.armed]


@route("POST", "/faults")
def arm(app: AdminApp, request: Request) -> list[dict[str, Any]]:
    values = request.json()
    made = [faults.read(one) for one in (values if isinstance(values, list) else [values])]
    app.instance.faults.arm(made)
    return [fault.show() for fault in made]


@route("DELETE", "/faults")
def disarm(app: AdminApp, request: Request) -> dict[str, str]:
    app.instance.faults.armed.clear()
    return {"done": "cleared"}


@route("DELETE", "/faults/{number}")
def disarm_one(app: AdminApp, request: Request, number: str) -> dict[str, str]:
    armed = app.instance.faults.armed
    found = next((one for one in armed if str(one.number) == number), None)
    if found is None:
        raise BadRequest(404, f"no fault {number} is armed")
    armed.remove(found)
    return {"done": "cleared"}
