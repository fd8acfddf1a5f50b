"""The requests of devices on their own topics: one table of handlers, which the cloud's folders fill.

`Requests.add` takes a topic pattern and a handler `(request, device, record)`.
A pattern is what follows `/sys/{pk}/{dn}/`, or a whole topic with `{pk}` and
`{dn}` in it; `+` stands for one level. The handler of an Alink request
returns the `data` of a good reply (None: `{}`) or raises `codes.Refused`; the
reply goes out when its state is stored. Handlers of the form "raw" get the
bytes, and publish what they answer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud import alink, topics
from tools.emulator.cloud.alink import Body
from tools.emulator.cloud.codes import Refused, message

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.registry import Device
    from tools.emulator.cloud.sessions import Session

ALINK, RAW = "alink", "raw"
SYSTEM = "/sys/{pk}/{dn}/"
Handler = Callable[["Request", "Device", "Record"], Any]


@dataclass(frozen=True)
class Entry:
    """One row of the table. `gap` is the log's reason of `not emulated`, None for what is emulated."""

    pattern: str
    handler: Handler
    form: str
    gap: str | None


@dataclass(frozen=True)
class Request:
    """One message of a device. `levels` are those that `+` stood for; `body` is {} unless the form is Alink."""

    topic: str
    levels: tuple[str, ...]
    payload: bytes
    body: dict[str, Any]

    @property
    def params(self) -> Any:
        return self.body.get("params")

    @property
    def tail(self) -> str:
        """What follows the device's names in a /sys topic."""
        return self.topic.split("/", 4)[-1]

    def objects(self) -> dict[str, Any]:
        """`params`, which must be an object; raises `Refused` with 460."""
        return self.expect(dict)

    def array(self) -> list[Any]:
        """`params`, which must be an array; raises `Refused` with 460."""
        return self.expect(list)

    def expect(self, kind: type) -> Any:
        if not isinstance(self.params, kind):
            raise Refused(460)
        return self.params


@dataclass
class Record:
    """The effects of one request beside its reply. `session` is the session of the device that asked."""

    instance: Instance
    device: Device
    session: Session
    after: list[Callable[[], object]] = field(default_factory=list)
    held: list[tuple[str, bytes]] | None = None  # answers that wait for the state to be stored

    def event(self, name: str, **fields: Any) -> None:
        """Notes an event of this device for `GET /log`."""
        pk, dn = self.device.key
        self.instance.journal.event(name, pk=pk, dn=dn, client_id=self.session.client_id or None, **fields)

    def message(self, tail: str, body: dict[str, Any]) -> None:
        """A message to the business server on `/{pk}/{dn}/` + `tail` (application.md 15)."""
        self.instance.server_messages.add(self.device, tail, body)

    def publish(self, topic: str, payload: bytes) -> None:
        """Answers on `topic`, QoS 0, to the session that asked, once the state is stored; fault stage `reply`."""
        if self.held is not None:
            self.held.append((topic, payload))
        else:
            self.instance.reply(self.session, topic, payload)

    @contextlib.contextmanager
    def stored(self) -> Iterator[None]:
        """A transaction; what is published inside goes out when it is committed."""
        self.held = []
        with self.instance.store.transaction():
            yield
        answers, self.held = self.held, None
        for topic, payload in answers:
            self.publish(topic, payload)

    def later(self, action: Callable[[], object]) -> None:
        """Does `action` once the reply is out."""
        self.after.append(action)


