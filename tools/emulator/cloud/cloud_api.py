"""The cloud's own API on the admin port: `POST /api/{action}`, by the names of its calls (application.md 15).

`@action` registers a function `(app, values)` for a call; `values` are its
parameters by name. It returns `Data`, or a coroutine of it, and raises
`Failed` or `codes.Refused`. Whatever comes of it, the answer is JSON with
`Success`, `RequestId` and `Data`, or `Code` and `ErrorMessage`.
"""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.admin_routes import body, route
from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.web import BadRequest, answer_json, strict_json

if TYPE_CHECKING:
    from tools.emulator.cloud.admin import AdminApp
    from tools.emulator.cloud.registry import Device
    from tools.emulator.cloud.web import Request, Response

ACTIONS: dict[str, Callable[..., Any]] = {}
CAPITALS = {"ota": "OTA", "url": "URL"}  # words that the cloud writes so in the names of calls


class Failed(Exception):
    """A call that fails: `code` as text or number, and a sentence."""

    def __init__(self, code: object, text: str):
        super().__init__(text)
        self.code = code


def action(function: Callable[..., Any]) -> Callable[..., Any]:
    """Registers a function for the call of its name: `set_device_property` answers SetDeviceProperty."""
    parts = function.__name__.split("_")
    ACTIONS["".join(CAPITALS.get(part, part.title()) for part in parts)] = function
    return function


def value(values: dict[str, Any], name: str, kind: type, default: Any = None) -> Any:
    """A parameter of a call; an object or a list may come as JSON text. Raises `Failed`."""
    found = values.get(name, default)
    if isinstance(found, str) and kind in (dict, list):
        try:
            found = strict_json(found)
        except ValueError:
            raise Failed("ParameterError", f"{name} is not JSON") from None
    if found is None and default is None and name not in values:
        raise Failed("ParameterError", f"{name} is missing")
    if found is not default and type(found) is not kind:
        raise Failed("ParameterError", f"{name} must be a JSON {kind.__name__}")
    return found


def device_of(app: AdminApp, values: dict[str, Any]) -> Device:
    """The device that ProductKey and DeviceName, or IotId, name; raises `Failed`."""
    registry = app.instance.registry
    if "IotId" in values:
        found = next(
            (
                one
                for p in registry.products.values()
                for one in p.devices.values()
                if one.iot_id == values["IotId"]
            ),
            None,
        )
    else:
        found = registry.find(value(values, "ProductKey", str), value(values, "DeviceName", str))
    if found is None:
        raise Failed("iot.device.NotExistedDevice", "no such device")
    return found


def parameters(request: Request) -> dict[str, Any]:
    try:
        return body(request)
    except ValueError as error:
        raise Failed("ParameterError", str(error)) from None


@route("POST", "/api/{action}")
def call(app: AdminApp, request: Request, action: str) -> Any:
    function = ACTIONS.get(action)
    if function is None:
        raise BadRequest(404, f"there is no call {action}; there are {', '.join(sorted(ACTIONS))}")

    async def answer() -> Response:
        envelope: dict[str, Any] = {"RequestId": str(uuid.uuid4()).upper()}
        try:
            data = function(app, parameters(request))
            data = await data if inspect.isawaitable(data) else data
        except (Failed, Refused) as error:
            return answer_json({**envelope, "Success": False, "Code": error.code, "ErrorMessage": str(error)})
        return answer_json({**envelope, "Success": True, "Code": "", "Data": {} if data is None else data})

    return answer()
