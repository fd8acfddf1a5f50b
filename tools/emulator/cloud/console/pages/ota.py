"""OTA: packages, their files and digests, and the batches that are made of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.cloud_api import Failed
from tools.emulator.cloud.console.page import Page, Refused
from tools.emulator.cloud.console.paging import Paging, matches, search
from tools.emulator.cloud.console.visit import address
from tools.emulator.cloud.ota import jobs, packages

if TYPE_CHECKING:
    from starlette.responses import Response

    from tools.emulator.cloud.console.visit import Visit
    from tools.emulator.cloud.ota.packages import Package

page = Page("ota", "/ota", order=50)
AT = "/ota/packages/{firmware}"
STATUSES = {
    packages.UNCHECKED: "unchecked",
    packages.UNVERIFIED: "unverified",
    packages.VERIFIED: "verified",
    packages.VERIFYING: "verifying",
    packages.REFUSED: "refused",
}
PRODUCTS_SHOWN = 500
BATCHES_SHOWN = 100
# kind of batch -> the call that makes it
CALLS = {
    "verify": "CreateOTAVerifyJob",
    "static": "CreateOTAStaticUpgradeJob",
    "dynamic": "CreateOTADynamicUpgradeJob",
}
NUMBERS = {"rate": "MaximumPerMinute", "timeout": "TimeoutInMinutes"}


def package_of(visit: Visit, firmware: str) -> Package:
    try:
        return visit.instance.ota.packages.find(firmware)
    except Failed:
        raise Refused(visit.text("ota.no_package"), 404) from None


# ---- packages


@page.get("/ota")
async def show(visit: Visit) -> Response:
    wanted = visit.query.get("search", "")
    known = visit.instance.ota.packages.packages.values()
    found = await search(known, lambda one: matches(wanted, one.name, one.version, one.product_key))
    return visit.render(
        "ota/page.html",
        paging=Paging(visit, sorted(found, key=lambda one: -one.created)),
        search=wanted,
        statuses=STATUSES,
        products=list(visit.instance.registry.products.values())[:PRODUCTS_SHOWN],
    )


@page.post("/ota/packages", back="/ota")
async def create(visit: Visit) -> Response:
    """A package of one file, as the console makes it: upload, then CreateOTAFirmware."""
    data = await visit.file("file")
    if not data:
        raise Refused(visit.text("ota.no_file"))
    source = visit.field("source")
    given = await visit.call("GenerateOTAUploadURL", FileSuffix=visit.field("suffix", "bin"))
    await visit.admin("POST", f"/ota/uploads/{given['Key']}", data)
    made = await visit.call(
        "CreateOTAFirmware",
        ProductKey=visit.field("product"),
        FirmwareName=visit.field("name"),
        DestVersion=visit.field("version"),
        FirmwareUrl=given["FirmwareUrl"],
        ModuleName=visit.field("module") or packages.DEFAULT,
        SignMethod=visit.field("sign_method") or packages.SHA256,
        NeedToVerify=visit.ticked("verify"),
        FirmwareDesc=visit.field("desc"),
        Udi=visit.field("udi"),
        **({"Type": 1, "SrcVersion": source} if source else {}),
    )
    to = address("ota", "packages", made["FirmwareId"])
    return visit.done(to, "ota.created", version=visit.field("version"), n=len(data))


@page.get(AT)
def show_package(visit: Visit, firmware: str) -> Response:
    package = package_of(visit, firmware)
    product = visit.instance.registry.products.get(package.product_key)
    return visit.render(
        "ota/package.html",
        package=package,
        product=product,
        retry_minutes=jobs.RETRY_MINUTES,
        retries=jobs.RETRIES,
        protocols=(jobs.HTTPS, jobs.MQTT),
        selections=(jobs.ALL, jobs.GRAY, jobs.SPECIFIC),
    )


@page.region(AT, "ota/batches.html", every=0.5)
def batches(visit: Visit, firmware: str) -> dict[str, Any]:
    package, campaigns = package_of(visit, firmware), visit.instance.ota.campaigns
    mine = [job for job in campaigns.jobs.values() if job.firmware_id == firmware]
    found = [(job, len(campaigns.of_job[job.job_id]), campaigns.left[job.job_id]) for job in mine]
    status = STATUSES[package.status]
    return {"batches": found[::-1][:BATCHES_SHOWN], "total": len(found), "status": status}


@page.post(AT + "/delete", back=AT)
async def delete(visit: Visit, firmware: str) -> Response:
    await visit.call("DeleteOTAFirmware", FirmwareId=firmware)
    return visit.done("/ota", "ota.deleted")


# ---- new batches


@page.post(AT + "/batches", back=AT)
async def start(visit: Visit, firmware: str) -> Response:
    """A verification, static or dynamic batch of the package."""
    package, kind = package_of(visit, firmware), visit.field("kind")
    if kind not in CALLS:
        raise Refused(visit.text("common.no_choice", value=kind))
    values = {"FirmwareId": firmware, "ProductKey": package.product_key, **common(visit)}
    made = await visit.call(CALLS[kind], **values, **(devices(visit, kind)))
    return visit.done(address("ota", "batches", made["JobId"]), "ota.batch_started")


def common(visit: Visit) -> dict[str, Any]:
    """What batches of each kind have."""
    found: dict[str, Any] = {
        "NeedConfirm": visit.ticked("confirm"),
        "NeedPush": not visit.ticked("no_push"),
        "OverwriteMode": 2 if visit.ticked("overwrite") else 1,
        "DownloadProtocol": visit.field("protocol") or jobs.HTTPS,
    }
    found |= {name: whole(visit, key) for key, name in NUMBERS.items() if visit.field(key)}
    if visit.field("retries"):
        found |= {"RetryCount": whole(visit, "retries"), "RetryInterval": whole(visit, "retry_after")}
    sources = visit.field("sources").split()
    return found | ({"SrcVersion": sources} if sources else {})


def devices(visit: Visit, kind: str) -> dict[str, Any]:
    """Which devices a batch has."""
    names = {"TargetDeviceName": visit.field("names").split()}
    if kind == "verify":
        return names
    if kind == "dynamic":
        return {"DynamicMode": 2 if visit.ticked("later_only") else 1}
    selection = visit.field("selection") or jobs.ALL
    more: dict[str, Any] = names if selection == jobs.SPECIFIC else {}
    more = {"GrayPercent": visit.field("percent")} if selection == jobs.GRAY else more
    if visit.field("minutes"):
        ahead = whole(visit, "minutes") * jobs.MINUTE
        more = {**more, "ScheduleTime": visit.instance.ota.campaigns.now() + ahead + 1}
    return {"TargetSelection": selection, **more}


def whole(visit: Visit, name: str) -> int:
    """A whole number that was typed in; raises `Refused`."""
    text = visit.field(name)
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Refused(visit.text("ota.no_number", value=text[:40]))
    return int(text)
