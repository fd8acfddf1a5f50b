"""The console of packages: uploads, packages by the cloud's calls, secure upgrade (application.md 5.3, 5.7)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.admin_routes import body, route
from tools.emulator.cloud.cloud_api import Failed, action, value
from tools.emulator.cloud.ota import api, packages, urls
from tools.emulator.cloud.ota.packages import Package
from tools.emulator.cloud.web import BadRequest

if TYPE_CHECKING:
    from tools.emulator.cloud.admin import AdminApp
    from tools.emulator.cloud.registry import Product
    from tools.emulator.cloud.web import Request


def describe_product(app: AdminApp, product: Product) -> dict[str, Any]:
    """What `GET /products` says of OTA."""
    return {"secure_upgrade": app.instance.ota.keys.enabled(product.product_key)}


@route("POST", "/ota/uploads/{key}")
def upload(app: AdminApp, request: Request, key: str) -> dict[str, Any]:
    try:
        app.instance.ota.packages.upload(key, request.body)
    except Failed as error:
        raise BadRequest(400, str(error)) from None
    return {"bytes": len(request.body)}


@route("POST", "/products/{pk}/secure_upgrade")
def secure_upgrade(app: AdminApp, request: Request, pk: str) -> dict[str, Any]:
    product_key = app.product(pk).product_key
    app.instance.ota.keys.enable(product_key, body(request, enabled=bool)["enabled"])
    return show_key(app, request, pk)


@route("GET", "/products/{pk}/secure_upgrade")
def show_key(app: AdminApp, request: Request, pk: str) -> dict[str, Any]:
    product_key = app.product(pk).product_key
    if not app.instance.ota.keys.enabled(product_key):
        return {"enabled": False}
    return {"enabled": True, **app.instance.ota.keys.public(product_key)}


@action
def generate_ota_upload_url(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """GenerateOTAUploadURL: where a file goes; here `POST /ota/uploads/{Key}` of the admin port takes its bytes."""
    key = app.instance.ota.packages.new_upload(value(values, "FileSuffix", str, "bin"))
    host = f"https://{urls.host(app.instance.config.region)}"
    return {"Key": key, "Host": host, "FirmwareUrl": f"{host}/{key}"}


@action
def create_ota_firmware(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """CreateOTAFirmware: a package of one uploaded file, or of `MultiFiles`."""
    product_key = value(values, "ProductKey", str)
    if product_key not in app.instance.registry.products:
        raise Failed("iot.prod.NotExistedProduct", "no such product")
    kind = api.one_of(values, "Type", (0, 1), 0)
    if kind == 1 and not values.get("SrcVersion"):
        raise Failed("ParameterError", "SrcVersion is missing; a differential package starts from a version")
    package = Package(
        secrets.token_hex(12),
        product_key,
        value(values, "FirmwareName", str),
        value(values, "DestVersion", str),
        value(values, "SrcVersion", str) if kind == 1 else "",
        value(values, "ModuleName", str, packages.DEFAULT),
        value(values, "SignMethod", str, packages.MD5),
        value(values, "Udi", str, ""),
        value(values, "FirmwareDesc", str, ""),
        app.instance.ota.campaigns.now(),
        packages.UNVERIFIED if value(values, "NeedToVerify", bool, True) else packages.UNCHECKED,
        [],
    )
    app.instance.ota.packages.create(package, files_of(values))
    return {"FirmwareId": package.firmware_id, "UtcCreate": api.utc(package.created)}


def files_of(values: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """(key of the upload, what is said of it) for each file of a call; raises `Failed`."""
    several = value(values, "MultiFiles", list, [])
    if not several:
        claims = {"FileSign": values.get("FirmwareSign")}
        claims |= {"FileSize": values["FirmwareSize"]} if "FirmwareSize" in values else {}
        return [(key_of(value(values, "FirmwareUrl", str)), claims)]
    if not all(isinstance(one, dict) and isinstance(one.get("Url"), str) for one in several):
        raise Failed("ParameterError", "MultiFiles must be objects with Url")
    return [
        (
            key_of(one["Url"]),
            {"Name": one.get("Name"), "FileSign": one.get("SignValue")}
            | ({"FileSize": one["Size"]} if "Size" in one else {}),
        )
        for one in several
    ]


def key_of(url: str) -> str:
    return url.rsplit("/", 1)[-1]


def show(package: Package) -> dict[str, Any]:
    return {
        "FirmwareId": package.firmware_id,
        "FirmwareName": package.name,
        "ProductKey": package.product_key,
        "ModuleName": package.module,
        "DestVersion": package.version,
        "SrcVersion": package.source,
        "Type": int(bool(package.source)),
        "Status": package.status,
        "SignMethod": package.sign_method,
        "FirmwareDesc": package.desc,
        "Udi": package.udi,
        "UtcCreate": api.utc(package.created),
        "MultiFiles": [{"Name": one.name, "Size": one.size, "SignValue": one.sign} for one in package.files],
    }


@action
def query_ota_firmware(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    return show(app.instance.ota.packages.find(value(values, "FirmwareId", str)))


@action
def list_ota_firmware(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    wanted = value(values, "ProductKey", str, "")
    found = app.instance.ota.packages.packages.values()
    return api.page(values, [show(one) for one in found if wanted in ("", one.product_key)])


@action
def delete_ota_firmware(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """DeleteOTAFirmware: the package and its files, once no batch of it runs."""
    ota = app.instance.ota
    package = ota.packages.find(value(values, "FirmwareId", str))
    mine = [job for job in ota.campaigns.jobs.values() if job.firmware_id == package.firmware_id]
    if any(not job.ended or ota.campaigns.left[job.job_id] for job in mine):
        raise Failed("iot.ota.JobStatus", "a batch of this package is not at its end")
    ota.packages.delete(package)
    return {}
