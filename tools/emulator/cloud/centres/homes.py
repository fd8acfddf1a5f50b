"""The home of each device: it belongs to one centre, and some centres send the others' devices on to theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.centres.host_names import GLOBAL, mqtt_host

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.registry import Device, Product


class Homes:
    """The home of each device: the one that the admin has set, else that of `config`."""

    def __init__(self, config):
        self.centres, self.own = config.centres, config.region
        self.configured = {product.product_key: product.centre for product in config.products}
        self.configured |= {
            (product.product_key, device.device_name): device.centre
            for product in config.products
            for device in product.devices
            if device.centre
        }

    def of(self, device: Device) -> str:
        """The region where `device` is at home; one that is no centre here counts as the instance's own."""
        found = device.centre or self.configured.get(device.key) or self.configured.get(device.product_key)
        return found if found in self.centres else self.own


def served(product: Product) -> bool:
    """Whether devices of `product` ask a centre by themselves; sub-devices never do."""
    return product.node != "subdevice"


def verdict(device: Device, centre: str | None, instance: Instance, handed: bool) -> int | None:
    """None if `centre` answers for `device`: its home is there, or `handed` allows to send it on. Else the code."""
    switches = instance.config.switches
    if instance.registry.homes.of(device) == centre or handed and centre in (GLOBAL, *switches.routers):
        return None
    return switches.auth_elsewhere


def endpoint(region: str, product_key: str | None, instance: Instance) -> dict[str, Any]:
    """{"host", "port"} of MQTT in a region, as the switches have it."""
    switches = instance.config.switches
    named = product_key if switches.auth_host == "product" else None
    return {"host": mqtt_host(region, named), "port": switches.auth_port}


def resources(fields: dict[str, str], device: Device, instance: Instance) -> dict[str, Any]:
    """The `resources` of an answer: those that were asked for, of which there is only mqtt."""
    if "mqtt" not in fields.get("resources", "mqtt").split(","):
        return {}
    return {"mqtt": endpoint(instance.registry.homes.of(device), device.product_key, instance)}
