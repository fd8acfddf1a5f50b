"""Requests of the platform to a device: set, get, services; their replies (application.md 3.2, 3.4)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud import alink
from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.requests import RAW
from tools.emulator.cloud.sessions import RRPC
from tools.emulator.cloud.thing import checking
from tools.emulator.cloud.thing.checking import Point
from tools.emulator.cloud.thing.model import IDENTIFIER, Service
from tools.emulator.cloud.thing.raw import Raw
from tools.emulator.cloud.thing.values import NONE

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.registry import Device
    from tools.emulator.cloud.requests import Record, Request

CALL = "service"  # kind of points: {id, in, out, code}
SET, GET = "thing/service/property/set", "thing/service/property/get"
REPLY = "thing/downlink/reply/message"
OFFLINE, NOT_ACTIVATED = 9201, 9200
REMEMBERED = 10_000  # requests whose replies are known for what they are
MESSAGES = {OFFLINE: "device offline", NOT_ACTIVATED: "device not activated"}


@dataclass
class Asked:
    """A request to a device: the service `name`, "set" or "get" for properties, its inputs, whether it was answered."""

    name: str
    inputs: Any
    answered: bool = False


@dataclass(frozen=True)
class Wish:
    """How a console sends a request: `times` with one id, waiting `seconds` for the reply (0: not at all)."""

    qos: int = 0
    seconds: float = 0
    times: int = 1


class Downlinks:
    """Requests to the devices of `instance`."""

    def __init__(self, instance: Instance):
        self.instance, self.things, self.raw = instance, instance.things, Raw(instance)
        self.asked: OrderedDict[tuple[tuple[str, str], str], Asked] = OrderedDict()
        for tail in (SET + "_reply", GET + "_reply", "thing/service/+"):
            instance.requests.add(tail, self.take_reply, RAW)

    # ---- checks

    def check_settable(self, device: Device, values: dict[str, Any]) -> None:
        """Raises `Refused` unless each of `values` is one that the model lets be set."""
        model, level = self.things.models.of(device.product_key), self.things.models.level(device.product_key)
        for name, value in values.items():
            if not IDENTIFIER.fullmatch(name):
                raise Refused(6304, text=str(checking.unknown(name)))
            problem = checking.misfit(model, level, name, value)
            if problem:
                raise Refused(problem.code, text=str(problem))
            known = model.properties.get(name) if model else None
            if known and not known.writable and level != NONE:
                raise Refused(460, text=f"{name} is read-only: its accessMode is r")

    def service(self, device: Device, name: str) -> Service | None:
        """The service of the device's model, None without a model; raises `Refused` for one that is not in it."""
        model, level = self.things.models.of(device.product_key), self.things.models.level(device.product_key)
        if not IDENTIFIER.fullmatch(name):
            raise Refused(6313)
        if model and level != NONE and name not in model.services:
            raise Refused(6313)
        return model.services.get(name) if model else None

    def check_inputs(self, device: Device, name: str, inputs: dict[str, Any]) -> Service | None:
        """The service if it takes `inputs`; raises `Refused`."""
        known, level = self.service(device, name), self.things.models.level(device.product_key)
        if known and level != NONE:
            missing = sorted(known.required - set(inputs))
            if missing:
                raise Refused(6302, text=f"tsl parse: required params missing -> {missing[0]}")
            checking.outputs(known.inputs, level, inputs, 0).insist()
        return known

    # ---- requests

    async def set(self, device: Device, values: dict[str, Any], wish: Wish) -> dict[str, Any]:
        """SetDeviceProperty; `send` has what it returns. Raises `Refused`."""
        self.check_settable(device, values)
        return await self.send(device, SET, "set", values, wish)

    async def get(self, device: Device, names: list[str], wish: Wish) -> dict[str, Any]:
        """Asks a device for properties."""
        return await self.send(device, GET, "get", names, wish)

    async def invoke(
        self, device: Device, name: str, inputs: dict[str, Any], wish: Wish, sync: bool | None = None
    ) -> dict[str, Any]:
        """InvokeThingService: asynchronous, or over RRPC as the model, or `sync`, has it. Raises `Refused`."""
        known = self.check_inputs(device, name, inputs)
        if sync if sync is not None else known is not None and known.sync:
            return await self.invoke_sync(device, name, inputs)
        return await self.send(device, f"thing/service/{name}", name, inputs, wish)

    async def send(self, device: Device, tail: str, name: str, params: Any, wish: Wish) -> dict[str, Any]:
        """{id, sent, kept, dropped} of a request, and with seconds to wait `reply`, None if none came."""
        number = self.number(device, name, params)
        envelope = alink.envelope(number, tail.replace("/", "."), params, version="1.0.0")
        tail, payload = self.raw.encoded(device, tail, envelope)
        topic = f"/sys/{device.product_key}/{device.device_name}/{tail}"
        waiting = self.instance.requests.expect(topic, number) if wish.seconds else None
        outcomes = {"sent": 0, "kept": 0, "dropped": 0}
        for _ in range(wish.times):
            found = self.instance.send_down(*device.key, topic, payload, wish.qos)
            outcomes = {key: outcomes[key] + found[key] for key in outcomes}
        answer: dict[str, Any] = {"id": number, **outcomes}
        if not outcomes["sent"] and not outcomes["kept"]:
            self.report_unsent(device, number, topic)
        if waiting is not None:
            answer["reply"] = await waiting.within(wish.seconds if outcomes["sent"] else 0)
        return answer

    def number(self, device: Device, name: str, inputs: Any) -> str:
        """A fresh id, remembered with what is asked under it."""
        number = str(next(self.instance.numbers))
        self.asked[device.key, number] = Asked(name, inputs)
        while len(self.asked) > REMEMBERED:
            self.asked.popitem(last=False)
        return number

    async def invoke_sync(self, device: Device, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
        """A service over RRPC, 8 s at most: the custom topic where `ext` has bit 0, else the system's."""
        number = self.number(device, name, inputs)
        sessions = self.instance.sessions.of(*device.key)
        custom = any(session.peer and session.extension & RRPC for session in sessions)
        envelope = alink.envelope(number, f"thing.service.{name}", inputs, version="1.0.0")
        tail, payload = self.raw.encoded(device, f"thing/service/{name}", envelope)
        topic = f"/sys/{device.product_key}/{device.device_name}/{tail}" if custom else None
        answer = await self.instance.call(device, payload, topic)
        body = None if answer is None else self.raw.decoded(device, answer)
        if answer is not None:
            self.take(device, number, topic or "rrpc", body)
        elif self.instance.status(device) != "online":
            self.report_unsent(device, number, topic or "rrpc")
        return {"id": number, "sync": True, "reply": body}

    # ---- replies

    def report_unsent(self, device: Device, number: str, topic: str) -> None:
        code = NOT_ACTIVATED if device.activated_at is None else OFFLINE
        if self.instance.status(device) != "online":
            self.report(device, number, topic, {"code": code, "message": MESSAGES[code]}, {})

    def report(
        self, device: Device, number: str, topic: str, body: dict[str, Any], failed: dict[str, Any]
    ) -> None:
        """The message of a reply, or of a request that was not sent (application.md 15)."""
        message = {
            "gmtCreate": self.things.now(),
            "requestId": number,
            "code": body.get("code"),
            "message": body.get("message", ""),
            "topic": topic,
            "data": body.get("data", {}),
            "checkFailedData": failed,
        }
        self.instance.server_messages.add(device, REPLY, message)

    def take_reply(self, request: Request, device: Device, record: Record) -> None:
        """A device has answered, or has published on a topic that is the platform's own."""
        if not request.topic.endswith("_reply"):
            record.event("not emulated", topic=request.topic, reason="nothing answers")
            return
        body = alink.parse(request.payload)
        number = "" if body is None else str(body.get("id", ""))
        self.take(device, number, request.topic, body)

    def take(self, device: Device, number: str, topic: str, body: alink.Body | None) -> None:
        """Keeps and reports one reply; one that is no JSON, or that nobody asked for, is an event of the log."""
        note = self.instance.journal.event
        asked, names = self.asked.get((device.key, number)), dict(zip(("pk", "dn"), device.key))
        if body is None or asked is None or asked.answered:
            reason = "no JSON" if body is None else "unknown id" if asked is None else "a second one"
            note("reply dropped", **names, topic=topic, id=number[:64], reason=reason)
            return
        asked.answered = True
        failed = self.check_outputs(device, asked.name, body)
        code = body.get("code")
        if type(code) is not int:
            note("reply without a code", **names, topic=topic, id=number)
        self.report(device, number, topic, body, failed)
        call = {"id": number, "in": asked.inputs, "out": body.get("data", {}), "code": code}
        self.things.add_history(device.key, CALL, [Point(asked.name, call, self.things.now())])

    def check_outputs(self, device: Device, name: str, body: alink.Body) -> dict[str, Any]:
        """The checkFailedData of a reply: outputs that the model has not, or has otherwise."""
        model, level = self.things.models.of(device.product_key), self.things.models.level(device.product_key)
        data, now = body.get("data"), self.things.now()
        if model is None or level == NONE or not isinstance(data, dict) or name == "set":
            return {}
        if name == "get":
            return checking.properties(model, level, data, now).failed
        known = model.services.get(name)
        return checking.outputs(known.outputs, level, data, now).failed if known else {}
