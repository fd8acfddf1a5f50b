"""The services of one instance, the time over MQTT, and the replies to what they push (application.md 6 to 13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.emulator.cloud import alink
from tools.emulator.cloud.requests import RAW
from tools.emulator.cloud.services.broadcasts import Broadcasts
from tools.emulator.cloud.services.configurations import Configurations
from tools.emulator.cloud.services.files import Files
from tools.emulator.cloud.services.jobs import Jobs
from tools.emulator.cloud.services.logs import Logs
from tools.emulator.cloud.services.shadow import Shadows
from tools.emulator.cloud.services.tags import Tags
from tools.emulator.cloud.services.uploads import Uploads

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.registry import Device
    from tools.emulator.cloud.requests import Record, Request

PUSHED = ("thing/config/push_reply", "thing/job/notify_reply")


class Services:
    """The services for devices of `instance` beside the thing model."""

    def __init__(self, instance: Instance):
        instance.requests.add("/ext/ntp/{pk}/{dn}/request", answer_time, RAW)
        for tail in PUSHED:
            instance.requests.add(tail, note_reply, RAW)
        self.shadows, self.tags, self.logs = Shadows(instance), Tags(instance), Logs(instance)
        self.files, self.broadcasts = Files(instance), Broadcasts(instance)
        self.configurations = Configurations(instance, self.files)
        self.jobs, self.uploads = Jobs(instance, self.files), Uploads(instance, self.files)

    def forget(self, device: Device) -> None:
        """The device was deleted."""
        self.uploads.forget(device)


def answer_time(request: Request, device: Device, record: Record) -> None:
    """The NTP topic: times in the type, number or text, that the request used (application.md 8)."""
    body = alink.parse(request.payload)
    if body is None:
        record.event("refused request", topic=request.topic, reason="no JSON")
        return
    sent = body.get("deviceSendTime")
    moment: int | str = int(record.instance.wall() * 1000)
    moment = moment if isinstance(sent, (int, float)) else str(moment)
    answer = {"deviceSendTime": sent, "serverRecvTime": moment, "serverSendTime": moment}
    record.publish(request.topic.removesuffix("request") + "response", alink.compact(answer))


def note_reply(request: Request, device: Device, record: Record) -> None:
    """Note a device's answer to a push in the log."""
    body = alink.parse(request.payload)
    if body is None or type(body.get("code")) is not int:
        reason = "no JSON" if body is None else "no code"
        record.event("reply dropped", topic=request.topic, reason=reason)
    else:
        record.event("push answered", topic=request.topic, id=str(body.get("id", ""))[:64], code=body["code"])
