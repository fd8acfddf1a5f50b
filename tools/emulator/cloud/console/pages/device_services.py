"""Device details: shadow, the device's own logs, files, jobs and OTA."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.console.page import Page, Refused
from tools.emulator.cloud.console.pages.device import AT, frame, names_of
from tools.emulator.cloud.console.visit import address
from tools.emulator.cloud.services.logs import KIND

if TYPE_CHECKING:
    from starlette.responses import Response

    from tools.emulator.cloud.console.visit import Visit

page = Page("device_services")
LOGS = 100  # entries on the page
FOREVER = 2**53


def to(pk: str, dn: str, tab: str) -> str:
    return address("products", pk, "devices", dn, tab)


# ---- shadow


@page.get(AT + "/shadow")
def show_shadow(visit: Visit, pk: str, dn: str) -> Response:
    return visit.render("device/shadow.html", **frame(visit, pk, dn))


@page.region(AT + "/shadow", "device/shadow_state.html", every=0.5)
def shadow(visit: Visit, pk: str, dn: str) -> dict[str, Any]:
    return {"shadow": visit.instance.services.shadows.of(visit.device(pk, dn))}


@page.post(AT + "/shadow", back=AT + "/shadow")
async def desire(visit: Visit, pk: str, dn: str) -> Response:
    """UpdateDeviceShadow: what is desired, sent to the device at once."""
    message = {"method": "update", "state": {"desired": visit.json_field("desired")}}
    made = await visit.call(
        "UpdateDeviceShadow",
        **names_of(visit.device(pk, dn)),
        ShadowMessage=message,
        DeltaUpdate=visit.ticked("delta"),
    )
    return visit.done(to(pk, dn, "shadow"), "device_services.shadow_updated", version=made["Version"])


# ---- logs


@page.get(AT + "/logs")
def show_logs(visit: Visit, pk: str, dn: str) -> Response:
    mode = visit.instance.services.logs.mode(visit.device(pk, dn))
    return visit.render("device/logs.html", **frame(visit, pk, dn), mode=mode)


@page.region(AT + "/logs", "device/log_rows.html", every=0.5)
def logs(visit: Visit, pk: str, dn: str) -> dict[str, Any]:
    visit.device(pk, dn)
    return {"points": visit.instance.store.points((pk, dn, KIND), None, 0, FOREVER, LOGS, True)}


@page.post(AT + "/logs/mode", back=AT + "/logs")
async def set_log_mode(visit: Visit, pk: str, dn: str) -> Response:
    mode = int(visit.field("mode") == "1")
    await visit.admin("POST", f"/devices/{pk}/{dn}/log_mode", {"mode": mode})
    return visit.done(to(pk, dn, "logs"), "device_services.logs_" + ("on" if mode else "off"))


# ---- files


@page.get(AT + "/files")
def show_files(visit: Visit, pk: str, dn: str) -> Response:
    return visit.render("device/files.html", **frame(visit, pk, dn))


@page.region(AT + "/files", "device/file_rows.html", every=0.5)
def files(visit: Visit, pk: str, dn: str) -> dict[str, Any]:
    found = visit.instance.services.uploads.of(visit.device(pk, dn))
    return {"uploads": found, "here": to(pk, dn, "files")}


@page.post(AT + "/files/download", back=AT + "/files")
async def download_file(visit: Visit, pk: str, dn: str) -> Response:
    wanted = visit.field("file")
    found = visit.instance.services.uploads.of(visit.device(pk, dn))
    name = next((one.name for one in found if one.upload_id == wanted), None)
    if name is None:
        raise Refused(visit.text("device_services.no_file"))
    data = await visit.admin("GET", f"/devices/{pk}/{dn}/files/{wanted}")
    return visit.download(name, data, "application/octet-stream")


@page.post(AT + "/files/delete", back=AT + "/files")
async def delete_file(visit: Visit, pk: str, dn: str) -> Response:
    device, wanted = visit.device(pk, dn), visit.field("file")
    await visit.call("DeleteDeviceFile", **names_of(device), FileId=wanted)
    return visit.done(to(pk, dn, "files"), "device_services.file_deleted")


# ---- jobs and OTA


@page.get(AT + "/tasks")
def show_tasks(visit: Visit, pk: str, dn: str) -> Response:
    return visit.render("device/tasks.html", **frame(visit, pk, dn))


@page.region(AT + "/tasks", "device/task_rows.html", every=0.5)
def tasks(visit: Visit, pk: str, dn: str) -> dict[str, Any]:
    device, campaigns = visit.device(pk, dn), visit.instance.ota.campaigns
    of_device = [campaigns.tasks[one] for one in campaigns.of_device.get(device.key, ())]
    return {
        "jobs": list(visit.instance.services.jobs.tasks(device).values()),
        "upgrades": of_device[::-1][:50],
        "versions": campaigns.versions(device.key),
    }


@page.post(AT + "/tasks/job", back=AT + "/tasks")
async def create_job(visit: Visit, pk: str, dn: str) -> Response:
    """CreateJob for this device alone."""
    visit.device(pk, dn)
    await visit.call(
        "CreateJob",
        ProductKey=pk,
        DeviceNames=[dn],
        JobName=visit.field("name"),
        JobDocument=visit.json_field("document"),
    )
    return visit.done(to(pk, dn, "tasks"), "device_services.job_created")


@page.post(AT + "/tasks/configuration", back=AT + "/tasks")
async def push_configuration(visit: Visit, pk: str, dn: str) -> Response:
    """PushConfig: the newest configuration of the product to this device."""
    await visit.call("PushConfig", **names_of(visit.device(pk, dn)))
    return visit.done(to(pk, dn, "tasks"), "device_services.pushed")
