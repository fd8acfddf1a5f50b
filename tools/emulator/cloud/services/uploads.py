"""Files that devices send over MQTT, block by block, with resume and checks (application.md 12)."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud import alink
from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.ota.blocks import crc
from tools.emulator.cloud.registry import Device
from tools.emulator.cloud.requests import RAW, Handler, Record, Request, Service
from tools.emulator.cloud.services.blocks import Block, crc64, read_block
from tools.emulator.cloud.services.files import NAME as FILE
from tools.emulator.cloud.services.files import Files

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance

INDEX = "uploads"  # kind of the state [uploadId] of a device; each upload is a state of its own
USED = "uploaded bytes"  # setting: of all files
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.]{0,99}")
CHECK = re.compile(r"[0-9a-f]{16}")
OVERWRITE, APPEND, REJECT = "overwrite", "append", "reject"
OWNERS = ("iot-platform", "device-user")
UNKNOWN = -1  # a fileSize
INIT, CANCEL, SEND = (f"thing/file/upload/mqtt/{step}" for step in ("init", "cancel", "send"))
TOO_LARGE, LARGE_BLOCK, WRONG_OFFSET, SMALL_BLOCK, WRONG_BLOCK = range(78117, 78122)
NO_UPLOAD, NAME_EXISTS, FINISHED, WRONG_FILE, DUPLICATE, TOO_MANY = range(78122, 78128)


@dataclass
class Upload:
    """One file on its way, or there: `received` bytes of it, `crc` of them so far; `size` and `check` as announced."""

    upload_id: str
    name: str
    size: int
    strategy: str
    check: str | None
    uid: str | None
    owner: str
    received: int = 0
    crc: int = 0
    finished_at: int | None = None  # Unix ms

    def show(self) -> dict[str, Any]:
        """`data` of an init reply."""
        check = {"ficMode": "crc64", "ficValue": self.check} if self.check else {}
        return {
            "fileName": self.name,
            "uploadId": self.upload_id,
            "offset": self.received,
            "fileSize": self.size,
            "conflictStrategy": self.strategy,
            **check,
        }


def announced(params: dict[str, Any], limit: int) -> dict[str, Any]:
    """The fields of an `Upload` that an init gives; raises `Refused`."""
    name, size = params.get("fileName"), params.get("fileSize", UNKNOWN)
    strategy, uid = params.get("conflictStrategy", OVERWRITE), params.get("initUid")
    extra = params.get("extraParams", {})
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise Refused(460, text="fileName must be at most 100 letters, digits, _ and .")
    if type(size) is not int or size < UNKNOWN:
        raise Refused(460, text="fileSize must be a number of bytes, or -1")
    if size > limit:
        raise Refused(TOO_LARGE)
    if strategy not in (OVERWRITE, APPEND, REJECT) or not (
        uid is None or isinstance(uid, str) and len(uid) <= 256
    ):
        raise Refused(460)
    return {
        "name": name,
        "size": size,
        "strategy": strategy,
        "check": announced_check(params),
        "uid": uid,
        "owner": announced_owner(extra),
    }


def announced_check(params: dict[str, Any]) -> str | None:
    """The CRC-64 of the whole file, None if it has none; raises `Refused`."""
    mode, value = params.get("ficMode"), params.get("ficValue")
    if mode is None:
        return None
    if mode != "crc64" or not isinstance(value, str) or not CHECK.fullmatch(value.lower()):
        raise Refused(460, text="ficMode must be crc64, ficValue 16 hex digits")
    return value.lower()


def announced_owner(extra: Any) -> str:
    """Whose bucket it goes to; raises `Refused`."""
    owner = extra.get("ossOwnerType", OWNERS[0]) if isinstance(extra, dict) else None
    if owner not in OWNERS or owner == OWNERS[1] and not isinstance(extra.get("serviceId"), str):
        raise Refused(
            460, text="extraParams must name ossOwnerType iot-platform, or device-user with a serviceId"
        )
    return str(owner)


class Uploads(Service):
    """The uploads of the devices of `instance`."""

    def __init__(self, instance: Instance, files: Files):
        super().__init__(instance)
        self.files = files
        instance.requests.add(SEND, self.send, RAW)

    def handlers(self) -> dict[str, Handler]:
        return {INIT: self.init, CANCEL: self.cancel}

    # ---- state

    def find(self, device: Device, upload_id: Any) -> Upload:
        """Raises `Refused` with 78122."""
        known = isinstance(upload_id, str) and FILE.fullmatch(upload_id)
        found = self.store.state(*device.key, f"upload {upload_id}") if known else None
        if found is None:
            raise Refused(NO_UPLOAD)
        return Upload(**found)

    def of(self, device: Device) -> list[Upload]:
        """All of a device, the oldest first."""
        return [self.find(device, one) for one in self.store.state(*device.key, INDEX) or []]

    def save(self, device: Device, upload: Upload) -> None:
        index = self.store.state(*device.key, INDEX) or []
        if upload.upload_id not in index:
            self.store.save_state(*device.key, INDEX, [*index, upload.upload_id])
        self.store.save_state(*device.key, f"upload {upload.upload_id}", asdict(upload))

    def remove(self, device: Device, upload: Upload) -> None:
        """Forgets an upload or a file."""
        index = self.store.state(*device.key, INDEX) or []
        with self.store.transaction():
            self.store.save_state(*device.key, INDEX, [one for one in index if one != upload.upload_id])
            self.store.save_state(*device.key, f"upload {upload.upload_id}", None)
            self.add_used(-upload.received)
        self.files.remove(upload.upload_id)

    def forget(self, device: Device) -> None:
        """The device was deleted."""
        for upload in self.of(device):
            self.remove(device, upload)

    def used(self) -> int:
        """Bytes of all uploads of the instance."""
        return self.store.setting(USED) or 0

    def add_used(self, count: int) -> None:
        self.store.save_setting(USED, self.used() + count)

    # ---- requests

    def init(self, request: Request, device: Device, record: Record) -> dict[str, Any]:
        """init: a new upload, or one that goes on."""
        self.pace(device)
        fields = announced(request.objects(), self.limits.upload_bytes)
        known = [one for one in self.of(device) if one.name == fields["name"]]
        begun = next((one for one in known if one.finished_at is None), None)
        there = next((one for one in known if one.finished_at is not None), None)
        if there and fields["strategy"] == REJECT:
            raise Refused(NAME_EXISTS)
        if begun and goes_on(begun, fields):
            return begun.show()
        if len(self.of(device)) - (begun is not None) >= self.limits.upload_files:
            raise Refused(self.switches.upload_full, text="the device has too many files")
        fresh = Upload(self.files.new_name(), **fields)
        self.begin(device, fresh, there if fields["strategy"] == APPEND else None)
        if begun:
            self.remove(device, begun)
        return fresh.show()

    def begin(self, device: Device, upload: Upload, before: Upload | None) -> None:
        """An empty file, or what is there of that name already."""
        content = self.files.read(before.upload_id) if before else b""
        self.check_room(upload, len(content))
        self.files.write(upload.upload_id, 0, content)
        upload.received, upload.crc = len(content), crc64(content)
        self.add_used(len(content))
        self.save(device, upload)

    def cancel(self, request: Request, device: Device, record: Record) -> dict[str, Any]:
        """cancel: an upload that is not finished is forgotten."""
        self.pace(device)
        upload = self.find(device, request.objects().get("uploadId"))
        if upload.finished_at is not None:
            raise Refused(FINISHED)
        self.remove(device, upload)
        return {"uploadId": upload.upload_id}

    def send(self, request: Request, device: Device, record: Record) -> None:
        """send: one block, answered as an Alink request is."""
        block = read_block(request.payload)
        header = block.header if block else alink.Body()
        try:
            self.pace(device)
            if block is None:
                raise Refused(460, text="the message is not length, JSON, block and CRC")
            code, data, text = alink.SUCCESS, self.take(device, block), "success"
        except Refused as refusal:
            code, data, text = refusal.code, refusal.data or {}, str(refusal)
            record.event("refused request", topic=request.topic, code=code, reason=text)
        if alink.wants_reply(header):
            method = request.tail.replace("/", ".")
            record.publish(request.topic + "_reply", alink.reply(header, code, data, text, method))

    def take(self, device: Device, block: Block) -> dict[str, Any]:
        """Adds a block to its upload; raises `Refused`."""
        upload = self.find(device, block.params.get("uploadId"))
        if upload.finished_at is not None:
            raise Refused(FINISHED)
        complete = self.check(upload, block)
        self.files.write(upload.upload_id, upload.received, block.data)
        self.add_used(len(block.data))
        answer = {"uploadId": upload.upload_id, "offset": upload.received, "bSize": len(block.data)}
        upload.received += len(block.data)
        upload.crc = crc64(block.data, upload.crc)
        self.save(device, upload)
        if not complete:
            return answer
        self.finish(device, upload)
        return {**answer, "complete": True}

    def check(self, upload: Upload, block: Block) -> bool:
        """Whether a block that fits is the last one; raises `Refused`."""
        params, size = block.params, len(block.data)
        offset, complete = params.get("offset"), params.get("isComplete", False)
        if type(offset) is not int or type(complete) is not bool or params.get("bSize") != size:
            raise Refused(460, text="offset, bSize or isComplete does not fit the block")
        if size > self.limits.upload_block:
            raise Refused(LARGE_BLOCK)
        if size < self.limits.upload_block_low and not complete:
            raise Refused(SMALL_BLOCK)
        if crc(block.data) != block.crc:
            raise Refused(WRONG_BLOCK)
        if 0 <= offset and offset + size <= upload.received and size:
            raise Refused(DUPLICATE)
        if offset != upload.received:
            raise Refused(WRONG_OFFSET)
        self.check_room(upload, size)
        return complete

    def check_room(self, upload: Upload, more: int) -> None:
        """Raises `Refused` when the file, or all of the instance, would become too large."""
        end = upload.received + more
        if end > self.limits.upload_bytes:
            raise Refused(TOO_LARGE)
        if upload.size != UNKNOWN and end > upload.size:
            raise Refused(460, text="the file is longer than fileSize")
        if self.used() + more > self.limits.upload_bytes_of_all:
            raise Refused(self.switches.upload_full, text="the instance has too many bytes of files")

    def finish(self, device: Device, upload: Upload) -> None:
        """The last block has come; raises `Refused`, the upload forgotten, when the file is not what was announced."""
        right = upload.size in (UNKNOWN, upload.received) and upload.check in (None, f"{upload.crc:016x}")
        if not right:
            self.remove(device, upload)
            raise Refused(WRONG_FILE)
        for one in self.of(device):
            if one.name == upload.name and one.upload_id != upload.upload_id:
                self.remove(device, one)
        upload.finished_at = int(self.instance.wall() * 1000)
        self.save(device, upload)

    def pace(self, device: Device) -> None:
        """Raises `Refused` with 78127 above the messages a second, by a switch."""
        if self.switches.upload_rate == "refuse" and self.instance.requests.too_many(
            device, INDEX, self.limits.upload_messages
        ):
            raise Refused(TOO_MANY)


def goes_on(begun: Upload, fields: dict[str, Any]) -> bool:
    """Whether an init means the upload that was begun: by `append`, or the same `initUid`, of the same file."""
    same = begun.size == fields["size"] and begun.check == fields["check"]
    return same and (fields["strategy"] == APPEND or begun.uid is not None and begun.uid == fields["uid"])
