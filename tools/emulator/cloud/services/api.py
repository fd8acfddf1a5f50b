"""Calls of the cloud's API on shadows and tags (application.md 6, 9)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.cloud_api import action, device_of, value
from tools.emulator.cloud.services.tags import SYSTEM_KIND

if TYPE_CHECKING:
    from tools.emulator.cloud.admin import AdminApp


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
