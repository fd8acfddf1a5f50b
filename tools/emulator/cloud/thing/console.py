"""What the console and the cloud's API do with things: models, values, history, requests to devices."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.admin_routes import body, qos_of, route
from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.thing import api  # noqa: F401 (it registers its calls)
from tools.emulator.cloud.thing.downlinks import Wish
from tools.emulator.cloud.web import BadRequest, answer_json

if TYPE_CHECKING:
    from tools.emulator.cloud.admin import AdminApp
    from tools.emulator.cloud.registry import Product
    from tools.emulator.cloud.web import Request, Response

WAIT_MAX = 60  # seconds that a request may wait for a device
TIMES_MAX = 100


def describe_product(app: AdminApp, product: Product) -> dict[str, Any]:
    """What `GET /products` says of the model."""
    models = app.instance.things.models
    return {
        "tsl": models.of(product.product_key) is not None,
        "tsl_check": models.level(product.product_key),
    }


@route("GET", "/products/{pk}/tsl")
def show_model(app: AdminApp, request: Request, pk: str) -> dict[str, Any]:
    found = app.instance.things.models.of(app.product(pk).product_key)
    if found is None:
        raise BadRequest(404, f"product {pk} has no model")
    return found.source


@route("POST", "/products/{pk}/tsl")
def save_model(app: AdminApp, request: Request, pk: str) -> dict[str, Any]:
    found = app.instance.things.models.save(app.product(pk).product_key, request.json())
    return {
        "properties": sorted(found.properties),
        "events": sorted(found.events),
        "services": sorted(found.services),
    }


def wish_of(values: dict[str, Any]) -> Wish:
    """`qos`, `wait` and `times` of a request."""
    seconds, times = values.get("wait", 0), values.get("times", 1)
    if type(seconds) not in (int, float) or not 0 <= seconds <= WAIT_MAX:
        raise BadRequest(400, f"wait must be 0 to {WAIT_MAX} seconds")
    if type(times) is not int or not 1 <= times <= TIMES_MAX:
        raise BadRequest(400, f"times must be 1 to {TIMES_MAX}")
    return Wish(qos_of(values), seconds, times)


async def answered(sending: Awaitable[dict[str, Any]]) -> Response:
    """The result of a request; the platform's code and text when it refuses to send it."""
    try:
        return answer_json(await sending)
    except Refused as refusal:
        return answer_json({"error": str(refusal), "code": refusal.code}, 400)


@route("POST", "/devices/{pk}/{dn}/property")
def set_property(app: AdminApp, request: Request, pk: str, dn: str) -> Awaitable[Response]:
    values = body(request, params=dict)
    wish, device = wish_of(values), app.device(pk, dn)
    return answered(app.instance.downlinks.set(device, values["params"], wish))


@route("POST", "/devices/{pk}/{dn}/property/get")
def get_property(app: AdminApp, request: Request, pk: str, dn: str) -> Awaitable[Response]:
    values = body(request, params=list)
    return answered(app.instance.downlinks.get(app.device(pk, dn), values["params"], wish_of(values)))


@route("POST", "/devices/{pk}/{dn}/service/{service}")
def call_service(app: AdminApp, request: Request, pk: str, dn: str, service: str) -> Awaitable[Response]:
    values = body(request, params=dict)
    sync = values.get("sync")
    if not (sync is None or isinstance(sync, bool)):
        raise BadRequest(400, "sync must be true or false, or left out: as the model has it")
    wish, device = wish_of(values), app.device(pk, dn)
    return answered(app.instance.downlinks.invoke(device, service, values["params"], wish, sync))
