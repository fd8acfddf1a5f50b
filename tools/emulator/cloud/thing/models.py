"""The model of each product: out of cloud.toml, or the one that the console was given later (application.md 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.thing import model
from tools.emulator.cloud.thing.model import Model

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.registry import Device
    from tools.emulator.cloud.requests import Record, Request

KIND = "tsl"


class Models:
    """Models by ProductKey; what the store has wins over cloud.toml."""

    def __init__(self, instance: Instance):
        self.store, self.switches = instance.store, instance.config.switches
        self.models: dict[str, Model] = {}
        self.levels: dict[str, str] = {}
        for seed in instance.config.products:
            kept = self.store.state(seed.product_key, "", KIND)
            found = model.read(kept) if kept is not None else seed.more.get("tsl")
            if found is not None:
                self.models[seed.product_key] = found
            self.levels[seed.product_key] = seed.more.get("tsl_check") or self.switches.tsl_check
        instance.requests.add("thing/dsltemplate/get", self.get_template)

    def of(self, product_key: str) -> Model | None:
        return self.models.get(product_key)

    def level(self, product_key: str) -> str:
        return self.levels.get(product_key, self.switches.tsl_check)

    def save(self, product_key: str, source: Any) -> Model:
        """The console was given a TSL; raises ValueError, one line."""
        found = model.read(source)
        self.store.save_state(product_key, "", KIND, source)
        self.models[product_key] = found
        return found

    def get_template(self, request: Request, device: Device, record: Record) -> dict[str, Any]:
        """dsltemplate/get: the full TSL of the device's product."""
        found = self.of(device.product_key)
        if found is None:
            raise Refused(5159)
        return model.template(found)