class Requests:
    """The table of `instance`, and the replies to the platform's own requests that are waited for."""

    def __init__(self, instance: Instance):
        self.instance = instance
        self.entries: dict[str, Entry] = {}
        self.waiting: dict[tuple[str, str], list[Waiting]] = {}
        self.second, self.counts = 0, Counter[tuple[tuple[str, str], str]]()
        for pattern in STUBS:
            self.add(pattern, accept, gap="it is answered, and nothing is kept")

    def add(self, pattern: str, handler: Handler, form: str = ALINK, gap: str | None = None) -> None:
        """Lets `handler` answer `pattern`; a later one takes the place of an earlier one."""
        whole = pattern if pattern.startswith("/") else SYSTEM + pattern
        self.entries[whole] = Entry(whole, handler, form, gap)

    def find(self, topic: str, key: tuple[str, str]) -> tuple[Entry, tuple[str, ...]] | None:
        """(entry, levels that `+` stood for) of a device's own `topic`; patterns without `+` come first."""
        own = neutral(topic, key)
        if own in self.entries:
            return self.entries[own], ()
        levels = own.split("/")
        for pattern, entry in self.entries.items():
            parts = pattern.split("/")
            if len(parts) == len(levels) and all(a in ("+", b) for a, b in zip(parts, levels)):
                return entry, tuple(b for a, b in zip(parts, levels) if a == "+")
        return None

    def take(self, session: Session | None, key: tuple[str, str], topic: str, payload: bytes) -> None:
        """A device has published on its own `topic`; `session` is None when its connection is over."""
        device = self.instance.registry.find(*key)
        if device is None:
            return
        if topic.endswith("_reply") and topic.startswith("/sys/"):
            self.answered(topic, payload)
        found = self.find(topic, key)
        missing = gap(topic) if found is None else found[0].gap
        if missing:
            client_id = session.client_id or None if session else None
            self.instance.journal.event(
                "not emulated", pk=key[0], dn=key[1], client_id=client_id, topic=topic, reason=missing
            )
        if found is None and "/rrpc/" in topic:
            self.instance.journal.event(
                "reply dropped", pk=key[0], dn=key[1], topic=topic, reason="nobody waits for it"
            )
        if found is not None and session is not None:
            self.serve(found[0], found[1], Record(self.instance, device, session), topic, payload)

    def serve(
        self, entry: Entry, levels: tuple[str, ...], record: Record, topic: str, payload: bytes
    ) -> None:
        if entry.form == RAW:
            with record.stored():
                entry.handler(Request(topic, levels, payload, {}), record.device, record)
        else:
            body = alink.parse(payload)
            code, data, text = self.outcome(entry, levels, record, topic, payload, body)
            if alink.wants_reply(body or {}) and code is not None:
                method = topic.split("/", 4)[-1].replace("/", ".")
                record.publish(topic + "_reply", alink.reply(body or {}, code, data, text, method))
        for action in record.after:
            action()

    def outcome(
        self,
        entry: Entry,
        levels: tuple[str, ...],
        record: Record,
        topic: str,
        payload: bytes,
        body: Body | None,
    ) -> tuple[int | None, Any, str]:
        """(code, data, message) of the reply to an Alink request; a code of None asks for none."""
        if body is None:
            code = self.instance.config.switches.not_json
            record.event("refused request", topic=topic, code=code, reason=message(code))
            return code, {}, message(code)
        try:
            with self.instance.store.transaction():
                data = entry.handler(Request(topic, levels, payload, body), record.device, record)
            return alink.SUCCESS, data, "success"
        except Refused as refusal:
            record.event("refused request", topic=topic, code=refusal.code, reason=str(refusal))
            return refusal.code, refusal.data, str(refusal)

    def outcome_of(self, record: Record, topic: str, payload: bytes) -> tuple[int | None, Any, str]:
        """The same for a request that came in another form, such as raw data; raises `Refused` with 6203."""
        found = self.find(topic, record.device.key)
        if found is None or found[0].form == RAW:
            raise Refused(6203)
        return self.outcome(*found, record, topic, payload, alink.parse(payload))

    def refuse(self, session: Session | None, topic: str, payload: bytes, code: int) -> None:
        """Answers an Alink request with `code`, unseen by its handler; anything else is passed over."""
        key = topics.device_of(topic)
        found, body = key and self.find(topic, key), alink.parse(payload)
        if session and found and found[0].form == ALINK and body is not None and alink.wants_reply(body):
            method = topic.split("/", 4)[-1].replace("/", ".")
            self.instance.reply(session, topic + "_reply", alink.reply(body, code, {}, message(code), method))

    def too_many(self, device: Device, kind: str, limit: int) -> bool:
        """Counts a request of `kind`; whether it is above the `limit` of its device in this second."""
        second = int(self.instance.monotonic())
        if second != self.second:
            self.second = second
            self.counts.clear()
        self.counts[device.key, kind] += 1
        return self.counts[device.key, kind] > limit

    # ---- the platform asks

    def answered(self, topic: str, payload: bytes) -> None:
        """A `_reply` of a device, for whoever waits for it; ids are matched by their text."""
        body = alink.parse(payload)
        for waiting in list(self.waiting.get((topic, str((body or Body()).get("id"))), ())):
            if body is not None and not waiting.future.done():
                waiting.future.set_result(body)

    def expect(self, topic: str, number: str) -> Waiting:
        """Waits for the reply to request `number` on `topic`, from now on; see `Waiting.within`."""
        waiting = Waiting(self, (topic + "_reply", number), asyncio.get_running_loop().create_future())
        self.waiting.setdefault(waiting.key, []).append(waiting)
        return waiting

    async def ask(
        self, device: Device, tail: str, params: object, seconds: float, qos: int = 0, **more: Any
    ) -> tuple[str, Body | None]:
        """Asks a device on its /sys topic `tail`; (id, its reply), None when it is offline or too late.

        `more` are keys of the envelope, among them `version`.
        """
        topic = f"/sys/{device.product_key}/{device.device_name}/{tail}"
        number = str(next(self.instance.numbers))
        waiting = self.expect(topic, number)
        payload = alink.envelope(number, tail.replace("/", "."), params, **more)
        outcome = self.instance.send_down(*device.key, topic, payload, qos)
        return number, await waiting.within(seconds if outcome["sent"] else 0)


