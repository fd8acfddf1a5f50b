"""iotId and iotToken: what /auth/devicename gives out and a CONNECT shows (direct.md 6.1)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud import signing

if TYPE_CHECKING:
    from tools.emulator.cloud.registry import Device

TOKENS_MAX = 50  # of one device, if all of them are good


class Tokens:
    """The tokens of all devices of `registry`, which keeps them with the devices."""

    def __init__(self, registry, config):
        self.registry = registry
        self.seconds = config.timing.token_seconds
        self.kept = 1 if config.switches.auth_repeat == "last" else TOKENS_MAX
        self.devices = {
            device.iot_id: device
            for product in registry.products.values()
            for device in product.devices.values()
            if device.tokens
        }

    def find(self, iot_id: str | None) -> Device | None:
        """The device whose iotId it is, or None."""
        device = self.devices.get(iot_id)
        return device if device and self.registry.find(*device.key) is device else None

    def issue(self, device: Device, now: float) -> tuple[str, str]:
        """(iotId, iotToken): the iotId is the device's, the token is fresh."""
        self.devices[device.iot_id] = device
        token = secrets.token_hex(16)
        good = [one for one in device.tokens if self.lives(one, now)]
        device.tokens = [*good, [token, now]][-self.kept :]
        self.registry.save(device)
        return device.iot_id, token

    def lives(self, issued: Sequence[Any], now: float) -> bool:
        return now < issued[1] + self.seconds

    def good(self, device: Device, token: str, now: float) -> bool:
        """Whether `token` was issued to the device and has not expired."""
        return any(self.lives(one, now) and signing.same(token, one[0]) for one in device.tokens)

    def void(self, device: Device) -> None:
        """Make every token of the device invalid."""
        device.tokens = []
        self.registry.save(device)
