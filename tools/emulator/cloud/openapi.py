"""An OpenAPI description of the admin API, made from its table of routes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.admin_routes import ROUTES, route
from tools.emulator.cloud.cloud_api import ACTIONS

if TYPE_CHECKING:
    from tools.emulator.cloud.admin import AdminApp
    from tools.emulator.cloud.web import Request

VERSION = "3.1.0"
# what a name in a path looks like, beyond one level of it
PATTERNS = {"pk": "^[A-Za-z0-9]{1,20}$", "dn": "^[A-Za-z0-9\\-_@.:]{4,32}$"}
REFUSALS = {
    "400": "what was asked is not understood",
    "401": "the token of ready.json is missing",
    "403": "another web page asked",
    "404": "there is no such thing",
    "405": "the path takes other methods",
    "409": "the state of things does not allow it",
    "411": "Content-Length is missing",
    "413": "the request is too long",
    "504": "the device did not answer",
}
ERROR = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}


@route("GET", "/openapi.json")
def describe(app: AdminApp, request: Request) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for method, pattern, _, function in ROUTES:
        paths.setdefault(pattern, {})[method.lower()] = operation(method, pattern, function)
    document: dict[str, Any] = {
        "openapi": VERSION,
        "info": {"title": "The admin API of the emulated cloud", "version": "1"},
        "paths": paths,
    }
    if app.token:
        bearer = {"type": "http", "scheme": "bearer"}
        document |= {"components": {"securitySchemes": {"ready": bearer}}, "security": [{"ready": []}]}
    return document


def operation(method: str, pattern: str, function: Any) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)\}", pattern)
    room = function.__module__.removeprefix("tools.emulator.cloud.").removesuffix(".console")
    found: dict[str, Any] = {
        "operationId": f"{room}.{function.__name__}",
        "summary": function.__name__.replace("_", " "),
        "parameters": [parameter(name) for name in names],
        "responses": {"200": {"description": "done"}, **refusals()},
    }
    if method == "POST":
        found["requestBody"] = {"content": {"application/json": {"schema": {"type": "object"}}}}
    return found


def parameter(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "minLength": 1}
    if name in PATTERNS:
        schema["pattern"] = PATTERNS[name]
    elif name == "action":
        schema["enum"] = sorted(ACTIONS)
    return {"name": name, "in": "path", "required": True, "schema": schema}


def refusals() -> dict[str, Any]:
    content = {"application/json": {"schema": ERROR}}
    return {status: {"description": text, "content": content} for status, text in REFUSALS.items()}
