"""What a gateway tells of its sub-devices: found ones, and their data in one message (gateway.md 7, 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.gateway.request import read_item, read_items
from tools.emulator.cloud.identifier import DEVICE_NAME

if TYPE_CHECKING:
    from tools.emulator.cloud.gateway.operation import Asking


def list_found(asking: Asking, params: Any) -> dict[str, Any]:
    """list/found: devices that need not exist; the console shows them."""
    items = read_items(params, asking.limits.topology_items)
    for item in items:
        if asking.product(item) is None:
            raise Refused(6250)
        if not DEVICE_NAME.fullmatch(item.device_name):
            raise Refused(6280)
    asking.platform.found.setdefault(asking.key, {}).update((item.key, item.pair) for item in items)
    asking.platform.instance.lifecycle.found(asking.key, [item.pair for item in items])
    return {}


def pack_post(asking: Asking, params: Any) -> dict[str, Any]:
    """property/pack/post: properties and events of the gateway and of its sub-devices."""
    if not isinstance(params, dict):
        raise Refused(460)
    parts = params.get("subDevices", [])
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise Refused(460)
    if len(parts) > asking.limits.pack_subdevices:
        raise Refused(6357)
    items = [read_item(part.get("identity")) for part in parts]
    whole = [params, *parts]
    if count(whole, "properties") > asking.limits.pack_properties:
        raise Refused(6106)
    if count(whole, "events") > asking.limits.pack_events:
        raise Refused(6356)
    for item in items:
        device = asking.find(item)
        if device is None or device.gateway != asking.key:
            raise Refused(6401)
    asking.platform.instance.packs.take([asking.key, *(item.key for item in items)], whole)
    return {}


def count(parts: Any, kind: str) -> int:
    """How many values of `kind` there are; a list of values counts each. Raises `Refused` with 460."""
    total = 0
    for part in parts:
        values = part.get(kind, {})
        if not isinstance(values, dict):
            raise Refused(460)
        total += sum(len(value) if isinstance(value, list) else 1 for value in values.values())
    return total
