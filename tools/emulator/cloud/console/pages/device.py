"""Device details: who the device is, what the platform knows of it, and what a person does with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.console.page import Page, Refused
from tools.emulator.cloud.console.visit import address

if TYPE_CHECKING:
    from starlette.responses import Response

    from tools.emulator.cloud.console.visit import Visit
    from tools.emulator.cloud.registry import Device

page = Page("device")
AT = "/products/{pk}/devices/{dn}"
TABS = ("", "model", "messages", "shadow", "logs", "files", "tasks", "subdevices")
# what a button does: the route of the admin API of the same name, and its body
ACTIONS: dict[str, Any] = {"reset": None, "disable": None, "enable": None, "kick": {}}


def frame(visit: Visit, pk: str, dn: str) -> dict[str, Any]:
    """What the head of each page of a device needs: `device`, `product`, `here` and the `tabs`, (path, key)."""
    product, device = visit.product(pk), visit.device(pk, dn)
    here = address("products", pk, "devices", dn)
    tabs = [tab for tab in TABS if tab != "subdevices" or product.node == "gateway"]
    return {
        "product": product,
        "device": device,
        "here": here,
        "tabs": [(f"{here}/{tab}" if tab else here, f"device.tabs.{tab or 'information'}") for tab in tabs],
    }


@page.region(AT, "device/state.html", every=0.5)
def state(visit: Visit, pk: str, dn: str) -> dict[str, Any]:
    """What changes by itself: status, times, sessions, traffic."""
    device, instance = visit.device(pk, dn), visit.instance
    return {
        "device": device,
        "status": instance.status(device),
        "seen": instance.lifecycle.seen.get(device.key),
        "sessions": instance.sessions.of(pk, dn),
        "traffic": instance.account(pk, dn).show(),
    }


@page.get(AT)
async def show(visit: Visit, pk: str, dn: str) -> Response:
    return await information(visit, pk, dn, secret=False)


async def information(visit: Visit, pk: str, dn: str, secret: bool) -> Response:
    device, instance = visit.device(pk, dn), visit.instance
    tags = instance.services.tags
    return visit.render(
        "device/page.html",
        **frame(visit, pk, dn),
        secret=secret,
        found=await visit.admin("GET", f"/devices/{pk}/{dn}", secret="1" if secret else "0"),
        two=sum(not unit.blocked for unit in device.units.values()) > 1,
        versions=instance.ota.campaigns.versions(device.key),
        tags=tags.of(device),
        system_tags=tags.of(device, "system tags"),
        centres=instance.config.centres,
    )


@page.post(AT + "/secret", back=AT)
async def show_secret(visit: Visit, pk: str, dn: str) -> Response:
    """The same page with the secrets, for whoever asked for them."""
    visit.path = visit.path.removesuffix("/secret")
    return await information(visit, pk, dn, secret=True)


@page.post(AT + "/act/{action}", back=AT)
async def act(visit: Visit, pk: str, dn: str, action: str) -> Response:
    """Reset registration, disable, enable, and ending the connection."""
    if action not in ACTIONS:
        raise Refused(visit.text("common.no_choice", value=action))
    await visit.admin("POST", f"/devices/{pk}/{dn}/{action}", ACTIONS[action])
    return visit.done(address("products", pk, "devices", dn), f"device.did.{action}", dn=dn)


@page.post(AT + "/delete", back=AT)
async def delete(visit: Visit, pk: str, dn: str) -> Response:
    await visit.admin("POST", f"/devices/{pk}/{dn}/delete")
    return visit.done(address("products", pk), "device.did.delete", dn=dn)


# ---- the ClientIDs of preregistration-free units


@page.post(AT + "/clients/switch", back=AT)
async def switch_client(visit: Visit, pk: str, dn: str) -> Response:
    """This ClientID is the valid one from now on."""
    client_id = visit.field("client_id")
    await visit.admin("POST", f"/devices/{pk}/{dn}/clients", {"keep": client_id})
    return visit.done(address("products", pk, "devices", dn), "device.switched", client_id=client_id)


@page.post(AT + "/clients/clear", back=AT)
async def clear_clients(visit: Visit, pk: str, dn: str) -> Response:
    await visit.admin("POST", f"/devices/{pk}/{dn}/clients", {"clear": True})
    return visit.done(address("products", pk, "devices", dn), "device.cleared")


# ---- tags, centre


@page.post(AT + "/tags", back=AT)
async def save_tag(visit: Visit, pk: str, dn: str) -> Response:
    key, value = visit.field("tag"), visit.field("value")
    await visit.call("SaveDeviceProp", ProductKey=pk, DeviceName=dn, Props={key: value})
    return visit.done(address("products", pk, "devices", dn), "device.tag_saved", tag=key)


@page.post(AT + "/tags/delete", back=AT)
async def delete_tag(visit: Visit, pk: str, dn: str) -> Response:
    key = visit.field("tag")
    await visit.call("DeleteDeviceProp", ProductKey=pk, DeviceName=dn, PropKey=key)
    return visit.done(address("products", pk, "devices", dn), "device.tag_deleted", tag=key)


@page.post(AT + "/centre", back=AT)
async def assign_centre(visit: Visit, pk: str, dn: str) -> Response:
    region = visit.field("region")
    await visit.admin("POST", f"/devices/{pk}/{dn}/centre", {"region": region})
    return visit.done(address("products", pk, "devices", dn), "device.assigned", region=region)


def names_of(device: Device) -> dict[str, str]:
    """How the cloud's API names a device."""
    return {"ProductKey": device.product_key, "DeviceName": device.device_name}
