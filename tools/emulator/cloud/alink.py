"""The Alink envelope: requests and replies in JSON, the id of a request echoed byte for byte (application.md 1)."""

from __future__ import annotations

import json
from typing import Any

from tools.emulator.cloud.web import compact, finite, refuse

SUCCESS, BAD_REQUEST, BAD_PARAMETER = 200, 400, 460
BLANKS = " \t\r\n"
DECODER = json.JSONDecoder()


class Body(dict[str, Any]):
    """A JSON object that was received; `raw_id` is its id as it stood there, None if it has none."""

    raw_id: str | None = None


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
    raw = getattr(request, "raw_id", None)
    head = compact({"code": code, "data": {} if data is None else data})[:-1]
    tail = compact({"message": message, "method": request.get("method", method), "version": "1.0"})[1:]
    identifier = compact(request.get("id", "")) if raw is None else raw.encode(errors="replace")
    return b'%b,"id":%b,%b' % (head, identifier, tail)


def parse(payload: bytes) -> Body | None:
    """The JSON object in `payload`, or None; NaN, Infinity and numbers beyond a double's (1e999) are no JSON."""
    try:
        text = payload.decode()
        value = json.loads(text, object_pairs_hook=Body, parse_constant=refuse, parse_float=finite)
        if not isinstance(value, Body):
            return None
        plain = "\\" not in text and type(value.get("id")) is str
        if "id" in value and not plain:
            value.raw_id = raw_member(text, "id")
    except (ValueError, RecursionError):
        return None
    return value


def raw_member(text: str, name: str) -> str | None:
    """The text of member `name` of the JSON object `text`, the last one if it is there twice."""
    found, at = None, text.index("{") + 1
    while True:
        at = skip(text, at)
        if text[at] == "}":
            return found
        key, at = DECODER.raw_decode(text, at)
        start = skip(text, skip(text, at) + 1)
        _, at = DECODER.raw_decode(text, start)
        found = text[start:at] if key == name else found
        at = skip(text, at)
        at += text[at] == ","


def skip(text: str, at: int) -> int:
    while text[at] in BLANKS:
        at += 1
    return at


def wants_reply(request: dict[str, Any]) -> bool:
    system = request.get("sys")
    return not (isinstance(system, dict) and system.get("ack") == 0)
