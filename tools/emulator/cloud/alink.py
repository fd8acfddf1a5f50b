"""What the platform answers to a device's own topics: properties, events, NTP, RRPC (direct.md 7).

`answers` is pure: an uplink message in, downlink messages out. A topic nobody
knows gets no answer.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.web import compact

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Thing

SUCCESS, BAD_REQUEST, BAD_PARAMETER = 200, 400, 460
NO_FEATURE, LONG_TEXT = 6304, 6310
# a property's name, behind that of its module if it is not of the default one (application.md 2)
PROPERTY = re.compile(r"(?:[A-Za-z0-9_]{1,50}:)?[A-Za-z0-9_]{1,50}")


def envelope(request_id: str, method: str, params: object, **more: Any) -> bytes:
    """A request from the platform to a device, with `more` keys beside the usual four."""
    return compact({"id": request_id, "version": "1.0", "params": params, "method": method, **more})


def reply(
    request: dict[str, Any],
    code: int = SUCCESS,
    data: object = None,
    message: str = "success",
    method: str = "",
) -> bytes:
    """The reply to `request`, its id verbatim; all six keys, which satisfies every SDK."""
    return compact(
        {
            "code": code,
            "data": {} if data is None else data,
            "id": request.get("id", ""),
            "message": message,
            "method": request.get("method", method),
            "version": "1.0",
        }
    )


def parse(payload: bytes) -> dict[str, Any] | None:
    """The JSON object in `payload`, or None."""
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def wants_reply(request: dict[str, Any]) -> bool:
    system = request.get("sys")
    return not (isinstance(system, dict) and system.get("ack") == 0)


def post_property(
    thing: Thing, request: dict[str, Any], limits: SimpleNamespace
) -> tuple[int, dict[str, Any], str]:
    params = request.get("params")
    if not isinstance(params, dict) or len(params) > limits.properties:
        return BAD_PARAMETER, {}, "request parameter error"
    fault = misfit(thing, params, limits)
    if fault:
        return fault[0], {}, fault[1]
    for name, value in params.items():
        thing.properties[name] = plain(value)
    return SUCCESS, {}, "success"


def misfit(thing: Thing, values: dict[str, Any], limits: SimpleNamespace) -> tuple[int, str] | None:
    """(code, message) when no thing model could have these properties beside those that `thing` has, else None."""
    names = [name for name in values if name not in thing.properties]
    wrong = [name for name in names if not PROPERTY.fullmatch(name)]
    wrong += names[max(limits.features - len(thing.properties), 0) :]
    if wrong:
        return NO_FEATURE, f"tsl parse: params not exist -> {wrong[0][:128]}"
    for name, value in values.items():
        if isinstance(plain(value), str) and len(plain(value)) > limits.text_characters:
            return LONG_TEXT, f"tsl parse: text size error -> {name}"
    return None


def plain(value: Any) -> Any:
    """What a property is now, without its time."""
    return value["value"] if isinstance(value, dict) and "value" in value else value


def post_event(
    thing: Thing, request: dict[str, Any], limits: SimpleNamespace
) -> tuple[int, dict[str, Any], str]:
    if not isinstance(request.get("params"), dict):
        return BAD_PARAMETER, {}, "request parameter error"
    return SUCCESS, {}, "success"


def accept(thing: Thing, request: dict[str, Any], limits: SimpleNamespace) -> tuple[int, dict[str, Any], str]:
    return SUCCESS, {}, "success"


def get_desired(
    thing: Thing, request: dict[str, Any], limits: SimpleNamespace
) -> tuple[int, dict[str, Any], str]:
    return SUCCESS, {}, "success"


# levels after /sys/{pk}/{dn}/ -> what happens; `+` stands for one level
METHODS = {
    "thing/event/property/post": post_property,
    "thing/event/+/post": post_event,
    "thing/property/desired/get": get_desired,
    "thing/property/desired/delete": accept,
    "thing/deviceinfo/update": accept,
    "thing/deviceinfo/delete": accept,
    "thing/awss/enrollee/match": accept,
    "thing/reset": accept,
}


# of these the reply is all there is: nothing is kept
STUBS = (accept, get_desired)


def gap(topic: str) -> str | None:
    """What is missing here of the service that a device asks on its own `topic`, in words; None when nothing is."""
    family, *levels = topic.split("/")[1:]
    if family not in ("sys", "ota", "shadow", "ext") or topic.endswith("_reply") or "/rrpc/" in topic:
        return None
    if family == "sys":
        method = method_of("/".join(levels[2:]))
        if method is not None:
            return "it is answered, and nothing is kept" if method in STUBS else None
    elif levels[:1] == ["ntp"]:
        return None
    return "nothing answers"


def method_of(
    tail: str,
) -> Callable[[Thing, dict[str, Any], SimpleNamespace], tuple[int, dict[str, Any], str]] | None:
    if tail in METHODS:
        return METHODS[tail]
    levels = tail.split("/")
    if len(levels) == 4 and levels[:2] == ["thing", "event"] and levels[3] == "post":
        return METHODS["thing/event/+/post"]
    return None


def answer_system(
    thing: Thing, topic: str, payload: bytes, limits: SimpleNamespace
) -> list[tuple[str, bytes]]:
    """The reply to a request on /sys/{pk}/{dn}/..., as a list of (topic, payload)."""
    tail = topic.split("/", 4)[4]
    method = method_of(tail)
    if method is None:
        return []
    request = parse(payload)
    if request is None:
        return [(topic + "_reply", reply({}, BAD_REQUEST, None, "request error", tail.replace("/", ".")))]
    code, data, message = method(thing, request, limits)
    if not wants_reply(request):
        return []
    return [(topic + "_reply", reply(request, code, data, message, tail.replace("/", ".")))]


def answer_ntp(topic: str, payload: bytes, now: float) -> list[tuple[str, bytes]]:
    """The NTP topic: times in the type, number or text, that the request used."""
    request = parse(payload) or {}
    sent = request.get("deviceSendTime")
    moment: int | str = int(now * 1000)
    moment = moment if isinstance(sent, (int, float)) else str(moment)
    body = {"deviceSendTime": sent, "serverRecvTime": moment, "serverSendTime": moment}
    return [(topic.removesuffix("request") + "response", compact(body))]


def answers(
    thing: Thing, topic: str, payload: bytes, limits: SimpleNamespace, wall: Callable[[], float] = time.time
) -> list[tuple[str, bytes]]:
    """What the platform answers when `thing` publishes on its own `topic`: (topic, payload) pairs."""
    if topic.startswith("/ext/ntp/"):
        return answer_ntp(topic, payload, wall())
    if topic.startswith("/sys/"):
        return answer_system(thing, topic, payload, limits)
    return []
