"""Product details: what it is, its switches, its devices, batch add, and its model (TSL)."""

from __future__ import annotations

import asyncio
import csv
import io
from collections import Counter
from typing import TYPE_CHECKING, Any

from tools import spreadsheet
from tools.emulator.cloud import topics
from tools.emulator.cloud.config import NAME_RULE
from tools.emulator.cloud.console.page import Page, Refused
from tools.emulator.cloud.console.paging import Paging, matches, pieces, search
from tools.emulator.cloud.console.visit import address
from tools.emulator.cloud.identifier import DEVICE_NAME
from tools.errors import UserError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from starlette.responses import Response

    from tools.emulator.cloud.console.visit import Visit
    from tools.emulator.cloud.registry import Device

page = Page("product")
AT = "/products/{pk}"
PIECE = 25  # devices that are created between two turns of others
NAMES_MAX = 10_000  # of one batch, as the console of the platform takes it
NOTICES = 5
STATUSES = ("online", "offline", "inactive", "disabled")


@page.get(AT)
async def show(visit: Visit, pk: str) -> Response:
    product = visit.product(pk)
    wanted, status = visit.query.get("search", ""), visit.query.get("status", "")
    of_status = visit.instance.status
    found = await search(
        product.devices.values(),
        lambda one: matches(wanted, one.device_name) and (not status or of_status(one) == status),
    )
    return visit.render(
        "product/page.html",
        product=product,
        paging=Paging(visit, found),
        search=wanted,
        status=status,
        statuses=STATUSES,
        of_status=of_status,
        doubled=(await search(product.devices.values(), has_two_clients))[:NOTICES],
        model=visit.instance.things.models.of(pk),
        batch=visit.session.values.get(("batch", pk), []),
        topics=topics_of(pk),
        licence=visit.instance.id2.identities.licences.get(pk),
    )


def has_two_clients(device: Device) -> bool:
    """Whether the console shows "A device under the current product has two ClientIDs" (direct.md 4)."""
    return len(device.units) > 1 and sum(not unit.blocked for unit in device.units.values()) > 1


def topics_of(pk: str) -> list[tuple[str, bool, bool]]:
    """(topic, whether devices publish to it, whether they subscribe to it)."""
    publish, subscribe = (
        [one.format(pk=pk, dn="${deviceName}") for one in listed]
        for listed in (topics.PUBLISHES, topics.SUBSCRIBES)
    )
    return [(one, one in publish, one in subscribe) for one in dict.fromkeys([*publish, *subscribe])]


@page.post(AT + "/dynamic_registration", back=AT)
async def set_dynamic_registration(visit: Visit, pk: str) -> Response:
    enabled = visit.field("enabled") == "1"
    await visit.admin("POST", f"/products/{pk}/dynamic_registration", {"enabled": enabled})
    return visit.done(address("products", pk), "product.registration_" + ("on" if enabled else "off"))


@page.post(AT + "/preregistration_free", back=AT)
async def set_preregistration_free(visit: Visit, pk: str) -> Response:
    enabled = visit.field("enabled") == "1"
    await visit.admin("POST", f"/products/{pk}/preregistration_free", {"enabled": enabled})
    return visit.done(address("products", pk), "product.free_" + ("on" if enabled else "off"))


@page.post(AT + "/secret", back=AT)
def show_secret(visit: Visit, pk: str) -> Response:
    """The ProductSecret, on the one page that was asked for."""
    return visit.render("product/secret.html", product=visit.product(pk))


# ---- devices


@page.post(AT + "/devices", back=AT)
async def add_devices(visit: Visit, pk: str) -> Response:
    """Devices by the names typed in, by a CSV, or so many with names of their own."""
    names = names_in(visit, visit.field("names"), await visit.file("csv"))
    product = visit.product(pk)
    await check_names(visit, names, product.devices)
    async for piece in pieces(names, PIECE):
        await visit.admin("POST", f"/products/{pk}/devices", {"device_names": piece})
    visit.session.values["batch", pk] = names
    return visit.done(address("products", pk), "product.added", n=len(names))


def names_in(visit: Visit, typed: str, data: bytes) -> list[str]:
    """The DeviceNames out of a text, one a line, and a CSV of the platform's template; raises `Refused`."""
    names = typed.split()
    if data:
        try:
            rows = spreadsheet.records(data, DEVICE_NAME.fullmatch)
        except UserError as error:
            raise Refused(str(error)) from None
        cells = [cells[0] for _, cells in rows if cells and cells[0]]
        names += cells[1:] if cells and cells[0].casefold() in ("devicename", "device_name") else cells
    if not names:
        raise Refused(visit.text("product.no_names"))
    if len(names) > NAMES_MAX:
        raise Refused(visit.text("product.too_many", n=len(names), most=NAMES_MAX))
    return names


async def check_names(visit: Visit, names: list[str], known: Any) -> None:
    """Raises `Refused` before the first device is created, so that a batch comes whole or not at all."""
    async for piece in pieces(names):
        for name in piece:
            if not DEVICE_NAME.fullmatch(name):
                raise Refused(f"DeviceName {name[:40]!r} {NAME_RULE}")
            if name in known:
                raise Refused(visit.text("product.there_already", name=name))
    await asyncio.sleep(0)
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise Refused(visit.text("product.twice", name=name))


@page.post(AT + "/devices.csv", back=AT)
async def download(visit: Visit, pk: str) -> Response:
    """The secrets of the last batch, or of all devices that use theirs, as the platform's console gives them."""
    product = visit.product(pk)
    if visit.field("which") == "batch":
        names = set(visit.session.values.get(("batch", pk), ()))
        devices = await search(product.devices.values(), lambda one: one.device_name in names)
    else:
        devices = await search(product.devices.values(), lambda one: not one.free)
    return visit.download(f"{pk}-devices.csv", secrets_csv(devices))


async def secrets_csv(devices: Iterable[Device]) -> AsyncIterator[bytes]:
    """The lines of the CSV, some at a time."""
    yield line_of(["DeviceName", "DeviceSecret", "ProductKey"])
    async for piece in pieces(devices):
        yield b"".join(line_of([one.device_name, one.secret, one.product_key]) for one in piece)


def line_of(cells: list[str]) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file).writerow(cells)
    return file.getvalue().encode()


# ---- the model


@page.post(AT + "/tsl", back=AT)
async def import_model(visit: Visit, pk: str) -> Response:
    source = await visit.file("tsl") or visit.field("tsl_text").encode()
    if not source:
        raise Refused(visit.text("product.no_tsl"))
    made = await visit.admin("POST", f"/products/{pk}/tsl", source)
    counts = {kind: len(made[kind]) for kind in ("properties", "events", "services")}
    return visit.done(address("products", pk), "product.tsl_imported", **counts)
