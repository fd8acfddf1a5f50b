"""Calls of the cloud's API on batches and tasks (application.md 5.8)."""

from __future__ import annotations

import secrets
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.cloud_api import Failed, action, device_of, value
from tools.emulator.cloud.ota import jobs, packages, tasks
from tools.emulator.cloud.ota.jobs import Job

if TYPE_CHECKING:
    from tools.emulator.cloud.admin import AdminApp
    from tools.emulator.cloud.ota.campaigns import Campaigns
    from tools.emulator.cloud.ota.packages import Package
    from tools.emulator.cloud.ota.tasks import Task
    from tools.emulator.cloud.registry import Device

PAGE_MAX = 200
OVERWRITE = {1: False, 2: True}  # OverwriteMode
CANCELS = {
    "CancelUnconfirmedTask": tasks.CONFIRM,
    "CancelQueuedTask": tasks.QUEUED,
    "CancelScheduledTask": tasks.QUEUED,
    "CancelNotifiedTask": tasks.NOTIFIED,
    "CancelInProgressTask": tasks.IN_PROGRESS,
}


def within(values: dict[str, Any], name: str, bounds: tuple[int, int], unit: str) -> int | None:
    """A whole number of a call inside `bounds`, None if it is left out; raises `Failed`."""
    found = values.get(name)
    if found is not None and not (type(found) is int and bounds[0] <= found <= bounds[1]):
        raise Failed("ParameterError", f"{name} must be {bounds[0]} to {bounds[1]} {unit}")
    return found


def one_of(values: dict[str, Any], name: str, allowed: tuple[Any, ...], default: Any) -> Any:
    found = values.get(name, default)
    if found not in (default, *allowed):
        raise Failed("ParameterError", f"{name} must be one of {', '.join(map(str, allowed))}")
    return found


def texts(values: dict[str, Any], name: str, most: int) -> list[str]:
    """A list of texts, [] if it is left out."""
    found = value(values, name, list, [])
    if len(found) > most or not all(isinstance(one, str) for one in found):
        raise Failed("ParameterError", f"{name} must be at most {most} texts")
    return found


# ---- batches


def job_of(app: AdminApp, values: dict[str, Any], kind: str) -> tuple[Job, Package]:
    """What a call makes of a package, without its devices; raises `Failed`."""
    ota, now = app.instance.ota, app.instance.ota.campaigns.now()
    package = ota.packages.find(value(values, "FirmwareId", str))
    if value(values, "ProductKey", str) != package.product_key:
        raise Failed("ParameterError", "the package is another product's")
    tags = value(values, "Tag", dict, {})
    if not all(isinstance(text, str) for text in tags.values()):
        raise Failed("ParameterError", "Tag must be texts by their keys")
    retries = one_of(values, "RetryCount", jobs.RETRIES, 0)
    retry_after = one_of(values, "RetryInterval", jobs.RETRY_MINUTES, None)
    if bool(retries) != (retry_after is not None):
        raise Failed("ParameterError", "RetryInterval and RetryCount go together")
    job = Job(
        secrets.token_hex(12),
        package.firmware_id,
        package.product_key,
        package.module,
        kind,
        now,
        now,
        rate=within(values, "MaximumPerMinute", jobs.RATE, "devices") or 0,
        timeout=within(values, "TimeoutInMinutes", jobs.TIMEOUT, "minutes"),
        retry_after=retry_after,
        retries=retries,
        overwrite=OVERWRITE[one_of(values, "OverwriteMode", (1, 2), 1)],
        push=value(values, "NeedPush", bool, True),
        confirm=value(values, "NeedConfirm", bool, False),
        protocol=one_of(values, "DownloadProtocol", (jobs.HTTPS, jobs.MQTT), jobs.HTTPS),
        sources=texts(values, "SrcVersion", app.instance.config.limits.ota_source_versions),
        tags=tags,
    )
    check_protocol(app, job, package)
    check_quota(app)
    return job, package


def check_protocol(app: AdminApp, job: Job, package: Package) -> None:
    """What can be downloaded over MQTT (application.md 5.6)."""
    config = app.instance.config
    if job.protocol != jobs.MQTT:
        return
    if len(package.files) > 1:
        raise Failed("iot.ota.Protocol", "several files are for HTTPS only")
    if package.files[0].size > config.limits.ota_mqtt_file_bytes:
        raise Failed(
            "iot.ota.Protocol", f"a file over MQTT has at most {config.limits.ota_mqtt_file_bytes} bytes"
        )
    if config.region not in config.switches.ota_mqtt_regions:
        raise Failed("iot.ota.Protocol", f"{config.region} has no download over MQTT")


