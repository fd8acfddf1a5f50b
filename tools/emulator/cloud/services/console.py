"""What the console does with configurations, logs and files (application.md 10, 11, 12)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.admin_routes import body, route
from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.identifier import whole_number
from tools.emulator.cloud.instance import text_payload
from tools.emulator.cloud.services import api  # noqa: F401 (it registers its calls)
from tools.emulator.cloud.services.files import SIGN_METHOD
from tools.emulator.cloud.services.logs import OFF, ON
from tools.emulator.cloud.web import BadRequest, Response

if TYPE_CHECKING:
    from tools.emulator.cloud.admin import AdminApp
    from tools.emulator.cloud.web import Request

PAGE = 1000  # log entries of one answer


@contextlib.contextmanager
def disk_refusals() -> Iterator[None]:
    """Report a file that cannot be kept or read to the caller as a refusal."""
    try:
        yield
    except Refused as refusal:
        raise BadRequest(500, str(refusal)) from None


@route("GET", "/products/{pk}/config")
def show_configuration(app: AdminApp, request: Request, pk: str) -> dict[str, Any]:
    state = app.instance.services.configurations.of(app.product(pk).product_key)
    versions = [
        {
            "config_id": one["name"],
            "size": one["size"],
            "sign": one["sign"],
            "sign_method": SIGN_METHOD,
            "time": one["time"],
        }
        for one in state["versions"]
    ]
    return {"enabled": state["enabled"], "versions": versions}


@route("POST", "/products/{pk}/config")
def save_configuration(app: AdminApp, request: Request, pk: str) -> dict[str, Any]:
    product, values = app.product(pk), body(request)
    if not values or set(values) - {"content", "enabled"}:
        raise BadRequest(400, 'the body must have "content", JSON or its text, "enabled", or both')
    configurations = app.instance.services.configurations
    if "enabled" in values:
        configurations.enable(product.product_key, body(request, enabled=bool)["enabled"])
    if "content" in values:
        with disk_refusals():
            configurations.add(product.product_key, text_payload(values["content"]))
    return show_configuration(app, request, pk)


@route("POST", "/devices/{pk}/{dn}/log_mode")
def set_log_mode(app: AdminApp, request: Request, pk: str, dn: str) -> dict[str, Any]:
    device, mode = app.device(pk, dn), body(request, mode=int)["mode"]
    if mode not in (OFF, ON):
        raise BadRequest(400, "mode must be 0 or 1")
    number, outcomes = app.instance.services.logs.set_mode(device, mode)
    return {"id": number, **outcomes}


@route("GET", "/devices/{pk}/{dn}/logs")
def show_logs(app: AdminApp, request: Request, pk: str, dn: str) -> dict[str, Any]:
    device, query = app.device(pk, dn), dict(request.query)
    after = whole_number(query.pop("after", "0"))
    if after is None or set(query) - {"logLevel", "module", "code", "traceContext"}:
        raise BadRequest(
            400, "the query may have after=MILLISECONDS, logLevel=, module=, code=, traceContext="
        )
    logs = app.instance.services.logs
    return {"mode": logs.mode(device), "logs": logs.kept(device, after, PAGE, **query)}


@route("GET", "/devices/{pk}/{dn}/files/{file_id}")
def fetch_file(app: AdminApp, request: Request, pk: str, dn: str, file_id: str) -> Response:
    uploads = app.instance.services.uploads
    known = {one.upload_id for one in uploads.of(app.device(pk, dn)) if one.finished_at is not None}
    if file_id not in known:
        raise BadRequest(404, "no such file")
    with disk_refusals():
        content = app.instance.services.files.read(file_id)
    return Response(200, content, {"Content-Type": "application/octet-stream"})
