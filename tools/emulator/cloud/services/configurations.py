"""Remote configuration: a product's versions, what devices ask, and pushes (application.md 10)."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud import alink
from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.registry import Device, Product
from tools.emulator.cloud.requests import Handler, Record, Request, Service
from tools.emulator.cloud.services.files import Files

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance

KIND = "configuration"
PUSH = "thing/config/push"
NO_DATA, SWITCHED_OFF, TOO_OFTEN = 6710, 6713, 429


class Configurations(Service):
    """The configurations of the products of `instance`, the newest last."""

    def __init__(self, instance: Instance, files: Files):
        super().__init__(instance)
        self.files, self.timing = files, instance.config.timing

    def handlers(self) -> dict[str, Handler]:
        return {"thing/config/get": self.get}

    def of(self, product_key: str) -> dict[str, Any]:
        """{enabled, versions, pushed: Unix seconds of the last push to all}."""
        return self.store.state(product_key, "", KIND) or {"enabled": True, "versions": [], "pushed": None}

    def save(self, product_key: str, state: dict[str, Any]) -> None:
        self.store.save_state(product_key, "", KIND, state)

    def enable(self, product_key: str, enabled: bool) -> None:
        """Switches remote configuration on or off for a product."""
        self.save(product_key, self.of(product_key) | {"enabled": enabled})

    def add(self, product_key: str, content: bytes) -> dict[str, Any]:
        """A new version, {name, size, sign, time}; raises ValueError, one line, and `Refused`."""
        if len(content) > self.limits.config_bytes:
            raise ValueError(f"a configuration has at most {self.limits.config_bytes} bytes")
        if alink.parse(content) is None:
            raise ValueError("a configuration is a JSON object")
        state = self.of(product_key)
        fresh = asdict(self.files.add(content)) | {"time": int(self.instance.wall() * 1000)}
        versions, kept = [*state["versions"], fresh], self.limits.config_versions
        gone, state["versions"] = versions[:-kept], versions[-kept:]
        self.save(product_key, state)
        for one in gone:
            self.files.remove(one["name"])
        return fresh

    def show(self, version: dict[str, Any], device: Device) -> dict[str, Any]:
        """What a device is given of one version, its address good for so long."""
        file = self.files.show(version, device, self.timing.config_url_seconds)
        return {"configId": version["name"], "configSize": version["size"], "getType": "file", **file}

    def newest(self, device: Device) -> dict[str, Any]:
        """Raises `Refused`: 6713 switched off, 6710 without one."""
        state = self.of(device.product_key)
        if not state["enabled"]:
            raise Refused(SWITCHED_OFF)
        if not state["versions"]:
            raise Refused(NO_DATA)
        return self.show(state["versions"][-1], device)

    def get(self, request: Request, device: Device, record: Record) -> dict[str, Any]:
        """config/get."""
        params = request.objects()
        if params.get("configScope") != "product" or params.get("getType") != "file":
            raise Refused(460)
        return self.newest(device)

    def push(self, product: Product, device: Device | None) -> list[str]:
        """PushConfig: to a device, or to all, which is at most once an hour; the ids. Raises `Refused`."""
        devices = list(product.devices.values()) if device is None else [device]
        params, state = {one: self.newest(one) for one in devices}, self.of(product.product_key)
        now, last = self.instance.wall(), state["pushed"]
        if device is None:
            if last is not None and now < last + self.timing.config_push_seconds:
                raise Refused(TOO_OFTEN, text="a configuration goes to all devices once an hour at most")
            self.save(product.product_key, state | {"pushed": now})
        return [self.instance.request(one, PUSH, "thing.config.push", params[one])[0] for one in devices]