def check_quota(app: AdminApp) -> None:
    """The upgrades of a month, if the switch is on."""
    config = app.instance.config
    most = config.limits.ota_month_public if config.kind == "public" else config.limits.ota_month_enterprise
    moment = datetime.fromtimestamp(app.instance.wall(), timezone.utc)
    begin = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    used = app.instance.ota.campaigns.succeeded_since(int(begin.timestamp() * 1000))
    if config.switches.ota_quota == "refuse" and used >= most:
        raise Failed("iot.ota.Quota", f"the {most} upgrades of this month are used up")


def check_verified(package: Package) -> None:
    if package.status not in (packages.UNCHECKED, packages.VERIFIED):
        raise Failed("iot.ota.NotVerified", "the package is not verified; CreateOTAVerifyJob comes first")


def begin(app: AdminApp, job: Job, package: Package, names: list[str]) -> dict[str, Any]:
    """Starts a batch with the devices that fit; raises `Failed` when none does."""
    campaigns = app.instance.ota.campaigns
    devices = app.instance.registry.products[job.product_key].devices
    unknown = [name for name in names if name not in devices]
    if unknown:
        raise Failed("iot.device.NotExistedDevice", f"there is no device {unknown[0]}")
    versions = {name: campaigns.versions(device.key).get(job.module, "") for name, device in devices.items()}
    taken = app.instance.config.switches.ota_unknown_version == "taken"
    found = [] if job.later_only else jobs.chosen(job, package, versions, names, taken)
    if not found and job.kind != jobs.DYNAMIC:
        raise Failed("iot.ota.NoDevice", "no device has reported a version that this batch upgrades")
    campaigns.start(job, [devices[name] for name in found])
    return {"JobId": job.job_id, "UtcCreate": utc(job.created)}


