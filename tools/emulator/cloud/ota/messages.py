"""The topics of OTA: versions and progress up, packages down, reports to the business server (application.md 5.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud import alink
from tools.emulator.cloud.ota import jobs, tasks, urls
from tools.emulator.cloud.ota.packages import DEFAULT, MD5, TEXT
from tools.emulator.cloud.requests import RAW
from tools.emulator.cloud.web import compact

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.ota.campaigns import Campaigns
    from tools.emulator.cloud.ota.jobs import Job
    from tools.emulator.cloud.ota.keys import Keys
    from tools.emulator.cloud.ota.packages import File, Package, Packages
    from tools.emulator.cloud.ota.tasks import Task
    from tools.emulator.cloud.registry import Device
    from tools.emulator.cloud.requests import Record, Request

STEP = re.compile(r"-[1-4]|[0-9]{1,2}|100")
DESC_MAX = 1000  # characters kept of a report's text


class Messages:
    """Messages between the devices of `instance` and its `campaigns`."""

    def __init__(
        self, instance: Instance, found: Packages, keys: Keys, campaigns: Campaigns, url_secret: bytes
    ):
        self.instance, self.packages, self.keys, self.campaigns = instance, found, keys, campaigns
        self.switches, self.url_secret = instance.config.switches, url_secret
        add = instance.requests.add
        add("/ota/device/inform/{pk}/{dn}", self.inform, RAW)
        add("/ota/device/progress/{pk}/{dn}", self.progress, RAW)
        add("/ota/device/request/{pk}/{dn}", self.request, RAW)
        add("thing/ota/firmware/get", self.get)

    # ---- down

    def push(self, task: Task) -> bool:
        """Sends a task's package; whether a connection took it (application.md 5.3)."""
        now = self.campaigns.now()
        body = {
            "code": "1000",
            "data": self.data(task),
            "id": now if self.switches.ota_push_id == "number" else str(now),
            "message": "success",
        }
        topic = "/ota/device/upgrade/{}/{}".format(*task.key)
        return bool(self.instance.send_down(*task.key, topic, compact(body), 0)["sent"])

    def data(self, task: Task) -> dict[str, Any]:
        """The package as a device gets it, with URLs that are fresh."""
        job = self.campaigns.jobs[task.job_id]
        package = self.packages.find(job.firmware_id)
        spelled = self.switches.ota_md5 if package.sign_method == MD5 else self.switches.ota_sha256
        found: dict[str, Any] = {"version": package.version, "signMethod": spelled}
        if len(package.files) == 1:
            found |= self.single(package, task, job.protocol)
        else:
            found["files"] = [
                self.one_of_several(package, number, one, task) for number, one in enumerate(package.files, 1)
            ]
        if package.source:
            found["isDiff"] = 1
        if package.module != DEFAULT:
            found["module"] = package.module
        extra = job.tags | ({"_package_udi": package.udi} if package.udi else {})
        return found | ({"extData": extra} if extra else {})

    def single(self, package: Package, task: Task, protocol: str) -> dict[str, Any]:
        """What a package of one file has at its top."""
        (file,) = package.files
        found: dict[str, Any] = {"size": file.size, "sign": file.sign}
        if package.sign_method == MD5:
            found["md5"] = file.sign
        if self.keys.enabled(package.product_key):
            found["digestsign"] = self.keys.sign(package.product_key, bytes.fromhex(file.sign))
        if protocol == jobs.MQTT:
            return found | {"dProtocol": "mqtt", "streamId": task.stream, "streamFileId": 1}
        return found | {"url": self.url(package, 1, file, task)}

    def one_of_several(self, package: Package, number: int, file: File, task: Task) -> dict[str, Any]:
        found: dict[str, Any] = {
            "fileName": file.name,
            "fileSize": file.size,
            "fileUrl": self.url(package, number, file, task),
            "fileSign": file.sign,
        }
        return found | ({"fileMd5": file.sign} if package.sign_method == MD5 else {})

    def url(self, package: Package, number: int, file: File, task: Task) -> str:
        device = self.instance.registry.find(*task.key)
        region = self.instance.registry.homes.of(device) if device else self.instance.config.region
        path = f"/ota/{package.firmware_id}/{number}/{file.name}"
        expires = int(self.instance.wall() + self.instance.config.timing.ota_url_seconds)
        length = self.instance.config.limits.ota_url_characters
        return urls.make(self.url_secret, region, path, task.key, expires, length)

    # ---- up

    def inform(self, request: Request, device: Device, record: Record) -> None:
        """A version; no reply exists (application.md 5.2)."""
        params = params_of(request) or {}
        module, version = params.get("module", DEFAULT), params.get("version", "")
        if not (is_text(module) and is_text(version)):
            record.event("dropped version", topic=request.topic, reason="version or module does not fit")
            return
        self.campaigns.inform(device, module, version)
        record.later(lambda: self.campaigns.informed(device.key))

    def progress(self, request: Request, device: Device, record: Record) -> None:
        """A step of the device's task; no reply exists (application.md 5.4)."""
        params = params_of(request) or {}
        step, desc, task = params.get("step"), params.get("desc", ""), self.campaigns.task_of(device.key)
        if type(step) is int and self.switches.ota_step_number == "take":
            step = str(step)
        if not isinstance(step, str) or not STEP.fullmatch(step):
            record.event("dropped progress", topic=request.topic, reason="step is not -4 to 100 as text")
        elif task is None or not task.open or params.get("module", task.module) != task.module:
            record.event("dropped progress", topic=request.topic, reason="no such task was pushed")
        else:
            self.campaigns.progress(task, int(step), desc[:DESC_MAX] if isinstance(desc, str) else "")

    def get(self, request: Request, device: Device, record: Record) -> dict[str, Any]:
        """firmware/get: the package of the device's task, {} when there is none (application.md 5.2)."""
        params = request.params if isinstance(request.params, dict) else {}
        module = params.get("module", DEFAULT)
        task = self.campaigns.asked(device.key, module) if is_text(module) else None
        return {} if task is None else self.data(task)

    def request(self, request: Request, device: Device, record: Record) -> None:
        """The older form, answered on the same topic (application.md 5.2)."""
        body = alink.parse(request.payload)
        if body is None:
            code: Any = 500
            answer = alink.reply({}, code, {}, "system error")
        else:
            code = self.switches.ota_request_code
            answer = alink.reply(body, code, self.get(as_request(request, body), device, record))
        record.publish(request.topic, answer)

    # ---- the business server, application.md 15

    def report_version(self, device: Device, module: str, version: str) -> None:
        body = {"moduleName": module, "moduleVersion": version, "messageCreateTime": self.campaigns.now()}
        self.instance.server_messages.add(device, "ota/version/post", body)

    def report_task(self, task: Task) -> None:
        device = self.instance.registry.find(*task.key)
        if device is None or task.status == tasks.CANCELED:
            return
        body = {
            "status": task.status,
            "srcVersion": task.source,
            "destVersion": task.target,
            "desc": task.desc,
            "jobId": task.job_id,
            "taskId": task.task_id,
            "messageCreateTime": self.campaigns.now(),
        }
        self.instance.server_messages.add(device, "ota/upgrade", body)

    def report_job(self, job: Job) -> None:
        body = {
            "productKey": job.product_key,
            "moduleName": job.module,
            "packageId": job.firmware_id,
            "jobId": job.job_id,
            "status": job.status,
            "messageCreateTime": self.campaigns.now(),
        }
        topic = f"/{job.product_key}/{job.firmware_id}/{job.job_id}/ota/job/status"
        self.instance.server_messages.send(topic, body)


def is_text(value: object) -> bool:
    """Whether `value` can be a version or the name of a module."""
    return isinstance(value, str) and TEXT.fullmatch(value) is not None


def params_of(request: Request) -> dict[str, Any] | None:
    """`params` of a message without a reply; None when there are none."""
    found = (alink.parse(request.payload) or alink.Body()).get("params")
    return found if isinstance(found, dict) else None


def as_request(request: Request, body: alink.Body) -> Request:
    """A raw request with its JSON."""
    return type(request)(request.topic, request.levels, request.payload, body)
