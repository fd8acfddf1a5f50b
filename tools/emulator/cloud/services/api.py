"""Calls of the cloud's API on the services beside the thing model (application.md 6 to 13, 15)."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.cloud_api import Failed, action, device_of, value
from tools.emulator.cloud.services.broadcasts import TOPIC
from tools.emulator.cloud.services.jobs import DOCUMENT_LEVELS, TIMEOUT_MAX
from tools.emulator.cloud.services.shadow import deeper
from tools.emulator.cloud.services.tags import SYSTEM_KIND
from tools.emulator.cloud.topics import device_of as device_of_topic

if TYPE_CHECKING:
    from tools.emulator.cloud.admin import AdminApp
    from tools.emulator.cloud.registry import Device, Product
    from tools.emulator.cloud.services.uploads import Upload

RRPC_MS = 1000, 8000  # what a Timeout may be


def product_of(app: AdminApp, values: dict[str, Any]) -> Product:
    """Raises `Failed`."""
    found = app.instance.registry.products.get(value(values, "ProductKey", str))
    if found is None:
        raise Failed("iot.product.NotExistProduct", "no such product")
    return found


def base64_of(values: dict[str, Any], name: str) -> bytes:
    """The bytes of a parameter; raises `Failed`."""
    try:
        return base64.b64decode(value(values, name, str), validate=True)
    except (binascii.Error, ValueError):
        raise Failed("ParameterError", f"{name} must be Base64") from None


# ---- shadows and tags


@action
def update_device_shadow(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """UpdateDeviceShadow: what is desired, sent to the device at once."""
    message, delta = value(values, "ShadowMessage", dict), value(values, "DeltaUpdate", bool, False)
    shadow = app.instance.services.shadows.desire(device_of(app, values), message, delta)
    return {"Version": shadow.version}


@action
def get_device_shadow(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    return {"ShadowMessage": json.dumps(app.instance.services.shadows.shown(device_of(app, values)))}


@action
def save_device_prop(app: AdminApp, values: dict[str, Any]) -> None:
    """SaveDeviceProp: tags, merged with those there are."""
    app.instance.services.tags.set(device_of(app, values), value(values, "Props", dict))


@action
def delete_device_prop(app: AdminApp, values: dict[str, Any]) -> None:
    app.instance.services.tags.forget(device_of(app, values), value(values, "PropKey", str))


@action
def query_device_prop(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """QueryDeviceProp: the user's tags, and apart from them what the SDK says of itself."""
    device, tags = device_of(app, values), app.instance.services.tags
    return {"Props": tags.of(device), "SystemProps": tags.of(device, SYSTEM_KIND)}


# ---- messages