class Service:
    """A part of `instance` that answers requests: the base class of those in `services` and `thing`."""

    def __init__(self, instance: Instance):
        self.instance, self.store = instance, instance.store
        self.switches, self.limits = instance.config.switches, instance.config.limits
        for pattern, handler in self.handlers().items():
            instance.requests.add(pattern, handler)

    def handlers(self) -> dict[str, Handler]:
        """{topic pattern: handler} of its Alink requests, as for `Requests.add`."""
        return {}


@dataclass(eq=False)
class Waiting:
    """A reply that is waited for under `key` = (its topic, the id as text)."""

    requests: Requests
    key: tuple[str, str]
    future: asyncio.Future[Body]

    async def within(self, seconds: float) -> Body | None:
        """The reply, or None after `seconds`."""
        try:
            return await asyncio.wait_for(self.future, seconds)
        except TimeoutError:
            return None
        finally:
            self.requests.waiting[self.key].remove(self)
            if not self.requests.waiting[self.key]:
                del self.requests.waiting[self.key]


def neutral(topic: str, key: tuple[str, str]) -> str:
    """`topic` with {pk} and {dn} in place of its device's names."""
    levels = topic.split("/")
    at = topics.place_of(levels)
    if tuple(levels[at : at + 2]) == key:
        levels[at : at + 2] = "{pk}", "{dn}"
    return "/".join(levels)


def gap(topic: str) -> str | None:
    """Why nothing happens on a `topic` that is not in the table; None for one that asks nothing."""
    family = topic.split("/", 2)[1]
    if family not in topics.PLATFORM or topic.endswith("_reply") or "/rrpc/" in topic:
        return None
    return "nothing answers"


def accept(request: Request, device: Device, record: Record) -> None:
    """Answer with success; nothing is kept."""


# answered with success so that a device goes on; nobody here keeps what they say
STUBS = (
    "thing/awss/enrollee/match",
    "thing/reset",
)
