"""Which sub-device is attached to which gateway, and the requests that change it (gateway.md 6)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any, cast

from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.gateway.request import METHOD_KEY, method_of, pair_of, read_items
from tools.emulator.cloud.setting import first_refusal

if TYPE_CHECKING:
    from tools.emulator.cloud.gateway.operation import Asking
    from tools.emulator.cloud.gateway.request import Item
    from tools.emulator.cloud.registry import Device

CREATED, REMOVED, ENABLED, DISABLED = 0, 1, 2, 8  # status of topo/change, gateway.md 7


class Topology:
    """The attached sub-devices by (ProductKey, DeviceName) of the gateway; kept in the registry."""

    def __init__(self, registry):
        self.registry = registry
        self.by_gateway = {}
        for product in registry.products.values():
            for device in product.devices.values():
                if device.gateway:
                    self.by_gateway.setdefault(device.gateway, {})[device.key] = device

    def of(self, gateway: tuple[str, str]) -> list[Device]:
        """The sub-devices of a gateway, in the order they were attached."""
        return list(self.by_gateway.get(gateway, {}).values())

    def count(self, gateway: tuple[str, str]) -> int:
        return len(self.by_gateway.get(gateway, ()))

    def attach(self, gateway: tuple[str, str], devices: Iterable[Device]) -> None:
        """Attaches `devices`, taking them from where they were."""
        for device in devices:
            self.forget(device)
            device.gateway = gateway
            self.by_gateway.setdefault(gateway, {})[device.key] = device
        self.registry.save_all(devices)

    def detach(self, devices: Iterable[Device]) -> None:
        for device in devices:
            self.forget(device)
        self.registry.save_all(devices)

    def forget(self, device: Device) -> None:
        """Takes `device` out without writing it."""
        if device.gateway:
            self.by_gateway[device.gateway].pop(device.key, None)
            device.gateway = None


def check_self(asking: Asking, item: Item, device: Device | None, new: Collection[Any]) -> int | None:
    return 6402 if item.key == asking.key else None


def check_device(asking: Asking, item: Item, device: Device | None, new: Collection[Any]) -> int | None:
    return 6100 if device is None else None


def check_disabled(asking: Asking, item: Item, device: Device | None, new: Collection[Any]) -> int | None:
    return 6204 if device and device.disabled else None


def check_sign(asking: Asking, item: Item, device: Device | None, new: Collection[Any]) -> int | None:
    if device is None:
        return None
    method = method_of(item, asking.switches.subdevice_method)
    return None if item.proves(device.secret, method) else 401


def check_count(asking: Asking, item: Item, device: Device | None, new: Collection[Any]) -> int | None:
    """`new` are the sub-devices that this request has attached so far."""
    if device is None or device.gateway == asking.key:
        return None
    room = asking.limits.subdevices - asking.platform.topology.count(asking.key) - len(new)
    return None if room > 0 else 6400


CHECKS = {
    "self": check_self,
    "device": check_device,
    "disabled": check_disabled,
    "sign": check_sign,
    "count": check_count,
}


def refusal(asking: Asking, item: Item, device: Device | None, new: Collection[Any]) -> int | None:
    """The code that keeps `item` from being attached, or None."""
    if code := first_refusal(asking.switches.topology_order, CHECKS, asking, item, device, new):
        return code
    device = cast("Device", device)  # by the check "device"
    if device.gateway == asking.key:
        return None if asking.switches.attach_again == 200 else asking.switches.attach_again
    if device.gateway and asking.switches.attach_elsewhere != "move":
        return asking.switches.attach_elsewhere
    return None


def sift(asking: Asking, items: list[Item], check: Callable[..., int | None]) -> list[Device]:
    """The devices of the items that `check(asking, item, device, new so far)` lets pass, or `Refused`."""
    good: list[Device] = []
    failed = []
    for item in items:
        device = asking.find(item)
        code = check(asking, item, device, [one for one in good if one.gateway != asking.key])
        if code is None:
            good.append(cast("Device", device))
        else:
            failed.append(code)
    if failed and (not good or asking.switches.topology_mixed == "refuse"):
        raise Refused(failed[0])
    return good


def data_of(asking: Asking, devices: list[Device]) -> list[dict[str, str]] | dict[str, Any]:
    return [pair_of(device) for device in devices] if asking.switches.topology_data == "pairs" else {}


def add(asking: Asking, params: Any) -> list[dict[str, str]] | dict[str, Any]:
    """topo/add, gateway.md 6.1."""
    items = read_items(params, asking.limits.topology_items, (METHOD_KEY, "sign"))
    devices = sift(asking, items, refusal)
    asking.platform.attach(asking.key, devices, own=True)
    return data_of(asking, devices)


def delete(asking: Asking, params: Any) -> list[dict[str, str]] | dict[str, Any]:
    """topo/delete, gateway.md 6.2."""

    def check(asking, item, device, new):
        if device is None:
            return 6100
        return None if device.gateway == asking.key else 6401

    devices = sift(asking, read_items(params, asking.limits.topology_items), check)
    asking.later(lambda: asking.platform.report_detached(devices, asking.key))
    asking.platform.detach(devices, own=True)
    return data_of(asking, devices)


def get(asking: Asking, params: Any) -> list[dict[str, str]]:
    """topo/get, gateway.md 6.3; params may be absent, {} or the text of it."""
    if params not in (None, {}, "{}"):
        raise Refused(460)
    return [pair_of(device) for device in asking.platform.topology.of(asking.key)]
