"""What the platform knows of devices: the values of their properties (application.md 3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.codes import Refused

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.registry import Device
    from tools.emulator.cloud.requests import Record, Request

Key = tuple[str, str]
# a property's name, behind that of its module if it is not of the default one (application.md 2)
PROPERTY = re.compile(r"(?:[A-Za-z0-9_]{1,50}:)?[A-Za-z0-9_]{1,50}")
KIND = "properties"


class Things:
    """The things of `instance`; their state is in its store."""

    def __init__(self, instance: Instance):
        self.instance, self.store, self.limits = instance, instance.store, instance.config.limits
        instance.requests.add("thing/event/property/post", self.post)
        instance.requests.add("thing/event/+/post", self.event)

    def values(self, key: Key) -> dict[str, Any]:
        """The newest value of each property of a device."""
        return self.store.state(*key, KIND) or {}

    def update(self, key: Key, values: dict[str, Any]) -> None:
        plain_values = {name: plain(value) for name, value in values.items()}
        self.store.save_state(*key, KIND, self.values(key) | plain_values)

    def check(self, key: Key, values: dict[str, Any]) -> None:
        """Raises `Refused` when no thing model could have these properties beside those there are."""
        known = self.values(key)
        names = [name for name in values if name not in known]
        wrong = [name for name in names if not PROPERTY.fullmatch(name)]
        wrong += names[max(self.limits.features - len(known), 0) :]
        if wrong:
            raise Refused(6304, text=f"tsl parse: params not exist -> {wrong[0][:128]}")
        for name, value in values.items():
            if isinstance(plain(value), str) and len(plain(value)) > self.limits.text_characters:
                raise Refused(6310, text=f"tsl parse: text size error -> {name}")

    def post(self, request: Request, device: Device, record: Record) -> None:
        values = request.objects()
        if len(values) > self.limits.properties:
            raise Refused(6106)
        self.check(device.key, values)
        self.update(device.key, values)

    def event(self, request: Request, device: Device, record: Record) -> None:
        request.objects()


def plain(value: Any) -> Any:
    """What a property is now, without its time."""
    return value["value"] if isinstance(value, dict) and "value" in value else value
