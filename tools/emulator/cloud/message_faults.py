"""Faults of what one message to a device says, or when it comes: `deliveries` is pure, faults.md lists them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.ota import blocks
from tools.emulator.cloud.web import compact

if TYPE_CHECKING:
    from tools.emulator.cloud.codec import Publish
    from tools.emulator.cloud.faults import Fault

BLOCKS = ("damage", "wrong_crc", "wrong_offset")  # of the replies that carry a block of a file
KINDS = ("late", "twice", "number_id", "wrong_id", "code", "set", "without", *BLOCKS)


def deliveries(packet: Publish, fault: Fault) -> list[tuple[float, bytes]]:
    """(seconds from now, payload) of each message that goes out in the place of `packet`."""
    payload = bytes(packet.payload)
    if fault.kind == "late":
        return [(fault["ms"] / 1000, payload)]
    if fault.kind == "twice":
        return [(0, payload)] * fault["count"]
    return [(0, changed(payload, fault))]


def changed(payload: bytes, fault: Fault) -> bytes:
    """The payload as `fault` spoils it; one that is no JSON object stays as it is."""
    if fault.kind in BLOCKS:
        return blocks.spoiled(payload, fault)
    try:
        body = json.loads(payload)
    except ValueError:
        return payload
    if not isinstance(body, dict):
        return payload
    if fault.kind == "number_id":
        body["id"] = number(body.get("id"))
    elif fault.kind == "wrong_id":
        body["id"] = another(body.get("id")) if fault["id"] is None else fault["id"]
    elif fault.kind == "without" and isinstance(body.get("data"), dict):
        body["data"].pop(fault["field"], None)
    elif fault.kind == "code":
        body |= refusal(body, fault["code"], fault["message"] or "a fault")
    return compact(body)


def refusal(body: dict[str, Any], code: int, message: str) -> dict[str, Any]:
    """The members with which a reply says that it failed; a shadow's has them in its payload (application.md 6)."""
    if "code" not in body and isinstance(body.get("payload"), dict):
        return {"payload": {"status": "error", "content": {"errorcode": str(code), "errormessage": message}}}
    return {"code": code, "message": message, "data": {}}


def number(value: Any) -> Any:
    """An id of digits as a number."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def another(value: Any) -> Any:
    """Another id of the same type."""
    found = number(value)
    return type(value)(found + 1) if type(found) is int else "1"
