"""Tags of devices, the user's own and those by which an SDK reports itself (application.md 9)."""

import re
from typing import Any

from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.registry import Device
from tools.emulator.cloud.requests import Handler, Record, Request, Service

KIND, SYSTEM_KIND = "tags", "system tags"
SYSTEM = "SYSTEM"  # the `domain` of what an SDK says of itself
KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
VALUE = re.compile(r"[\u4e00-\u9fffA-Za-z0-9_.\-]+")
UPDATE, DELETE = "thing/deviceinfo/update", "thing/deviceinfo/delete"


def entries(params: list[Any], limit: int) -> list[dict[str, Any]]:
    """The entries of a message, each an object with a key; raises `Refused`."""
    if not params or len(params) > limit or not all(isinstance(one, dict) for one in params):
        raise Refused(460)
    for one in params:
        key = one.get("attrKey")
        if not isinstance(key, str) or not KEY.fullmatch(key):
            raise Refused(460, text="attrKey must be at most 64 letters, digits and _, no digit first")
    return params


def check_value(key: str, value: Any) -> None:
    """Raise `Refused` when `value` cannot be a user's tag."""
    if not isinstance(value, str) or not VALUE.fullmatch(value):
        raise Refused(460, text=f"the value of {key} must be Chinese characters, letters, digits and _ - .")


class Tags(Service):
    """The tags of the devices of `instance`."""

    def handlers(self) -> dict[str, Handler]:
        return {UPDATE: self.update, DELETE: self.delete}

    def of(self, device: Device, kind: str = KIND) -> dict[str, str]:
        """{attrKey: attrValue} of the user, or those of `SYSTEM_KIND`."""
        return self.store.state(*device.key, kind) or {}

    def save(self, device: Device, fresh: dict[str, Any], kind: str = KIND) -> None:
        """Merges `fresh`, checked, into the tags; raises `Refused`, nothing changed, for any that is wrong."""
        for key, value in fresh.items():
            if kind == KIND:
                check_value(key, value)
            elif not isinstance(value, str):
                raise Refused(460)
        merged = self.of(device, kind) | fresh
        if len(merged) > self.limits.tags:
            raise Refused(460, text=f"a device has at most {self.limits.tags} tags")
        self.store.save_state(*device.key, kind, merged)

    def set(self, device: Device, fresh: dict[str, Any]) -> None:
        """SaveDeviceProp: the same for an application; raises `Refused`."""
        listed = [{"attrKey": key} for key in fresh]
        entries(listed, self.limits.tags_in_message)
        self.save(device, fresh)

    def update(self, request: Request, device: Device, record: Record) -> None:
        """deviceinfo/update."""
        fresh: dict[str, dict[str, Any]] = {KIND: {}, SYSTEM_KIND: {}}
        for one in entries(request.array(), self.limits.tags_in_message):
            kind = SYSTEM_KIND if one.get("domain") == SYSTEM else KIND
            fresh[kind][one["attrKey"]] = one.get("attrValue")
        for kind, values in fresh.items():
            if values:
                self.save(device, values, kind)
        if fresh[KIND]:
            value = [{"attrKey": key, "attrValue": text} for key, text in fresh[KIND].items()]
            record.message(UPDATE, {"value": value})

    def delete(self, request: Request, device: Device, record: Record) -> None:
        """deviceinfo/delete; what is not there counts as deleted."""
        for one in entries(request.array(), self.limits.tags_in_message):
            self.forget(device, one["attrKey"], SYSTEM_KIND if one.get("domain") == SYSTEM else KIND)

    def forget(self, device: Device, key: str, kind: str = KIND) -> None:
        known = self.of(device, kind)
        if known.pop(key, None) is not None:
            self.store.save_state(*device.key, kind, known)
