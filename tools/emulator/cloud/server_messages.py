"""The messages that the platform sends to a business server, on topics of the rule engine (application.md 15)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.admin_routes import route
from tools.emulator.cloud.identifier import whole_number
from tools.emulator.cloud.web import BadRequest, Stream, answer_json, compact
from tools.errors import UserError

if TYPE_CHECKING:
    from tools.emulator.cloud.admin import AdminApp
    from tools.emulator.cloud.registry import Device
    from tools.emulator.cloud.store import Store
    from tools.emulator.cloud.web import Request, Response
    from tools.emulator.cloud.web_hooks import WebHook

KEPT = 100_000  # messages for those who ask late
PAGE = 1000  # messages of one answer
WAIT_MAX = 60  # seconds that one request may wait
QUIET = 15  # seconds after which a stream without messages shows that it lives


class ServerMessages:
    """The last messages, in order, in `store`; each of `sinks` gets them as they come."""

    def __init__(self, store: Store, wall: Callable[[], float]):
        self.store, self.wall = store, wall
        self.sinks: list[Callable[[dict[str, Any]], object]] = []
        self.hooks: list[WebHook] = []

    def write_to(self, path: Path) -> None:
        """Appends each message from now on to the file at `path`, a line of JSON; raises UserError."""
        try:
            file = path.open("a", encoding="utf-8", buffering=1)
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}; name another with --events") from None
        self.sinks.append(lambda entry: file.write(json.dumps(entry) + "\n"))

    def add(self, device: Device, tail: str, body: dict[str, Any]) -> None:
        """A message of `device` on `/{pk}/{dn}/` + `tail`; its iotId and names are put in front."""
        names = {
            "iotId": device.iot_id,
            "productKey": device.product_key,
            "deviceName": device.device_name,
        }
        self.send(f"/{device.product_key}/{device.device_name}/{tail}", names | body)

    def send(self, topic: str, body: dict[str, Any]) -> None:
        """A message on any topic."""
        time = int(self.wall() * 1000)
        number = self.store.add_server_message(time, topic, body, KEPT)
        for sink in list(self.sinks):
            sink(shown(number, time, topic, body))

    def after(self, number: int, topic: str | None = None) -> list[dict[str, Any]]:
        """The first messages with a number above `number`, all or those of one `topic`; a page at most."""
        return [shown(*one) for one in self.store.server_messages(number, topic, PAGE)]

    def newest(self) -> int:
        """The number of the last message, 0 before the first."""
        return self.store.newest_server_message()

    async def wait(self, number: int, topic: str | None, seconds: float) -> list[dict[str, Any]]:
        """Wait for a message as `after` gives them; [] when none comes within `seconds`."""
        found = self.after(number, topic)
        if found or not seconds:
            return found
        come = asyncio.Event()

        def notice(entry):
            if topic in (None, entry["topic"]):
                come.set()

        self.sinks.append(notice)
        try:
            await asyncio.wait_for(come.wait(), seconds)
        except TimeoutError:
            return []
        finally:
            self.sinks.remove(notice)
        return self.after(number, topic)

    async def follow(self, number: int, topic: str | None, write: Callable[[bytes], None]) -> None:
        """Writes all messages above `number`, and those to come, as server-sent events whose id is the number."""
        while True:
            found = await self.wait(number, topic, QUIET)
            for entry in found:
                number = entry["seq"]
                write(b"id: %d\ndata: %b\n\n" % (number, compact(entry)))
            if not found:
                write(b": quiet\n\n")


def shown(number: int, time: int, topic: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"seq": number, "time": time, "topic": topic, "body": body}


@route("GET", "/server_messages")
def server_messages(app: AdminApp, request: Request) -> Any:
    query = dict(request.query)
    after, wait = whole_number(query.pop("after", "0")), whole_number(query.pop("wait", "0"))
    topic = query.pop("topic", None)
    if after is None or wait is None or wait > WAIT_MAX or query:
        raise BadRequest(
            400, f"the query may have after=NUMBER, wait=SECONDS (at most {WAIT_MAX}), topic=TOPIC"
        )

    async def answer() -> Response:
        return answer_json(await app.instance.server_messages.wait(after, topic, wait))

    return answer()


@route("GET", "/stream")
def stream(app: AdminApp, request: Request) -> Stream:
    query = dict(request.query)
    after = whole_number(request.headers.get("last-event-id") or query.pop("after", "0"))
    query.pop("after", None)
    topic = query.pop("topic", None)
    if after is None or query:
        raise BadRequest(
            400, "the query may have after=NUMBER (or the head Last-Event-ID: NUMBER), topic=TOPIC"
        )
    headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    messages = app.instance.server_messages
    return Stream(headers=headers, close=True, run=lambda write: messages.follow(after, topic, write))
