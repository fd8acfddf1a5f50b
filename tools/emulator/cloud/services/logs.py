"""Logs that devices report, and the switch by which the platform asks for them (application.md 11)."""

import re
from typing import Any

from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.registry import Device
from tools.emulator.cloud.requests import Handler, Record, Request, Service

KIND = "log"  # of points, each one entry by the time it came
MODE = "log mode"
OFF, ON = 0, 1
WRONG_TYPE, WRONG_SCOPE = 6717, 6718
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?([+-]\d{4}|Z)", re.ASCII)
NEEDED = ("utcTime", "logLevel", "module", "code", "logContent")
FIELDS = (*NEEDED, "traceContext")


class Logs(Service):
    """The logs of the devices of `instance`."""

    def handlers(self) -> dict[str, Handler]:
        return {"thing/config/log/get": self.get, "thing/log/post": self.post}

    def mode(self, device: Device) -> int:
        """1 when the device shall report, else 0."""
        return self.store.state(*device.key, MODE) or OFF

    def content(self, device: Device) -> dict[str, Any]:
        return {"getType": "content", "content": {"mode": self.mode(device)}}

    def set_mode(self, device: Device, mode: int) -> tuple[str, dict[str, int]]:
        """The console's doing: kept, and pushed; returns (id, outcomes)."""
        self.store.save_state(*device.key, MODE, mode)
        return self.instance.request(
            device, "thing/config/log/push", "thing.config.log.push", self.content(device)
        )

    def get(self, request: Request, device: Device, record: Record) -> dict[str, Any]:
        """config/log/get."""
        params = request.objects()
        if params.get("getType") != "content":
            raise Refused(WRONG_TYPE)
        if params.get("configScope") != "device":
            raise Refused(WRONG_SCOPE)
        return self.content(device)

    def post(self, request: Request, device: Device, record: Record) -> None:
        """log/post: a list of entries, all kept or none."""
        params = request.array()
        if not params or len(params) > self.limits.log_entries:
            raise Refused(460)
        found = [self.entry(one) for one in params]
        if self.mode(device) == OFF and self.switches.log_when_off == "dropped":
            record.event("log dropped", count=len(found), reason="reporting is switched off")
            return
        now = int(self.instance.wall() * 1000)
        oldest = now - int(self.instance.config.timing.log_seconds * 1000)
        self.store.add_points(*device.key, KIND, [("", now, one) for one in found], oldest)

    def entry(self, given: Any) -> dict[str, str]:
        """What is kept of one entry; raises `Refused`."""
        if not isinstance(given, dict):
            raise Refused(460)
        for name in FIELDS:
            if not isinstance(given.get(name, None if name in NEEDED else ""), str):
                raise Refused(460, text=f"{name} of a log entry must be text")
        if not TIME.fullmatch(given["utcTime"]):
            raise Refused(460, text="utcTime must be as 2020-03-06T15:15:27.464+0800")
        if len(given["logContent"].encode(errors="replace")) > self.limits.log_bytes:
            raise Refused(460, text="logContent is too long")
        return {name: given[name] for name in FIELDS if name in given}

    def kept(self, device: Device, after: int, limit: int, **wanted: str) -> list[dict[str, Any]]:
        """The first `limit` entries that came after `after` (Unix ms), with their `time`; `wanted` are fields."""
        points = self.store.points((*device.key, KIND), None, after + 1, 2**53, -1)
        found = [{"time": time, **body} for _, time, body in points]
        return [one for one in found if wanted.items() <= one.items()][:limit]
