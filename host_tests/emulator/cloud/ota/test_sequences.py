"""Any sequence of batches, devices and restarts: one task a device, no step that is not allowed, nothing lost."""

import random

import pytest

from host_tests.support.cloud.ota import GET, NAMES, PK
from tools.emulator.cloud.ota.api import show_task
from tools.emulator.cloud.ota.tasks import FINAL, MOVES

VERSIONS = ("1.0.0", "2.0.0", "3.0.0")
OPERATIONS = {
    "connect": 6,
    "disconnect": 4,
    "inform": 6,
    "progress": 8,
    "ask": 3,
    "later": 8,
    "static": 3,
    "dynamic": 1,
    "verify": 1,
    "cancel": 2,
    "confirm": 2,
    "strategy": 1,
    "restart": 2,
    "delete": 0.3,
}


class Play:
    """One sequence, and what must hold after each step of it."""

    def __init__(self, cloud, seed):
        self.cloud, self.random = cloud, random.Random(seed)
        self.seen = {}  # TaskId -> its last state as the calls showed it
        self.gone = set()  # devices that were deleted
        for name in NAMES[:3]:
            cloud.online(name, "1.0.0")

    def some(self):
        """A device that exists."""
        return self.random.choice([name for name in NAMES if name not in self.gone])

    def device(self):
        """A device that is online, or None."""
        device = self.cloud.devices.get(self.some())
        return device if device and device.session.peer is device else None

    def connect(self):
        name = self.some()
        device = self.cloud.devices.get(name)
        if device is None or device.session.peer is not device:
            self.cloud.online(name, self.random.choice((None, *VERSIONS)), system=self.random.random() < 0.8)

    def disconnect(self):
        device = self.device()
        if device:
            self.cloud.instance.sessions.close(device.session)

    def inform(self):
        device = self.device()
        if device:
            device.inform(self.random.choice(VERSIONS))

    def progress(self):
        device = self.device()
        if device:
            device.step(self.random.choice(("-1", "-3", "0", "7", "50", "100", "101")))

    def ask(self):
        device = self.device()
        if device:
            device.ask(GET, self.random.choice(({}, {}, {"module": "MCU"})))

    def later(self):
        self.cloud.later(self.random.choice((1, 30, 60, 600, 3600)))

    def job(self, call, firmware=None, **more):
        chance = self.random
        values = {
            "FirmwareId": firmware or self.cloud.package(chance.choice(VERSIONS[1:])),
            "OverwriteMode": chance.choice((1, 2)),
            "NeedConfirm": chance.random() < 0.2,
            "NeedPush": chance.random() < 0.8,
            "MaximumPerMinute": chance.choice((0, 1, 10)),
            **chance.choice(({}, {"TimeoutInMinutes": 10})),
            **chance.choice(
                ({}, {"RetryInterval": 0, "RetryCount": 1}, {"RetryInterval": 10, "RetryCount": 2})
            ),
        }
        self.cloud.call(call, **values, **more)

    def static(self):
        schedule = {"ScheduleTime": int((self.cloud.now + 600) * 1000)} if self.random.random() < 0.3 else {}
        self.job("CreateOTAStaticUpgradeJob", **schedule)

    def dynamic(self):
        self.job("CreateOTADynamicUpgradeJob", SrcVersion=["1.0.0"], DynamicMode=self.random.choice((1, 2)))

    def verify(self):
        firmware = self.cloud.package("2.0.0", NeedToVerify=True)
        self.job("CreateOTAVerifyJob", firmware, TargetDeviceName=[self.some()])

    def jobs(self):
        return list(self.cloud.instance.ota.campaigns.jobs)

    def cancel(self):
        for job in self.jobs()[-2:]:
            names = ("Unconfirmed", "Queued", "Scheduled", "Notified", "InProgress")
            self.cloud.call(
                "CancelOTATaskByJob", JobId=job, **{f"Cancel{self.random.choice(names)}Task": True}
            )

    def confirm(self):
        waiting = [one["TaskId"] for one in self.tasks().values() if one["TaskStatus"] == "CONFIRM"]
        if waiting:
            self.cloud.api("ConfirmOTATask", TaskId=waiting[:1])

    def strategy(self):
        for job in self.jobs()[-1:]:
            self.cloud.call("CancelOTAStrategyByJob", JobId=job)

    def delete(self):
        if len(self.gone) < 2:
            name = self.some()
            self.gone.add(name)
            self.cloud.instance.delete(self.cloud.instance.registry.find(PK, name))
            self.seen = {key: one for key, one in self.seen.items() if one["DeviceName"] != name}

    def restart(self):
        before = self.tasks(), self.statuses()
        self.cloud.restart()
        self.cloud.instance.ota.campaigns.tick()
        assert (self.tasks(), self.statuses()) == before

    def tasks(self):
        """{TaskId: what ListOTATaskByJob shows of it}."""
        found = self.cloud.instance.ota.campaigns
        return {one.task_id: show_task(one) for job in found.jobs.values() for one in found.tasks_of(job)}

    def statuses(self):
        return {job.job_id: job.status for job in self.cloud.instance.ota.campaigns.jobs.values()}

    def check(self):
        found = self.tasks()
        assert set(self.seen) <= set(found), "a task is lost"
        for number, one in found.items():
            before = self.seen.get(number, one)["TaskStatus"]
            allowed = {before, *MOVES[before], *(two for step in MOVES[before] for two in MOVES[step])}
            assert one["TaskStatus"] in allowed, (before, one)
        running = [one["DeviceName"] for one in found.values() if one["TaskStatus"] not in FINAL]
        assert len(set(running)) == len(running), "a device has two tasks"
        completed = {job for job, status in self.statuses().items() if status == "COMPLETED"}
        assert all(one["TaskStatus"] in FINAL for one in found.values() if one["JobId"] in completed)
        self.seen = found


@pytest.mark.parametrize("seed", range(6))
def test_one_task_a_device_and_nothing_lost(campaign, seed):
    play = Play(campaign(), seed)
    for _ in range(120):
        (operation,) = play.random.choices(list(OPERATIONS), list(OPERATIONS.values()))
        getattr(play, operation)()
        play.check()
    assert len({one["TaskStatus"] for one in play.seen.values()}) > 2
