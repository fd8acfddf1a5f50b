"""Raw data of products with a script: up as Alink requests, down as bytes, and the replies (application.md 3.7)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud import alink
from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.requests import RAW
from tools.emulator.cloud.thing.scripts import MISSING, NO_METHOD, Script

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.registry import Device
    from tools.emulator.cloud.requests import Record, Request

UP, DOWN = "thing/model/up_raw", "thing/model/down_raw"


class Raw:
    """Raw data of the devices of `instance`. A script's result is handled as if it had come as JSON."""

    def __init__(self, instance: Instance):
        self.instance = instance
        self.scripts: dict[str, Script] = {
            seed.product_key: seed.more["script"]
            for seed in instance.config.products
            if seed.more.get("script")
        }
        instance.requests.add(UP, self.take_up, RAW)
        instance.requests.add(DOWN + "_reply", self.take_reply, RAW)

    def script(self, device: Device) -> Script:
        """Raises `Refused` with 26001 without one."""
        found = self.scripts.get(device.product_key)
        if found is None:
            raise Refused(MISSING)
        return found

    def take_up(self, request: Request, device: Device, record: Record) -> None:
        """up_raw: the request that the script makes of it, answered by bytes on up_raw_reply."""
        body: dict[str, Any] = {}
        try:
            body = self.script(device).up(request.payload)
            method = body.get("method")
            if not isinstance(method, str) or not method:
                raise Refused(NO_METHOD)
            topic = f"/sys/{device.product_key}/{device.device_name}/{method.replace('.', '/')}"
            answer = self.instance.requests.outcome_of(record, topic, json.dumps(body).encode())
        except Refused as refusal:
            answer = (refusal.code, refusal.data or {}, str(refusal))
            record.event("refused request", topic=request.topic, code=refusal.code, reason=str(refusal))
        if alink.wants_reply(body):
            self.answer(request.topic, device, record, body, answer)

    def answer(
        self, topic: str, device: Device, record: Record, body: dict[str, Any], answer: tuple[Any, Any, str]
    ) -> None:
        """The reply's bytes, if the script has any for it."""
        code, data, text = answer
        reply = {
            "id": body.get("id", ""),
            "code": code,
            "data": data or {},
            "message": text,
            "version": "1.0",
        }
        try:
            payload = self.script(device).down(reply | {"method": body.get("method", "")})
        except Refused as refusal:
            record.event("no raw reply", topic=topic, code=refusal.code, reason=str(refusal))
            return
        record.publish(topic + "_reply", payload)

    def take_reply(self, request: Request, device: Device, record: Record) -> None:
        """down_raw_reply: the reply that the script makes of it."""
        try:
            text = json.dumps(self.script(device).up(request.payload)).encode()
        except Refused as refusal:
            record.event("reply dropped", topic=request.topic, code=refusal.code, reason=str(refusal))
            return
        self.instance.requests.answered(request.topic, text)
        body = alink.parse(text)
        self.instance.downlinks.take(device, str((body or alink.Body()).get("id", "")), request.topic, body)

    # ---- down, for `Downlinks`

    def encoded(self, device: Device, tail: str, payload: bytes) -> tuple[str, bytes]:
        """(the tail of the topic, payload) that an Alink request goes out with: as it is, or by the script."""
        script = self.scripts.get(device.product_key)
        return (tail, payload) if script is None else (DOWN, script.down(json.loads(payload)))

    def decoded(self, device: Device, payload: bytes) -> alink.Body | None:
        """The JSON of an answer over RRPC."""
        script = self.scripts.get(device.product_key)
        try:
            return alink.parse(json.dumps(script.up(payload)).encode() if script else payload)
        except Refused:
            return None
