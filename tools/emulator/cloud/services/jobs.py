"""Custom jobs: one task a device, its states, and what devices ask and report of it (application.md 13)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.registry import Device
from tools.emulator.cloud.requests import Handler, Record, Request, Service
from tools.emulator.cloud.services.files import Files
from tools.emulator.cloud.services.shadow import deeper

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance

KIND = "tasks"  # kind of the state {taskId: task} of a device
QUEUED, SENT, IN_PROGRESS = "QUEUED", "SENT", "IN_PROGRESS"
SUCCEEDED, FAILED, REJECTED = "SUCCEEDED", "FAILED", "REJECTED"
CANCELLED, REMOVED, TIMED_OUT = "CANCELLED", "REMOVED", "TIMED_OUT"
OPEN = (QUEUED, SENT, IN_PROGRESS)
BY_DEVICE = (IN_PROGRESS, SUCCEEDED, FAILED, REJECTED)
LIST = "$list"
DETAIL_LEVELS, DOCUMENT_LEVELS = 5, 20
TIMEOUT_MAX = 7 * 24 * 60  # minutes
ID = re.compile(r"[0-9a-f]{32}")
VERSION = {"version": "1.0.0"}


def job_key(job_id: str) -> str:
    """The name of the setting {jobId, name, document, file, timeout, devices: [[pk, dn, taskId]]}."""
    return f"job {job_id}"


class Jobs(Service):
    """The jobs of `instance`, and the tasks of its devices."""

    def __init__(self, instance: Instance, files: Files):
        super().__init__(instance)
        self.files = files

    def handlers(self) -> dict[str, Handler]:
        return {"thing/job/get": self.get, "thing/job/update": self.update}

    # ---- state

    def tasks(self, device: Device) -> dict[str, dict[str, Any]]:
        """{taskId: task} of a device; a task in progress for too long is timed out from here on."""
        found, now = self.store.state(*device.key, KIND) or {}, self.instance.wall()
        late = [
            one for one in found.values() if one["status"] == IN_PROGRESS and now >= (one["until"] or now + 1)
        ]
        for task in late:
            task["status"] = TIMED_OUT
        if late:
            self.save(device, found)
        return found

    def save(self, device: Device, tasks: dict[str, dict[str, Any]]) -> None:
        self.store.save_state(*device.key, KIND, tasks)

    def change(self, device: Device, task_id: str, **values: Any) -> dict[str, Any]:
        """Puts `values` into a task; returns it."""
        tasks = self.tasks(device)
        tasks[task_id] |= values
        self.save(device, tasks)
        return tasks[task_id]

    def job(self, job_id: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.store.setting(job_key(job_id)) if ID.fullmatch(job_id) else None
        return found

    def of_job(self, job: dict[str, Any]) -> Iterable[tuple[Device, dict[str, Any]]]:
        """(device, task) of each device of a job that is still there."""
        for pk, dn, task_id in job["devices"]:
            device = self.instance.registry.find(pk, dn)
            task = device and self.tasks(device).get(task_id)
            if device and task:
                yield device, task

    # ---- the application

    def create(
        self,
        devices: list[Device],
        name: str,
        document: dict[str, Any],
        content: bytes | None = None,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """CreateJob: a task for each device, sent to those on line; the job. Raises `Refused` for its file."""
        file = None if content is None else asdict(self.files.add(content))
        job_id = secrets.token_hex(16)
        job: dict[str, Any] = {
            "jobId": job_id,
            "name": name,
            "document": document,
            "file": file,
            "timeout": timeout,
        }
        pairs = [(device, secrets.token_hex(16)) for device in devices]
        job["devices"] = [[*device.key, task_id] for device, task_id in pairs]
        with self.store.transaction():
            self.store.save_setting(job_key(job_id), job)
            for device, task_id in pairs:
                task = {"taskId": task_id, "jobId": job_id, "status": QUEUED, "until": None}
                self.save(device, self.tasks(device) | {task_id: task})
        for device, task_id in pairs:
            self.notify(device, job, task_id, SENT)
        return job

    def cancel(self, job: dict[str, Any], in_progress: bool) -> int:
        """CancelJob: tasks that wait, and those in progress too, are cancelled; how many."""
        return self.end(job, CANCELLED, OPEN if in_progress else (QUEUED, SENT))

    def delete(self, job: dict[str, Any]) -> int:
        """DeleteJob: all tasks are removed; how many."""
        count = self.end(job, REMOVED, OPEN)
        for device, task in list(self.of_job(job)):
            self.save(device, {key: one for key, one in self.tasks(device).items() if one != task})
        self.store.save_setting(job_key(job["jobId"]), None)
        if job["file"]:
            self.files.remove(job["file"]["name"])
        return count

    def end(self, job: dict[str, Any], status: str, which: tuple[str, ...]) -> int:
        """Puts tasks that are in one of the states `which` into a last one; devices that know them hear of it."""
        found = [(device, task) for device, task in self.of_job(job) if task["status"] in which]
        for device, task in found:
            self.change(device, task["taskId"], status=status)
            if self.switches.job_end_notified and task["status"] != QUEUED:
                self.notify(device, job, task["taskId"], status)
        return len(found)

    def notify(self, device: Device, job: dict[str, Any], task_id: str, status: str) -> None:
        """job/notify; a task that was queued is sent when it went out."""
        shown = self.show(device, job, {"taskId": task_id, "status": status})
        _, outcomes = self.instance.request(
            device, "thing/job/notify", "thing.job.notify", {"task": shown}, more=VERSION
        )
        if status == SENT and (outcomes["sent"] or outcomes["kept"]):
            self.change(device, task_id, status=SENT)

    def show(self, device: Device, job: dict[str, Any], task: dict[str, Any]) -> dict[str, Any]:
        """One task as a device is given it."""
        shown = {"taskId": task["taskId"], "status": task["status"], "jobDocument": job["document"]}
        if job["file"]:
            seconds = self.instance.config.timing.job_url_seconds
            shown["jobFile"] = self.files.show(job["file"], device, seconds, "fileUrl")
        return shown

    # ---- the device

    def get(self, request: Request, device: Device, record: Record) -> dict[str, Any]:
        """job/get of one task, or of the list of those that are not at their end."""
        task_id, tasks = request.objects().get("taskId"), self.tasks(device)
        if not isinstance(task_id, str) or not task_id:
            raise Refused(460)
        if task_id == LIST:
            unfinished = [one for one in tasks.values() if one["status"] in OPEN]
            listed = [{"taskId": one["taskId"], "status": one["status"]} for one in unfinished]
            return {"taskId": LIST, "tasks": listed[: self.limits.job_list]}
        job = self.job(tasks[task_id]["jobId"]) if task_id in tasks else None
        if job is None:
            return {"taskId": task_id}
        task = tasks[task_id]
        if task["status"] == QUEUED:
            task = self.change(device, task_id, status=SENT)
        return {"taskId": task_id, "task": self.show(device, job, task)}

    def update(self, request: Request, device: Device, record: Record) -> dict[str, Any]:
        """job/update: what a device makes of a task that is not at its end."""
        params, tasks = request.objects(), self.tasks(device)
        task_id, status = params.get("taskId"), params.get("status")
        progress, details = params.get("progress"), params.get("statusDetails")
        if not isinstance(task_id, str) or task_id not in tasks:
            raise Refused(460, text="no such task")
        if status not in BY_DEVICE:
            raise Refused(460, text=f"status must be one of {', '.join(BY_DEVICE)}")
        if progress is not None and not (type(progress) is int and 0 <= progress <= 100):
            raise Refused(460, text="progress must be 0 to 100")
        if details is not None and not (isinstance(details, dict) and not deeper(details, DETAIL_LEVELS)):
            raise Refused(460, text="statusDetails must be an object")
        before = tasks[task_id]
        if before["status"] not in OPEN:
            raise Refused(460, text=f"the task is {before['status']} already")
        values: dict[str, Any] = {"status": status, "progress": progress, "statusDetails": details}
        values = {key: one for key, one in values.items() if one is not None}
        if status == IN_PROGRESS and before["status"] != IN_PROGRESS:
            timeout = (self.job(before["jobId"]) or {}).get("timeout")
            values["until"] = None if timeout is None else self.instance.wall() + timeout
        self.change(device, task_id, **values)
        return {"taskId": task_id, "status": status}