@action
def pub(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """Pub: a message on a topic of a device."""
    topic, qos = value(values, "TopicFullName", str), value(values, "Qos", int, 0)
    found = device_of_topic(topic)
    if qos not in (0, 1) or "+" in topic or "#" in topic or "\0" in topic or found is None:
        raise Failed("ParameterError", "TopicFullName must be a topic of a device, Qos 0 or 1")
    if app.instance.registry.find(*found) is None:
        raise Failed("iot.device.NotExistedDevice", "no such device")
    return app.instance.send_down(*found, topic, base64_of(values, "MessageContent"), qos)


@action
def pub_broadcast(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """PubBroadcast: to a topic, or without one to all devices of a product that are on line."""
    product, payload = product_of(app, values), base64_of(values, "MessageContent")
    topic, broadcasts = value(values, "TopicFullName", str, ""), app.instance.services.broadcasts
    if not topic:
        number, sent = broadcasts.to_product(product, payload)
    else:
        found = TOPIC.fullmatch(topic)
        if found is None or found[1] != product.product_key:
            raise Failed("ParameterError", "TopicFullName must be /broadcast/PRODUCTKEY/NAME")
        number, sent = broadcasts.to_topic(topic, payload)
    return {"MessageId": number, "sent": sent}


@action
async def r_rpc(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """RRpc: a question to a device on the system's topic or a custom one, and its answer."""
    device, timeout = device_of(app, values), value(values, "Timeout", int)
    topic, payload = value(values, "Topic", str, "") or None, base64_of(values, "RequestBase64Byte")
    low, high = RRPC_MS
    if not low <= timeout <= high or topic is not None and not topic.startswith("/"):
        raise Failed("ParameterError", f"Timeout must be {low} to {high} ms, Topic a topic")
    answer = await app.instance.call(device, payload, topic, timeout / 1000)
    if answer is not None:
        return {"RrpcCode": "SUCCESS", "PayloadBase64Byte": base64.b64encode(answer).decode()}
    peers = [session.line.peer for session in app.instance.sessions.of(*device.key) if session.peer]
    if not peers:
        raise Failed("OFFLINE", "the device is offline")
    if all(getattr(peer.link, "deaf", False) for peer in peers):
        raise Failed("HALFCONN", "nothing is heard on the device's connection")
    raise Failed("TIMEOUT", "no answer came in time")


# ---- configuration and jobs


@action
def push_config(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """PushConfig: the newest version to a device, or without DeviceName to all of the product."""
    device = device_of(app, values) if {"DeviceName", "IotId"} & set(values) else None
    return {"MessageIds": app.instance.services.configurations.push(product_of(app, values), device)}


@action
def create_job(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """CreateJob: for the devices of DeviceNames, or all of the product."""
    product, names = product_of(app, values), value(values, "DeviceNames", list, [])
    unknown = [name for name in names if not isinstance(name, str) or name not in product.devices]
    if unknown:
        raise Failed("iot.device.NotExistedDevice", f"no device {unknown[0]}")
    minutes = value(value(values, "TimeoutConfig", dict, {}), "inProgressTimeoutInMinutes", int, 0)
    document = value(values, "JobDocument", dict, {})
    if not 0 <= minutes <= TIMEOUT_MAX or deeper(document, DOCUMENT_LEVELS):
        raise Failed(
            "ParameterError", f"at most {TIMEOUT_MAX} minutes, and {DOCUMENT_LEVELS} levels in JobDocument"
        )
    job = app.instance.services.jobs.create(
        [product.devices[name] for name in dict.fromkeys(names)] or list(product.devices.values()),
        value(values, "JobName", str, ""),
        document,
        base64_of(values, "JobFile") if "JobFile" in values else None,
        minutes * 60 or None,
    )
    return {"JobId": job["jobId"], "TaskIds": {dn: task_id for _, dn, task_id in job["devices"]}}


def job_of(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    found = app.instance.services.jobs.job(value(values, "JobId", str))
    if found is None:
        raise Failed("iot.job.NotExisted", "no such job")
    return found


@action
def cancel_job(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """CancelJob: tasks that wait; with CancelInProgressTask those in progress too."""
    in_progress = value(values, "CancelInProgressTask", bool, False)
    return {"Cancelled": app.instance.services.jobs.cancel(job_of(app, values), in_progress)}


@action
def delete_job(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    return {"Removed": app.instance.services.jobs.delete(job_of(app, values))}


@action
def list_task(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """ListTask: the tasks of a job."""
    found = app.instance.services.jobs.of_job(job_of(app, values))
    names = {"taskId": "TaskId", "status": "Status", "progress": "Progress", "statusDetails": "StatusDetail"}
    tasks = [
        {"ProductKey": device.product_key, "DeviceName": device.device_name}
        | {shown: task[name] for name, shown in names.items() if name in task}
        for device, task in found
    ]
    return {"Tasks": tasks}


# ---- files


def file_of(app: AdminApp, values: dict[str, Any]) -> tuple[Device, Upload]:
    """A finished file of a device; raises `Failed`."""
    device, wanted = device_of(app, values), value(values, "FileId", str)
    for upload in app.instance.services.uploads.of(device):
        if upload.upload_id == wanted and upload.finished_at is not None:
            return device, upload
    raise Failed("iot.file.NotExisted", "no such file")


def shown_file(upload: Upload) -> dict[str, Any]:
    return {
        "FileId": upload.upload_id,
        "Name": upload.name,
        "Size": upload.received,
        "UtcCreatedOn": upload.finished_at,
    }


@action
def query_device_file_list(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """QueryDeviceFileList: the finished files of a device."""
    uploads = app.instance.services.uploads.of(device_of(app, values))
    return {"FileSummary": [shown_file(one) for one in uploads if one.finished_at is not None]}


@action
def query_device_file(app: AdminApp, values: dict[str, Any]) -> dict[str, Any]:
    """QueryDeviceFile: one of them, and where to fetch it."""
    device, upload = file_of(app, values)
    seconds = app.instance.config.timing.config_url_seconds
    url = app.instance.services.files.url(upload.upload_id, device, seconds)
    return {"File": shown_file(upload) | {"DownloadUrl": url}}


@action
def delete_device_file(app: AdminApp, values: dict[str, Any]) -> None:
    app.instance.services.uploads.remove(*file_of(app, values))
