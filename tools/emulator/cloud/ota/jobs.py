"""Batches: which devices they have, when they push, how they treat failures (application.md 5.8). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tools.emulator.cloud.ota.tasks import Rules

if TYPE_CHECKING:
    from tools.emulator.cloud.ota.packages import Package

VERIFY, STATIC, DYNAMIC = "VERIFY_FIRMWARE", "UPGRADE_FIRMWARE_STATIC", "UPGRADE_FIRMWARE_DYNAMIC"
PLANNED, IN_PROGRESS, COMPLETED, CANCELED = "PLANNED", "IN_PROGRESS", "COMPLETED", "CANCELED"
ALL, SPECIFIC, GRAY = "ALL", "SPECIFIC", "GRAY"
HTTPS, MQTT = "HTTPS", "MQTT"
MINUTE = 60_000  # ms
RETRY_MINUTES, RETRIES = (0, 10, 30, 60, 1440), (1, 2, 5)
SCHEDULE = (5 * MINUTE, 7 * 24 * 60 * MINUTE)  # how far ahead a batch may start
TIMEOUT = (1, 1440)  # minutes
RATE = (0, 1000)  # devices a minute; 0 sets no bound (inferred)


@dataclass
class Job:
    """A batch of `firmware_id`. Times are Unix ms; `timeout` and `retry_after` minutes, None for none."""

    job_id: str
    firmware_id: str
    product_key: str
    module: str
    kind: str
    created: int
    start: int
    selection: str = ALL
    sources: list[str] = field(default_factory=list)
    percent: float | None = None
    rate: int = 0
    timeout: int | None = None
    retry_after: int | None = None
    retries: int = 0
    overwrite: bool = False
    push: bool = True
    confirm: bool = False
    protocol: str = HTTPS
    later_only: bool = False  # a dynamic batch that leaves out the devices of today
    tags: dict[str, str] = field(default_factory=dict)
    status: str = PLANNED
    number: int = 0  # its place among all batches

    def rules(self, steps_only: bool, adopts: bool) -> Rules:
        timeout = None if self.timeout is None else self.timeout * MINUTE
        again = None if self.retry_after is None else self.retry_after * MINUTE
        return Rules(timeout, again, self.retries, steps_only, adopts)

    def fits(self, package: Package, version: str) -> bool:
        """Whether a device with this version, "" for unknown, is one for this batch."""
        if version == package.version or (package.source and version != package.source):
            return False
        return not self.sources or version in self.sources

    @property
    def ended(self) -> bool:
        return self.status in (COMPLETED, CANCELED)


def chosen(
    job: Job,
    package: Package,
    versions: Mapping[str, str],
    names: Iterable[str],
    unknown: bool,
) -> list[str]:
    """The DeviceNames of a new batch out of `versions`, DeviceName to version ("" unknown), in its order.

    `names` are those of a directed batch; `unknown` takes in devices without a version.
    """
    fit = [name for name, version in versions.items() if (version or unknown) and job.fits(package, version)]
    if job.selection == SPECIFIC:
        wanted = set(names)
        return [name for name in fit if name in wanted]
    if job.selection == GRAY:
        return grey(fit, job.percent or 0, lambda name: f"{job.job_id}/{name}")
    return fit


def grey(names: list[str], percent: float, lot: Callable[[str], str]) -> list[str]:
    """`percent` of the names by lot, rounded down, one at least."""
    count = min(len(names), max(1, int(len(names) * percent / 100)))
    drawn = set(sorted(names, key=lambda name: hashlib.sha256(lot(name).encode()).digest())[:count])
    return [name for name in names if name in drawn]


def ending(statuses: Iterable[str], canceled: str = CANCELED) -> str:
    """The status of a batch whose tasks have all come to an end."""
    return CANCELED if set(statuses) == {canceled} else COMPLETED
