"""Download over MQTT: a block for each request, JSON in front of it and a CRC behind (application.md 5.6)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud import alink
from tools.emulator.cloud.ota import jobs
from tools.emulator.cloud.requests import RAW
from tools.emulator.cloud.web import compact

if TYPE_CHECKING:
    from tools.emulator.cloud.faults import Fault
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.ota.campaigns import Campaigns
    from tools.emulator.cloud.ota.packages import Packages
    from tools.emulator.cloud.ota.tasks import Task
    from tools.emulator.cloud.registry import Device
    from tools.emulator.cloud.requests import Record, Request

# a string, or the comma that a C SDK writes before a bracket
TOKEN = re.compile(rb'"(?:\\.|[^"\\])*"|,(?=[ \t\r\n]*[}\]])')
PARAMETER, MISSING = 460, 404  # codes of a refusal; the page has none


class Refused(Exception):
    """A request that gets no block: `code`, and the text of `msg`."""

    def __init__(self, code: int, text: str):
        super().__init__(text)
        self.code = code


class Blocks:
    """Answers `thing/file/download` for the tasks of `campaigns`."""

    def __init__(self, instance: Instance, found: Packages, campaigns: Campaigns):
        self.instance, self.packages, self.campaigns = instance, found, campaigns
        self.switches, self.limits = instance.config.switches, instance.config.limits
        instance.requests.add("thing/file/download", self.download, RAW)

    def download(self, request: Request, device: Device, record: Record) -> None:
        if self.switches.ota_block_rate == "drop" and self.too_fast(device):
            record.event("dropped", topic=request.topic, reason="block rate")
            return
        body = alink.parse(tolerant(request.payload))
        try:
            answer = self.block(body, device)
        except Refused as refusal:
            record.event("refused request", topic=request.topic, code=refusal.code, reason=str(refusal))
            if body is None or self.switches.ota_block_error == "silent":
                return
            trailer = crc(b"") if self.switches.ota_block_error == "empty" else b""
            head = {"code": refusal.code, "msg": str(refusal), "data": {}}
            answer = frame(body, head, b"", trailer)
        record.publish(request.topic + "_reply", answer)

    def too_fast(self, device: Device) -> bool:
        return self.instance.requests.too_many(device, "block", self.limits.ota_blocks_a_second)

    def block(self, body: alink.Body | None, device: Device) -> bytes:
        """The reply with the block that is asked for; raises `Refused`."""
        params = (body or alink.Body()).get("params")
        if body is None or not isinstance(params, dict):
            raise Refused(PARAMETER, "request parameter error")
        stream, number, size, offset = numbers(params)
        task = self.task(device, stream)
        package = self.packages.find(self.campaigns.jobs[task.job_id].firmware_id)
        if number != 1:
            raise Refused(MISSING, "file not found")
        length = package.files[0].size
        if not 1 <= size <= self.limits.ota_block_bytes or not 0 <= offset < length:
            raise Refused(PARAMETER, "size or offset out of range")
        if length > self.limits.ota_mqtt_file_bytes:
            raise Refused(PARAMETER, "file is larger than 16 MB")
        try:
            data = self.packages.read(package, number, offset, size)
        except OSError:
            raise Refused(MISSING, "file not found") from None
        token = {"fileToken": params["fileToken"]} if "fileToken" in params else {}
        data_head = {**token, "fileLength": length, "bSize": len(data), "bOffset": offset}
        return frame(body, {"code": 200, "data": data_head}, data, crc(data))

    def task(self, device: Device, stream: int) -> Task:
        """The task of a device that has this stream, while its package is out; raises `Refused`."""
        task = self.campaigns.task_of(device.key)
        if task is None or not task.open or task.stream != stream:
            raise Refused(MISSING, "stream not found")
        if self.campaigns.jobs[task.job_id].protocol != jobs.MQTT:
            raise Refused(MISSING, "stream not found")
        return task


def numbers(params: dict[str, Any]) -> tuple[int, int, int, int]:
    """streamId, fileId, size and offset of a request; raises `Refused`."""
    info, block = params.get("fileInfo"), params.get("fileBlock")
    if not isinstance(info, dict) or not isinstance(block, dict):
        raise Refused(PARAMETER, "fileInfo or fileBlock is missing")
    found = (info.get("streamId"), info.get("fileId"), block.get("size"), block.get("offset"))
    if not all(type(one) is int for one in found):
        raise Refused(PARAMETER, "streamId, fileId, size and offset are numbers")
    return found  # type: ignore[return-value]


def tolerant(payload: bytes) -> bytes:
    """`payload` without a comma that stands before a closing bracket."""
    return TOKEN.sub(lambda found: found[0] if found[0] != b"," else b"", payload)


def frame(request: alink.Body, head: dict[str, Any], block: bytes, trailer: bytes) -> bytes:
    """Length of the JSON, JSON with the request's own id, block, and what follows it."""
    raw = request.raw_id
    identifier = compact(request.get("id", "")) if raw is None else raw.encode(errors="replace")
    text = b'{"id":%b,%b' % (identifier, compact(head)[1:])
    return len(text).to_bytes(2, "big") + text + block + trailer


def crc(data: bytes) -> bytes:
    """CRC-16/ARC, low byte first."""
    value = 0
    for byte in data:
        value = (value >> 8) ^ TABLE[(value ^ byte) & 0xFF]
    return value.to_bytes(2, "little")


def entry(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (0xA001 if value & 1 else 0)
    return value


TABLE = tuple(entry(value) for value in range(256))


def spoiled(payload: bytes, fault: Fault) -> bytes:
    """A reply as `fault` has it, `wrong_crc`, `wrong_offset` or `damage`; one without a block stays as it is."""
    size = int.from_bytes(payload[:2], "big")
    head, block, tail = payload[2 : 2 + size], payload[2 + size : -2], payload[-2:]
    body = alink.parse(head)
    if body is None or not block or not isinstance(body.get("data"), dict):
        return payload
    if fault.kind == "wrong_crc":
        return payload[:-2] + bytes(byte ^ 0xFF for byte in tail)
    if fault.kind == "wrong_offset":
        fields = {name: value for name, value in body.items() if name != "id"}
        return frame(body, fields | {"data": body["data"] | {"bOffset": fault["offset"]}}, block, tail)
    at = fault["at"] % len(block)
    block = block[:at] + bytes([block[at] ^ 1]) + block[at + 1 :]
    return payload[: 2 + size] + block + crc(block)
