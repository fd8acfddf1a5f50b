"""OTA, a batch: its devices' tasks as they run, confirming and cancelling."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.console.page import Page, Refused
from tools.emulator.cloud.console.paging import Paging
from tools.emulator.cloud.console.visit import address
from tools.emulator.cloud.ota import api, jobs, tasks

if TYPE_CHECKING:
    from starlette.responses import Response

    from tools.emulator.cloud.console.visit import Visit
    from tools.emulator.cloud.ota.jobs import Job

page = Page("ota_batch")
AT = "/ota/batches/{job}"
# state of a task -> what CancelOTATaskByJob calls those in it
CANCELS = {
    tasks.CONFIRM: "CancelUnconfirmedTask",
    tasks.QUEUED: "CancelQueuedTask",
    tasks.NOTIFIED: "CancelNotifiedTask",
    tasks.IN_PROGRESS: "CancelInProgressTask",
}


def batch_of(visit: Visit, job: str) -> Job:
    found = visit.instance.ota.campaigns.jobs.get(job)
    if found is None:
        raise Refused(visit.text("ota.no_batch"), 404)
    return found


@page.get(AT)
def show(visit: Visit, job: str) -> Response:
    batch = batch_of(visit, job)
    package = visit.instance.ota.packages.packages.get(batch.firmware_id)
    return visit.render(
        "ota/batch.html",
        batch=batch,
        package=package,
        status=visit.query.get("status", ""),
        statuses=tuple(tasks.MOVES),
        cancels=CANCELS,
    )


@page.region(AT, "ota/state.html", every=0.5)
def state(visit: Visit, job: str) -> dict[str, Any]:
    batch = batch_of(visit, job)
    counts = Counter(task.status for task in visit.instance.ota.campaigns.tasks_of(batch))
    return {"batch": batch, "counts": [(one, counts[one]) for one in tasks.MOVES], "total": counts.total()}


@page.region(AT, "ota/tasks.html", every=0.5)
def rows(visit: Visit, job: str) -> dict[str, Any]:
    batch, status = batch_of(visit, job), visit.query.get("status", "")
    found = visit.instance.ota.campaigns.tasks_of(batch)
    shown = [task for task in found if status in ("", task.status)]
    return {"paging": Paging(visit, shown), "here": address("ota", "batches", job)}


@page.post(AT + "/confirm", back=AT)
async def confirm(visit: Visit, job: str) -> Response:
    """One task, or all that wait for it."""
    batch, task = batch_of(visit, job), visit.field("task")
    waiting = [one for one in visit.instance.ota.campaigns.tasks_of(batch) if one.status == tasks.CONFIRM]
    names = [task] if task else [one.task_id for one in waiting]
    for at in range(0, len(names), api.PAGE_MAX):
        await visit.call("ConfirmOTATask", TaskId=names[at : at + api.PAGE_MAX])
    return visit.done(address("ota", "batches", job), "ota.confirmed", n=len(names))


@page.post(AT + "/cancel", back=AT)
async def cancel(visit: Visit, job: str) -> Response:
    """The tasks in the states that were ticked; a batch that has not begun has none but scheduled ones."""
    batch = batch_of(visit, job)
    asked = {name: True for state, name in CANCELS.items() if visit.ticked(state)}
    if "CancelQueuedTask" in asked and batch.start > visit.instance.ota.campaigns.now():
        asked["CancelScheduledTask"] = True
    await visit.call("CancelOTATaskByJob", JobId=job, **asked)
    return visit.done(address("ota", "batches", job), "ota.cancelled")


@page.post(AT + "/cancel_device", back=AT)
async def cancel_device(visit: Visit, job: str) -> Response:
    pk, name = batch_of(visit, job).product_key, visit.field("device_name")
    await visit.call("CancelOTATaskByDevice", ProductKey=pk, DeviceName=name)
    return visit.done(address("ota", "batches", job), "ota.cancelled")


@page.post(AT + "/close", back=AT)
async def close(visit: Visit, job: str) -> Response:
    """A dynamic batch takes no more devices."""
    if batch_of(visit, job).kind != jobs.DYNAMIC:
        raise Refused(visit.text("ota.not_dynamic"))
    await visit.call("CancelOTAStrategyByJob", JobId=job)
    return visit.done(address("ota", "batches", job), "ota.closed")
