"""Sub-devices get their DeviceSecret through the gateway: both kinds, and the removal (gateway.md 4, 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from tools.emulator.cloud import signing
from tools.emulator.cloud.codes import Refused, message
from tools.emulator.cloud.gateway.request import METHOD_KEY, pair_of, read_items
from tools.emulator.cloud.identifier import DEVICE_NAME
from tools.emulator.cloud.setting import first_refusal

if TYPE_CHECKING:
    from tools.emulator.cloud.gateway.operation import Asking
    from tools.emulator.cloud.gateway.request import Item
    from tools.emulator.cloud.registry import Device, Product

IOT_ID = 24  # characters of an iotId here; /auth/devicename has 32


def check_product(asking: Asking, item: Item, product: Product | None, device: Device | None) -> int | None:
    return 5005 if product is None else None


def check_switch(asking: Asking, item: Item, product: Product | None, device: Device | None) -> int | None:
    return 6288 if product is not None and not product.dynamic_registration else None


def check_self(asking: Asking, item: Item, product: Product | None, device: Device | None) -> int | None:
    return 6402 if item.key == asking.key else None


def check_device(asking: Asking, item: Item, product: Product | None, device: Device | None) -> int | None:
    return 6100 if device is None else None


def check_bound(asking: Asking, item: Item, product: Product | None, device: Device | None) -> int | None:
    return 6619 if device and device.gateway not in (None, asking.key) else None


CHECKS = {
    "product": check_product,
    "switch": check_switch,
    "self": check_self,
    "device": check_device,
    "bound": check_bound,
}


def refusal(asking: Asking, item: Item) -> int | None:
    return first_refusal(
        asking.switches.register_order, CHECKS, asking, item, asking.product(item), asking.find(item)
    )


def register(asking: Asking, params: Any) -> list[dict[str, Any]]:
    """sub/register: the gateway's session is the proof; every call issues a new secret (gateway.md 4)."""
    items = read_items(params, asking.limits.register_items)
    checked = [(item, refusal(asking, item)) for item in items]
    if asking.switches.register_bound == "omit":
        checked = [(item, code) for item, code in checked if code != 6619]
    failed = [code for _, code in checked if code]
    if failed and (len(failed) == len(checked) or asking.switches.register_mixed == "refuse"):
        raise Refused(failed[0])
    devices = [cast("Device", asking.find(item)) for item, code in checked if code is None]
    asking.registry.issue_to_subdevices(devices)
    return [
        {"iotId": device.iot_id[:IOT_ID], **pair_of(device), "deviceSecret": device.secret}
        for device in devices
    ]


def check_proxy_method(
    asking: Asking, item: Item, product: Product | None, device: Device | None
) -> int | None:
    return 6292 if signing.method(item.get(METHOD_KEY)) is None else None


def check_proxy_sign(
    asking: Asking, item: Item, product: Product | None, device: Device | None
) -> int | None:
    """Check the sign of a proxy registration; for an unknown product it fails, since there is no secret."""
    method = signing.method(item.get(METHOD_KEY))
    if method is None:
        return None
    return None if product is not None and item.proves(product.secret, method) else 6600


def check_proxy_device(
    asking: Asking, item: Item, product: Product | None, device: Device | None
) -> int | None:
    creates = asking.switches.proxy_creates and product is not None and product.node == "subdevice"
    return None if device or (creates and DEVICE_NAME.fullmatch(item.device_name)) else 6100


PROXY_CHECKS = {
    "method": check_proxy_method,
    "sign": check_proxy_sign,
    "switch": check_switch,
    "device": check_proxy_device,
}


def proxy_refusal(asking: Asking, item: Item) -> int | None:
    return first_refusal(
        asking.switches.proxy_order, PROXY_CHECKS, asking, item, asking.product(item), asking.find(item)
    )


def product_register(asking: Asking, params: Any) -> dict[str, Any]:
    """proxy/provisioning/product_register: the ProductSecret is the proof (gateway.md 5)."""
    if not isinstance(params, dict):
        raise Refused(460)
    items = read_items(params.get("proxieds"), asking.limits.proxy_items, ("random", "sign", METHOD_KEY))
    codes = [proxy_refusal(asking, item) for item in items]
    failures = [failure(asking, item, code) for item, code in zip(items, codes) if code]
    if failures and asking.switches.proxy_failures == "request":
        raise Refused(next(code for code in codes if code))
    devices = [found_or_made(asking, item) for item, code in zip(items, codes) if code is None]
    fresh = asking.switches.proxy_secret == "fresh"
    asking.registry.issue_to_subdevices([device for device in devices if fresh or not device.secret])
    return {
        "failures": failures,
        "successes": [{**pair_of(device), "deviceSecret": device.secret} for device in devices],
    }


def failure(asking: Asking, item: Item, code: int) -> dict[str, Any]:
    detail = {"code": code, "message": message(code)} if asking.switches.proxy_message else {"code": code}
    return {**item.pair, "errorDetail": detail}


def found_or_made(asking: Asking, item: Item) -> Device:
    found = asking.find(item)
    return found or asking.registry.add(asking.product(item), [item.device_name])[0]


def unregister(asking: Asking, params: Any) -> dict[str, Any]:
    """sub/unregister: the sub-device is removed from the cloud (gateway.md 4, C SDK v3 only)."""
    items = read_items(params, asking.limits.topology_items)
    if asking.switches.unregister == "silent":
        raise Refused(None)
    devices = [asking.find(item) for item in items]
    for device in devices:
        if device is None or device.gateway != asking.key:
            raise Refused(6100 if device is None else 6401)
    for device in devices:
        asking.platform.remove(cast("Device", device))
    return {}
