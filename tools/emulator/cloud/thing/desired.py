"""Desired properties: what the cloud wants a device to be, with a version each (application.md 3.6)."""

from typing import Any

from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.registry import Device
from tools.emulator.cloud.requests import Handler, Record, Request, Service

KIND = "desired"  # kind of the state {identifier: {version, time, value unless it was cleared}}


class Conflict(Exception):
    """The version that a console named is not the newest."""


class Desired(Service):
    """Desired values of the devices of `instance`. A version never goes back, not even when its value is cleared."""

    def handlers(self) -> dict[str, Handler]:
        return {"thing/property/desired/get": self.get, "thing/property/desired/delete": self.delete}

    def kept(self, device: Device) -> dict[str, dict[str, Any]]:
        return self.store.state(*device.key, KIND) or {}

    def current(self, device: Device) -> dict[str, dict[str, Any]]:
        """{identifier: {value, version, time}} of what is desired now; `time` is Unix ms."""
        return {name: one for name, one in self.kept(device).items() if "value" in one}

    def set(self, device: Device, values: dict[str, Any], versions: dict[str, int]) -> dict[str, int]:
        """The console desires `values`; returns their new versions. `versions` are those that must be the newest.

        Raises `Refused` for what the model does not let be set, and `Conflict`.
        """
        self.instance.downlinks.check_settable(device, values)
        kept, now = self.kept(device), self.instance.things.now()
        for name, version in versions.items():
            newest = kept.get(name, {}).get("version", 0)
            if version != newest:
                raise Conflict(f"the version of {name} is {newest}, not {version}")
        for name, value in values.items():
            version = kept.get(name, {}).get("version", 0) + 1
            kept[name] = {"value": value, "version": version, "time": now}
        self.store.save_state(*device.key, KIND, kept)
        return {name: kept[name]["version"] for name in values}

    def clear(self, device: Device, names: dict[str, int | None]) -> None:
        """Clears {identifier: its version, or None for whichever}; another version than the newest clears nothing."""
        kept = self.kept(device)
        for name, version in names.items():
            one = kept.get(name)
            if one is not None and version in (None, one["version"]):
                one.pop("value", None)
        self.store.save_state(*device.key, KIND, kept)

    # ---- requests

    def get(self, request: Request, device: Device, record: Record) -> dict[str, dict[str, Any]]:
        """property/desired/get: value and version of each that is asked for and set."""
        names = request.array()
        if not all(isinstance(name, str) for name in names):
            raise Refused(460)
        if len(names) > self.limits.properties:
            raise Refused(6104)
        current = self.current(device)
        return {
            name: {key: current[name][key] for key in ("value", "version")}
            for name in names
            if name in current
        }

    def delete(self, request: Request, device: Device, record: Record) -> None:
        """property/desired/delete: with a version only that one, else whatever is desired."""
        names = {}
        for name, one in request.objects().items():
            version = one.get("version") if isinstance(one, dict) else "none"
            if version is not None and type(version) is not int:
                raise Refused(460)
            names[name] = version
        self.clear(device, names)
        record.event("desired cleared", identifiers=", ".join(names)[:256])