@action
def create_ota_verify_job(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """CreateOTAVerifyJob: a package for the devices that are named, before any other batch of it."""
    job, package = job_of(app, values, jobs.VERIFY)
    if package.status not in (packages.UNVERIFIED, packages.REFUSED):
        raise Failed("iot.ota.Verified", "the package is verified, or needs no verification, or is in one")
    names = texts(values, "TargetDeviceName", app.instance.config.limits.ota_names)
    job.selection = jobs.SPECIFIC
    return begin(app, job, package, names)


@action
def create_ota_static_upgrade_job(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """CreateOTAStaticUpgradeJob: the devices of now, all, some by name, or a share of them."""
    job, package = job_of(app, values, jobs.STATIC)
    check_verified(package)
    job.selection = one_of(values, "TargetSelection", (jobs.ALL, jobs.SPECIFIC, jobs.GRAY), jobs.ALL)
    names = texts(values, "TargetDeviceName", app.instance.config.limits.ota_names)
    if bool(names) != (job.selection == jobs.SPECIFIC):
        raise Failed("ParameterError", "TargetDeviceName goes with TargetSelection SPECIFIC")
    if job.selection == jobs.GRAY:
        job.percent = percent(values)
    if "ScheduleTime" in values:
        ahead = value(values, "ScheduleTime", int) - job.created
        if not jobs.SCHEDULE[0] <= ahead <= jobs.SCHEDULE[1]:
            raise Failed("ParameterError", "ScheduleTime must be 5 minutes to 7 days ahead")
        job.start = job.created + ahead
    return begin(app, job, package, names)


def percent(values: dict[str, Any]) -> float:
    """GrayPercent, a number or its text."""
    found = values.get("GrayPercent")
    try:
        number = float(found) if type(found) in (int, float, str) else 0.0  # type: ignore[arg-type]
    except ValueError:
        number = 0.0
    if not 0 < number <= 100:
        raise Failed("ParameterError", "GrayPercent must be above 0 and at most 100")
    return number


@action
def create_ota_dynamic_upgrade_job(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """CreateOTADynamicUpgradeJob: the devices that fit now (DynamicMode 1) and all that will; one for a package."""
    job, package = job_of(app, values, jobs.DYNAMIC)
    check_verified(package)
    if not job.sources and not package.source:
        raise Failed("ParameterError", "SrcVersion is missing; a dynamic batch has source versions")
    others = app.instance.ota.campaigns.jobs.values()
    same = [one for one in others if one.firmware_id == package.firmware_id and one.kind == jobs.DYNAMIC]
    if any(not one.ended for one in same):
        raise Failed("iot.ota.DynamicJob", "the package has a dynamic batch already")
    job.later_only = one_of(values, "DynamicMode", (1, 2), 1) == 2
    return begin(app, job, package, [])


# ---- what runs


def find_job(app: AdminApp, values: dict[str, Any]) -> Job:
    found = app.instance.ota.campaigns.jobs.get(value(values, "JobId", str))
    if found is None:
        raise Failed("iot.ota.JobNotFound", "there is no such batch")
    return found


def find_tasks(campaigns: Campaigns, names: list[str]) -> list[Task]:
    missing = [name for name in names if name not in campaigns.tasks]
    if missing or not names:
        raise Failed("iot.ota.TaskNotFound", "there is no such task")
    return [campaigns.tasks[name] for name in names]


@action
def query_ota_job(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    job = find_job(app, values)
    statuses = [task.status for task in app.instance.ota.campaigns.tasks_of(job)]
    return show_job(job) | {"Tasks": {status: statuses.count(status) for status in tasks.MOVES}}


def show_job(job: Job) -> dict[str, Any]:
    return {
        "JobId": job.job_id,
        "FirmwareId": job.firmware_id,
        "ProductKey": job.product_key,
        "ModuleName": job.module,
        "JobType": job.kind,
        "JobStatus": job.status,
        "SelectionType": job.selection,
        "SrcVersions": job.sources,
        "DownloadProtocol": job.protocol,
        "UtcCreate": utc(job.created),
        "UtcStartTime": utc(job.start),
    }


@action
def list_ota_job_by_firmware(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    wanted = app.instance.ota.packages.find(value(values, "FirmwareId", str)).firmware_id
    found = [job for job in app.instance.ota.campaigns.jobs.values() if job.firmware_id == wanted]
    return page(values, [show_job(job) for job in found])


@action
def list_ota_task_by_job(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """ListOTATaskByJob: all tasks of a batch, or those in TaskStatus."""
    wanted = one_of(values, "TaskStatus", tuple(tasks.MOVES), None)
    found = app.instance.ota.campaigns.tasks_of(find_job(app, values))
    return page(values, [show_task(task) for task in found if wanted in (None, task.status)])


def show_task(task: Task) -> dict[str, Any]:
    return {
        "TaskId": task.task_id,
        "JobId": task.job_id,
        "ProductKey": task.product_key,
        "DeviceName": task.device_name,
        "SrcVersion": task.source,
        "DestVersion": task.target,
        "TaskStatus": task.status,
        "Progress": task.progress,
        "TaskDesc": task.desc,
        "Retries": task.retried,
        "UtcCreate": utc(task.created),
        "UtcModified": utc(task.changed),
        "UtcNotifiedTime": None if task.pushed is None else utc(task.pushed),
    }


def page(values: dict[str, Any], entries: list[dict[str, Any]]) -> dict[str, Any]:
    """One page of a list: CurrentPage from 1, PageSize."""
    size, number = value(values, "PageSize", int, PAGE_MAX), value(values, "CurrentPage", int, 1)
    if not 1 <= size <= PAGE_MAX or number < 1:
        raise Failed("ParameterError", f"PageSize is 1 to {PAGE_MAX}, CurrentPage 1 or more")
    shown = entries[(number - 1) * size : number * size]
    return {"Total": len(entries), "CurrentPage": number, "PageSize": size, "List": shown}


@action
def cancel_ota_task_by_job(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """CancelOTATaskByJob: the tasks in the states that are asked for."""
    job, campaigns = find_job(app, values), app.instance.ota.campaigns
    waits = job.start > campaigns.now()
    asked = {name for name in CANCELS if value(values, name, bool, False)}
    if not asked:
        raise Failed("ParameterError", f"one of {', '.join(CANCELS)} must be true")
    asked -= {"CancelQueuedTask" if waits else "CancelScheduledTask"}
    states = {CANCELS[name] for name in asked}
    campaigns.cancel([task for task in campaigns.tasks_of(job) if task.status in states])
    return {}


@action
def cancel_ota_task_by_device(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """CancelOTATaskByDevice: the task of one device that has not ended."""
    device: Device = device_of(app, values)
    task = app.instance.ota.campaigns.task_of(device.key)
    app.instance.ota.campaigns.cancel([] if task is None else [task])
    return {}


@action
def cancel_ota_strategy_by_job(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """CancelOTAStrategyByJob: a dynamic batch takes no more devices; the tasks that it has go on."""
    job = find_job(app, values)
    if job.kind != jobs.DYNAMIC or job.ended:
        raise Failed("iot.ota.JobStatus", "that is no dynamic batch that runs")
    app.instance.ota.campaigns.set_status(job, jobs.CANCELED)
    return {}


@action
def confirm_ota_task(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """ConfirmOTATask: the push of these tasks waits no longer."""
    campaigns = app.instance.ota.campaigns
    for task in find_tasks(campaigns, texts(values, "TaskId", PAGE_MAX)):
        campaigns.confirm(task)
    return {}


@action
def list_ota_module_versions_by_device(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    found = app.instance.ota.campaigns.versions(device_of(app, values).key)
    return page(values, [{"ModuleName": name, "FirmwareVersion": one} for name, one in found.items()])


def utc(moment: int) -> str:
    """Unix ms as the cloud writes times."""
    found = datetime.fromtimestamp(moment / 1000, timezone.utc).isoformat(timespec="milliseconds")
    return found.replace("+00:00", "Z")
