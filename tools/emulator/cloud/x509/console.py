"""The console's side of X.509: registering CAs, association files, and what ends a certificate."""

from __future__ import annotations

from collections.abc import Awaitable, Collection
from typing import TYPE_CHECKING, Any

from tools import serials
from tools.emulator.cloud.admin_routes import body, route
from tools.emulator.cloud.turns import in_turns
from tools.emulator.cloud.web import BadRequest, answer_json
from tools.emulator.cloud.x509.certificates import ACTIVE, DISABLED, Conflict

if TYPE_CHECKING:
    from tools.emulator.cloud.admin import AdminApp
    from tools.emulator.cloud.registry import Device
    from tools.emulator.cloud.turns import Steps
    from tools.emulator.cloud.web import Request, Response
    from tools.emulator.cloud.x509.certificates import Authority, Binding


def describe(app: AdminApp, device: Device) -> dict[str, Any]:
    """What `GET /devices/{pk}/{dn}` says more of a device of an X.509 product."""
    if app.instance.registry.products[device.product_key].auth != "x509":
        return {}
    return {
        "certificates": [
            {"ca": one.authority, "serial": one.serial, "state": one.state}
            for one in app.instance.certificates.of(device.key)
        ]
    }


def authority_of(app: AdminApp, ca: str) -> Authority:
    found = app.instance.certificates.authorities.get(ca)
    if found is None:
        raise BadRequest(404, f"no CA {ca}")
    return found


def serial_of(text: str) -> str:
    try:
        return serials.normal(text)
    except ValueError as error:
        raise BadRequest(400, str(error)) from None


def binding_of(app: AdminApp, ca: str, serial: str) -> Binding:
    name, serial = authority_of(app, ca).name, serial_of(serial)
    found = app.instance.certificates.bindings.get((name, serial))
    if found is None:
        raise BadRequest(404, f"no certificate {serial} is bound under CA {name}")
    return found


def texts(values: dict[str, Any], known: Collection[str]) -> dict[str, str]:
    """`values`, an object of texts out of `known`; raises `BadRequest`."""
    for name, value in values.items():
        if name not in known:
            raise BadRequest(400, f"{name} is not known here; known are {', '.join(known)}")
        if not isinstance(value, str):
            raise BadRequest(400, f"{name} must be a JSON str")
    return values


@route("GET", "/registration_code")
def show_code(app: AdminApp, request: Request) -> dict[str, Any]:
    return {"code": app.instance.certificates.code()}


@route("GET", "/cas")
def list_authorities(app: AdminApp, request: Request) -> list[dict[str, Any]]:
    return [one.show() for one in app.instance.certificates.authorities.values()]


@route("POST", "/cas")
def register(app: AdminApp, request: Request) -> dict[str, Any] | Response:
    from tools.emulator.cloud.x509.registering import Asked, Refused

    values = texts(
        body(request, name=str, certificate=str, verification=str),
        ("name", "certificate", "certificate_file", "verification", "verification_file"),
    )
    try:
        return app.instance.certificates.register(Asked(**values)).show()
    except Refused as refusal:
        return answer_json({"error": str(refusal), "check": refusal.check}, 409)


@route("POST", "/cas/{ca}/deactivate")
def deactivate(app: AdminApp, request: Request, ca: str) -> dict[str, str]:
    app.instance.certificates.set_active(authority_of(app, ca), False)
    return {"done": "deactivate"}


@route("POST", "/cas/{ca}/activate")
def activate(app: AdminApp, request: Request, ca: str) -> dict[str, str]:
    app.instance.certificates.set_active(authority_of(app, ca), True)
    return {"done": "activate"}


@route("DELETE", "/cas/{ca}")
def remove(app: AdminApp, request: Request, ca: str) -> Awaitable[Response]:
    steps = app.instance.certificates.remove(authority_of(app, ca))

    async def answer() -> Response:
        await in_turns(steps)
        return answer_json({"done": "remove"})

    return answer()


@route("POST", "/cas/{ca}/association")
def associate(app: AdminApp, request: Request, ca: str) -> Awaitable[Response]:
    authority, values = authority_of(app, ca), texts(body(request, csv=str), ("csv", "file"))
    steps = take_in(app, authority, values["csv"], values.get("file"))

    async def answer() -> Response:
        from tools.emulator.cloud.x509.association import Unusable

        try:
            return answer_json({"bound": await in_turns(steps)})
        except Unusable as problem:
            bad = [{"line": line, "error": text} for line, text in problem.rows]
            return answer_json({"error": str(problem), "rows": bad}, 409)

    return answer()


def take_in(app: AdminApp, authority: Authority, text: str, file: str | None) -> Steps[int]:
    """The steps of an association file that was uploaded as `file`; raises `BadRequest` for another kind."""
    if file is not None and not file.lower().endswith(".csv"):
        raise BadRequest(400, f"{file} is not a .csv file")
    return app.instance.certificates.associate(authority, text)


@route("GET", "/cas/{ca}/bindings")
def list_bindings(app: AdminApp, request: Request, ca: str) -> list[dict[str, str]]:
    name = authority_of(app, ca).name
    return [one.show() for one in app.instance.certificates.bindings.values() if one.authority == name]


@route("POST", "/cas/{ca}/bindings/{serial}/disable")
def disable(app: AdminApp, request: Request, ca: str, serial: str) -> dict[str, str]:
    return change(app, binding_of(app, ca, serial), DISABLED)


@route("POST", "/cas/{ca}/bindings/{serial}/enable")
def enable(app: AdminApp, request: Request, ca: str, serial: str) -> dict[str, str]:
    return change(app, binding_of(app, ca, serial), ACTIVE)


def change(app: AdminApp, binding: Binding, state: str) -> dict[str, str]:
    try:
        app.instance.certificates.set_state(binding, state)
    except Conflict as problem:
        raise BadRequest(409, str(problem)) from None
    return binding.show()


@route("POST", "/cas/{ca}/bindings/{serial}/replace")
def replace(app: AdminApp, request: Request, ca: str, serial: str) -> dict[str, str]:
    binding, values = binding_of(app, ca, serial), body(request, serial=str)
    try:
        return app.instance.certificates.replace(binding, serial_of(values["serial"])).show()
    except Conflict as problem:
        raise BadRequest(409, str(problem)) from None
