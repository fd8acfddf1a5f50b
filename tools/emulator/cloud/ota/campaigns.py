"""Batches and tasks as they run: made, pushed, timed, ended; each change is in the store (application.md 5.8)."""

from __future__ import annotations

import heapq
import secrets
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

from tools.emulator.cloud.ota import jobs, packages, tasks
from tools.emulator.cloud.ota.jobs import Job
from tools.emulator.cloud.ota.tasks import Task

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.ota.messages import Messages
    from tools.emulator.cloud.ota.packages import Package, Packages
    from tools.emulator.cloud.registry import Device

JOB, TASK, VERSIONS = "ota_job/", "ota_task/", "ota_versions"
STREAM = "ota_stream"  # setting: the number of the newest stream
FIRST_STREAM = 1_397_345
BURST = 100  # pushes of a batch in a row, so that other devices are served meanwhile
Key = tuple[str, str]


class Campaigns:
    """The batches of `instance`. `messages` sends a task's package to its device."""

    def __init__(self, instance: Instance, found: Packages):
        self.instance, self.store, self.packages = instance, instance.store, found
        self.switches = instance.config.switches
        self.messages: Messages
        self.jobs: dict[str, Job] = {}
        self.tasks: dict[str, Task] = {}
        self.of_job: dict[str, dict[str, None]] = {}
        self.left: dict[str, int] = {}  # JobId -> tasks that have not ended
        self.running: dict[Key, str] = {}  # device -> its task that has not ended
        self.of_device: dict[Key, dict[str, None]] = {}
        self.pushes: dict[str, deque[int]] = {}  # JobId -> times of the first pushes in the last minute
        self.alarms: list[tuple[int, str]] = []  # when to look at a task or a batch
        self.paused: set[str] = set()  # batches that wait for the next minute
        self.missed: set[str] = set()  # tasks whose push found no subscription
        self.load()

    def now(self) -> int:
        """Unix ms."""
        return int(self.instance.wall() * 1000)

    # ---- state

    def load(self) -> None:
        found = [Job(**body) for _, _, body in self.store.states(JOB)]
        for job in sorted(found, key=lambda job: job.number):
            self.take_in(job)
        kept = [Task(**body) for _, _, body in self.store.states(TASK)]
        for task in sorted(kept, key=lambda task: (task.created, task.stream)):
            self.index(task)
            if task.pushed is not None and task.job_id in self.pushes:
                self.pushes[task.job_id].append(task.pushed)
        for job_id, times in self.pushes.items():
            self.pushes[job_id] = deque(sorted(times))

    def take_in(self, job: Job) -> None:
        self.jobs[job.job_id] = job
        self.of_job[job.job_id], self.pushes[job.job_id], self.left[job.job_id] = {}, deque(), 0
        heapq.heappush(self.alarms, (job.start, job.job_id))

    def index(self, task: Task) -> None:
        """Puts a task into the tables; `left` counts it while it has not ended."""
        before = self.tasks.get(task.task_id)
        self.tasks[task.task_id] = task
        self.of_job.setdefault(task.job_id, {})[task.task_id] = None
        self.of_device.setdefault(task.key, {})[task.task_id] = None
        was, now = before is not None and not before.final, not task.final
        self.left[task.job_id] = self.left.get(task.job_id, 0) + now - was
        if now:
            self.running[task.key] = task.task_id
        elif self.running.get(task.key) == task.task_id:
            del self.running[task.key]
        if task.due is not None:
            heapq.heappush(self.alarms, (task.due, task.task_id))

    def save_job(self, job: Job) -> None:
        self.store.save_state(job.product_key, "", JOB + job.job_id, asdict(job))

    def set_status(self, job: Job, status: str) -> None:
        """Reports that a batch has begun or ended."""
        job.status = status
        self.save_job(job)
        self.messages.report_job(job)

    def change(self, task: Task) -> Task:
        """Keeps what an event made of a task, and what follows for its batch and its package."""
        before = self.tasks.get(task.task_id)
        if task is before:
            return task
        self.store.save_state(*task.key, TASK + task.task_id, vars(task))
        self.index(task)
        if before is None or task.status != before.status:
            self.instance.journal.event(
                "ota task", pk=task.product_key, dn=task.device_name, task=task.task_id, status=task.status
            )
            if task.final:
                self.ended(task)
        return task

    def ended(self, task: Task) -> None:
        self.missed.discard(task.task_id)
        self.messages.report_task(task)
        job = self.jobs[task.job_id]
        if task.status == tasks.SUCCEEDED and job.kind == jobs.VERIFY and self.switches.ota_verified == "one":
            self.packages.set_status(self.package(job), packages.VERIFIED)

    def settle(self, job: Job) -> None:
        """Ends a batch all of whose tasks have ended; a dynamic one waits for more devices."""
        if self.left[job.job_id] or job.ended or job.kind == jobs.DYNAMIC:
            return
        statuses = [one.status for one in self.tasks_of(job)]
        if job.kind == jobs.VERIFY and self.package(job).status == packages.VERIFYING:
            good = set(statuses) == {tasks.SUCCEEDED}
            self.packages.set_status(self.package(job), packages.VERIFIED if good else packages.REFUSED)
        self.set_status(job, jobs.ending(statuses))

    def package(self, job: Job) -> Package:
        return self.packages.find(job.firmware_id)

    def tasks_of(self, job: Job) -> list[Task]:
        return [self.tasks[task_id] for task_id in self.of_job[job.job_id]]

    def task_of(self, key: Key) -> Task | None:
        """The one task of a device that has not ended."""
        found = self.running.get(key)
        return None if found is None else self.tasks[found]

    def versions(self, key: Key) -> dict[str, str]:
        """{module: version} as a device has reported them."""
        return self.store.state(*key, VERSIONS) or {}

    # ---- batches

    def start(self, job: Job, devices: Iterable[Device]) -> None:
        """Makes a batch with a task for each of `devices`, and pushes what is due."""
        job.number = len(self.jobs) + 1
        with self.store.transaction():
            self.take_in(job)
            self.save_job(job)
            if job.kind == jobs.VERIFY:
                self.packages.set_status(self.package(job), packages.VERIFYING)
            self.messages.report_job(job)
            for device in devices:
                self.add(job, device, self.versions(device.key).get(job.module, ""))
        self.tick()

    def add(self, job: Job, device: Device, source: str) -> Task:
        """A task of a batch for a device that has the version `source`."""
        now, older = self.now(), self.task_of(device.key)
        number = (self.store.setting(STREAM) or FIRST_STREAM) + 1
        self.store.save_setting(STREAM, number)
        task = Task(
            secrets.token_hex(12),
            job.job_id,
            *device.key,
            job.module,
            source,
            self.package(job).version,
            number,
            now,
            now,
            tasks.CONFIRM if job.confirm else tasks.QUEUED,
        )
        if older is not None and job.overwrite:
            older = self.change(older.yield_to(now))
            self.settle(self.jobs[older.job_id])
        return self.change(task.refuse(now) if older is not None and not older.final else task)

    def dynamic(self, device: Device, module: str, version: str) -> None:
        """A device has reported a version: the dynamic batches that it is one for get a task."""
        wanted = device.product_key, module
        for job in list(self.jobs.values()):
            if job.kind != jobs.DYNAMIC or job.ended or (job.product_key, job.module) != wanted:
                continue
            known = [self.tasks[task_id] for task_id in self.of_device.get(device.key, ())]
            mine = [one for one in known if one.job_id == job.job_id]
            again = self.switches.ota_dynamic_again == "again" and all(one.final for one in mine)
            if job.fits(self.package(job), version) and (not mine or again):
                self.add(job, device, version)

    def cancel(self, chosen: Iterable[Task]) -> None:
        ended = [task for task in chosen if not task.final]
        with self.store.transaction():
            for task in ended:
                self.change(task.cancel(self.now()))
            for job_id in dict.fromkeys(task.job_id for task in ended):
                self.settle(self.jobs[job_id])

    def confirm(self, task: Task) -> None:
        with self.store.transaction():
            self.change(task.confirm(self.now()))
        self.offer(self.tasks[task.task_id])

    # ---- what devices do

    def rules(self, task: Task) -> tasks.Rules:
        steps_only = self.switches.ota_retry_after == "step"
        return self.jobs[task.job_id].rules(steps_only, self.switches.ota_queued_version == "keep")

    def inform(self, device: Device, module: str, version: str) -> None:
        """A version of a module was reported."""
        known = self.versions(device.key)
        if known.get(module) != version:
            self.store.save_state(*device.key, VERSIONS, known | {module: version})
            self.messages.report_version(device, module, version)
        task = self.task_of(device.key)
        if task is not None and task.module == module:
            self.apply(task.inform(self.rules(task), version, self.now()))
        self.dynamic(device, module, version)

    def progress(self, task: Task, step: int, desc: str) -> None:
        self.apply(task.report(self.rules(task), step, desc, self.now()))

    def apply(self, task: Task) -> None:
        self.change(task)
        self.settle(self.jobs[task.job_id])

    def ready(self, key: Key) -> None:
        """A device has connected: what it still needs is pushed again."""
        task = self.task_of(key)
        if task is None:
            return
        again = task.status == tasks.NOTIFIED or self.switches.ota_push_again == "upgrading"
        if task.open and task.retry_at is None and again:
            self.send(task)
        else:
            self.offer(task)

    def informed(self, key: Key) -> None:
        """After a version was reported: what waits, or what the connect's push did not reach."""
        task = self.task_of(key)
        if task is not None and task.task_id in self.missed:
            self.send(task)
        elif task is not None:
            self.offer(task)

    def asked(self, key: Key, module: str) -> Task | None:
        """The task whose package a device gets that asks for one; it counts as pushed."""
        task, now = self.task_of(key), self.now()
        if task is None or task.module != module or task.status == tasks.CONFIRM:
            return None
        if self.jobs[task.job_id].start > now:
            return None
        return self.change(task.push(now))

    def forget(self, key: Key) -> None:
        """The device was deleted, and with it what the store has of it."""
        for task_id in self.of_device.pop(key, {}):
            task = self.tasks.pop(task_id)
            del self.of_job[task.job_id][task_id]
            self.left[task.job_id] -= not task.final
            self.missed.discard(task_id)
            self.settle(self.jobs[task.job_id])
        self.running.pop(key, None)

    # ---- pushes and the clock

    def tick(self) -> None:
        """Does what is due: batches that begin, pushes that had to wait, retries, timeouts."""
        due = []
        while self.alarms and self.alarms[0][0] <= self.now():
            due.append(heapq.heappop(self.alarms)[1])
        for name in due:
            if name in self.jobs:
                self.begin(self.jobs[name])
            elif name in self.tasks:
                self.wake(self.tasks[name])

    def begin(self, job: Job) -> None:
        self.paused.discard(job.job_id)
        if job.status == jobs.PLANNED:
            with self.store.transaction():
                self.set_status(job, jobs.IN_PROGRESS)
                self.settle(job)
        sent = 0
        for task in self.tasks_of(job):
            if task.status != tasks.QUEUED:
                continue
            if sent == BURST:
                heapq.heappush(self.alarms, (self.now(), job.job_id))
                break
            if self.offer(task):
                sent += 1
            elif self.full(job):
                break

    def wake(self, task: Task) -> None:
        with self.store.transaction():
            self.apply(task.wake(self.now()))
        self.offer(self.tasks[task.task_id])

    def offer(self, task: Task) -> bool:
        """Pushes a task if that is due and the device is there; whether it did."""
        job, now = self.jobs[task.job_id], self.now()
        if not job.push or job.start > now:
            return False
        if task.open:
            return task.retry_at is not None and task.retry_at <= now and self.send(task)
        if task.status != tasks.QUEUED:
            return False
        device = self.instance.registry.find(*task.key)
        if device is None or self.instance.status(device) != "online":
            return False
        if self.full(job):
            self.resume_later(job)
            return False
        return self.send(task)

    def resume_later(self, job: Job) -> None:
        """Lets a batch that has pushed enough go on when its minute is over."""
        if job.job_id not in self.paused:
            self.paused.add(job.job_id)
            heapq.heappush(self.alarms, (self.pushes[job.job_id][0] + jobs.MINUTE, job.job_id))

    def full(self, job: Job) -> bool:
        """Whether the batch has pushed to as many devices as it may in a minute."""
        times = self.pushes[job.job_id]
        while times and times[0] <= self.now() - jobs.MINUTE:
            times.popleft()
        return bool(job.rate) and len(times) >= job.rate

    def send(self, task: Task) -> bool:
        """Sends a task's package; whether a connection took it."""
        if not self.messages.push(task):
            self.missed.add(task.task_id)
            return False
        self.missed.discard(task.task_id)
        if task.pushed is None:
            self.pushes[task.job_id].append(self.now())
        self.change(task.push(self.now()))
        return True

    def succeeded_since(self, moment: int) -> int:
        """How many upgrades have succeeded since `moment`."""
        return sum(one.status == tasks.SUCCEEDED and one.changed >= moment for one in self.tasks.values())
