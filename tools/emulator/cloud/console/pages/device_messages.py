"""Device details, messages: the live log of both directions, and a message or a question to the device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.console.page import Page
from tools.emulator.cloud.console.pages.device import AT, frame
from tools.emulator.cloud.console.recent import latest
from tools.emulator.cloud.console.visit import address

if TYPE_CHECKING:
    from starlette.responses import Response

    from tools.emulator.cloud.console.visit import Visit

page = Page("device_messages")
SHOWN = 50
PAYLOAD_BYTES = 2048  # of one message on the page
DIRECTIONS = ("up", "down")


@page.get(AT + "/messages")
def show(visit: Visit, pk: str, dn: str) -> Response:
    query = visit.query
    return visit.render(
        "device/messages.html",
        **frame(visit, pk, dn),
        direction=query.get("direction", ""),
        topic=query.get("topic", ""),
        directions=DIRECTIONS,
        before=visit.number("before", 0),
    )


@page.region(AT + "/messages", "device/message_rows.html", every=0.25)
async def messages(visit: Visit, pk: str, dn: str) -> dict[str, Any]:
    """The newest messages of the device, or those before the number that the query names."""
    direction, topic = visit.query.get("direction", ""), visit.query.get("topic", "")
    found = await latest(
        visit,
        "messages",
        visit.instance.journal.messages,
        lambda one: one[4] == dn and one[3] == pk and direction in ("", one[2]) and topic in one[5],
        SHOWN,
        visit.number("before", 0) or None,
    )
    older = {**visit.query, "before": found[-1][0]} if len(found) == SHOWN else None
    return {"messages": found, "most": PAYLOAD_BYTES, "older": older}


@page.post(AT + "/messages/publish", back=AT + "/messages")
async def publish(visit: Visit, pk: str, dn: str) -> Response:
    visit.device(pk, dn)
    body = {
        "topic": visit.field("topic"),
        "payload": visit.field("payload"),
        "qos": int(visit.field("qos") == "1"),
    }
    sent = await visit.admin("POST", "/publish", body)
    return visit.done(address("products", pk, "devices", dn, "messages"), "device_messages.published", **sent)


@page.post(AT + "/messages/rrpc", back=AT + "/messages")
async def ask(visit: Visit, pk: str, dn: str) -> Response:
    body = {"payload": visit.field("question"), "topic": visit.field("rrpc_topic") or None}
    answer = await visit.admin("POST", f"/devices/{pk}/{dn}/rrpc", body)
    to = address("products", pk, "devices", dn, "messages")
    return visit.done(to, "device_messages.answered", payload=answer["payload"][:400])
