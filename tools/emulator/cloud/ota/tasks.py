"""The task of one device in a batch, and what each event makes of it (application.md 5.8).

Pure: a `Task` is a value, an event gives the next one (the same object when
nothing changes), and every time is an argument, Unix ms.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

CONFIRM, QUEUED = "CONFIRM", "QUEUED"
NOTIFIED, IN_PROGRESS = "NOTIFIED", "IN_PROGRESS"
SUCCEEDED, FAILED, CANCELED = "SUCCEEDED", "FAILED", "CANCELED"
FINAL = (SUCCEEDED, FAILED, CANCELED)
# state -> the states that may follow; an event may pass through one that lies between
MOVES = {
    CONFIRM: (QUEUED, SUCCEEDED, FAILED, CANCELED),
    QUEUED: (NOTIFIED, SUCCEEDED, FAILED, CANCELED),
    NOTIFIED: (IN_PROGRESS, SUCCEEDED, FAILED, CANCELED),
    IN_PROGRESS: (SUCCEEDED, FAILED, CANCELED),
    SUCCEEDED: (),
    FAILED: (),
    CANCELED: (),
}
# what a negative step means (application.md 5.4)
STEPS = {-1: "upgrade failed", -2: "download failed", -3: "verification failed", -4: "flashing failed"}
TIMED_OUT, RUNNING, NEWER = "timeout", "another task is running", "a newer task took its place"


@dataclass(frozen=True)
class Rules:
    """How a batch treats failures: `timeout` and `retry_after` in ms, None for none; `steps_only` by switch."""

    timeout: int | None = None
    retry_after: int | None = None
    retries: int = 0
    steps_only: bool = False
    adopts: bool = False  # before the push another version becomes the source


@dataclass(frozen=True)
class Task:
    """`source` is the version that the device has, "" while it never reported one.

    `pushed` is the time of the first push, `deadline` that of the timeout,
    `retry_at` that of the next push after a failure; None for none.
    """

    task_id: str
    job_id: str
    product_key: str
    device_name: str
    module: str
    source: str
    target: str
    stream: int
    created: int
    changed: int
    status: str = QUEUED
    progress: str = ""
    desc: str = ""
    pushed: int | None = None
    deadline: int | None = None
    retried: int = 0
    retry_at: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.product_key, self.device_name

    @property
    def final(self) -> bool:
        return self.status in FINAL

    @property
    def open(self) -> bool:
        """Whether the device has the package: pushed or upgrading."""
        return self.status in (NOTIFIED, IN_PROGRESS)

    @property
    def due(self) -> int | None:
        """When something happens without an event."""
        return min((time for time in (self.deadline, self.retry_at) if time is not None), default=None)

    def to(self, status: str, now: int, **fields: Any) -> Task:
        return replace(self, status=status, changed=now, **fields)

    def end(self, status: str, now: int, desc: str) -> Task:
        return self.to(status, now, desc=desc, deadline=None, retry_at=None)

    # ---- events

    def push(self, now: int) -> Task:
        """The package was sent, as a push or as an answer."""
        if self.status == QUEUED:
            return self.to(NOTIFIED, now, pushed=now)
        if self.open and self.retry_at is not None:
            return replace(self, retried=self.retried + 1, retry_at=None, progress="", changed=now)
        return self

    def report(self, rules: Rules, step: int, desc: str, now: int) -> Task:
        """A progress report; before the push and while a retry is awaited it has no effect."""
        if not self.open or self.retry_at is not None:
            return self
        task = self
        if task.status == NOTIFIED:
            deadline = None if rules.timeout is None else now + rules.timeout
            task = task.to(IN_PROGRESS, now, deadline=deadline)
        if step < 0:
            return replace(task, progress=str(step)).fail(rules, desc or STEPS.get(step, ""), now, True)
        return replace(task, progress=str(step), desc=desc, changed=now)

    def inform(self, rules: Rules, version: str, now: int) -> Task:
        """The device has reported the version of the task's module."""
        if self.final:
            return self
        if version == self.target:
            return self.end(SUCCEEDED, now, self.desc)
        if self.retry_at is not None:
            return self
        if self.status != IN_PROGRESS:
            if version == self.source:
                return self
            if not self.source or (rules.adopts and not self.open):
                return replace(self, source=version, changed=now)
        return self.fail(rules, f"version {version} is not the target", now)

    def wake(self, now: int) -> Task:
        """The clock; a retry that is due is the pusher's."""
        if self.status == IN_PROGRESS and self.deadline is not None and self.deadline <= now:
            return self.end(FAILED, now, TIMED_OUT)
        return self

    def confirm(self, now: int) -> Task:
        """ConfirmOTATask."""
        return self.to(QUEUED, now) if self.status == CONFIRM else self

    def cancel(self, now: int) -> Task:
        """By the operator."""
        return self if self.final else self.end(CANCELED, now, "canceled")

    def refuse(self, now: int) -> Task:
        """It was made while the device has another task."""
        return self.end(FAILED, now, RUNNING)

    def yield_to(self, now: int) -> Task:
        """A newer batch overwrites it; one that is upgrading stays."""
        return self if self.final or self.status == IN_PROGRESS else self.end(FAILED, now, NEWER)

    def fail(self, rules: Rules, desc: str, now: int, step: bool = False) -> Task:
        """Failed, or a retry is awaited while the state stays."""
        again = self.open and self.retried < rules.retries and (step or not rules.steps_only)
        if again and rules.retry_after is not None:
            return replace(self, retry_at=now + rules.retry_after, desc=desc, changed=now)
        return self.end(FAILED, now, desc)
