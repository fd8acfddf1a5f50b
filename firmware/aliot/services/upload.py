"""Files to the platform over MQTT, block by block; application.md 12.

    uploads = Upload(device, ended)                 after device.start(), before it connects
    uploads.start("/log.txt")                       or ("/log.txt", "log_7.txt", "reject")
    uploads.poll(100)                               sends, as a Thing's poll does

ended(name, problem) is called once, with None or an AliotError. One file is under way at a time, and of it one block,
which is all of it in memory. What is under way is noted in flash: after a reconnect, and after a power cut, where
Upload(device, ...) finds the note, it goes on where the platform says that it stopped. The file stays as it is until
then.
"""

import json
import os
from struct import pack

from aliot import alink, feed, pace
from aliot.errors import AliotError, StoreError
from aliot.services.crc import Crc64
from aliot.services.crc16 import crc16
from aliot.services.service import Service
from aliot.thing.errors import ThingError
from aliot.thing.requests import dumped
from aliot.ticks import Deadline, uptime
from micropython import const

_TOPIC = "thing/file/upload/mqtt/"
_LARGEST = const(16777216)
_SLICE = const(512)  # bytes summed at once
_SUMMING = const(100)  # ms of a poll for the sum of a file
_ANSWER = const(10000)  # ms
_TRIES = const(5)  # in a row without an answer, as the C SDK
_ROUNDS = const(3)  # from the beginning again
_SUM = const(1)
_INIT = const(2)
_BLOCK = const(3)
_BUSY = (78127, 429, 400, 500, 6760)
_AGAIN = (78119, 78121, 78122, 78125, 78127)


class Upload(Service):
    """The uploads of `device`, in blocks of `block` bytes (256 to 131072); `note` is the file of what is under way.

    `name` and `path` of it ("" when nothing is), `offset` of `size` bytes that the platform has.
    """

    name = path = ""
    offset = size = 0
    step = 0  # what comes next; 0 while an answer is waited for, or nothing is under way
    asked = 0  # the id of the request that waits
    faults = rounds = 0

    def __init__(self, device, ended=None, block=1024, note="/upload"):
        super().__init__(device)
        self.ended = ended
        self.block = max(256, min(block, 131072))
        self.note = note
        for last in ("init", "send"):  # the platform subscribes no device to these
            device.subscribe(_TOPIC + last + "_reply")
        self._resume()

    def start(self, path, name=None, conflict="overwrite"):
        """Upload the file `path` as `name` (its own by default); `conflict`: overwrite, append or reject.

        AliotError `upload.busy` while another is under way, `upload.name`, `upload.file` when there is none, or one of
        0 or more than 16 MB; StoreError.
        """
        if self.path:
            raise AliotError(self.name, "upload.busy")
        name = name or path.rsplit("/", 1)[-1]
        if not _named(name):
            raise AliotError(name, "upload.name", "never")
        uid = "%08x" % int.from_bytes(os.urandom(4), "big")
        self.fields = {"path": path, "name": name, "conflict": conflict, "uid": uid, "id": "", "crc": ""}
        self._measure()
        self._keep()
        self._open()

    def cancel(self):
        """End what is under way; the platform forgets it. ended() is not called."""
        if self.path:
            id = self.fields["id"]
            self.requests.waiting.pop(self.asked, None)
            self._forget()
            if id and self.device.connected:
                self.requests.send(_TOPIC + "cancel", {"uploadId": id})

    def begin(self):
        self.faults = 0
        if self.path and self.step != _SUM:
            self.step = _INIT

    def work(self):
        if self.step == _SUM:
            self._sum()
        elif self.step == _INIT:
            self._init()
        elif self.step:
            self._block()

    def failed(self, problem):
        super().failed(problem)
        if self.path and problem.code == "upload.file":
            self._end(problem)

    def _resume(self):
        """Go on with what a power cut has interrupted."""
        try:
            with open(self.note, "rb") as file:
                found = alink.parsed(file.read(1024)) or {}
        except OSError:
            return
        names = ("path", "name", "conflict", "uid", "id", "crc")
        self.fields = {name: str(found.get(name, "")) for name in names}
        try:
            if not _named(self.fields["name"]):
                raise AliotError("", "upload.name")
            self._measure()
            self._open()
        except AliotError:
            self._forget()

    def _measure(self):
        try:
            self.size = os.stat(self.fields["path"])[6]
        except OSError:
            self.size = 0
        if not 0 < self.size <= _LARGEST:
            raise AliotError("%s: %d bytes" % (self.fields["path"], self.size), "upload.file", "never")

    def _open(self):
        self.path = self.fields["path"]
        self.name = self.fields["name"]
        self.offset = self.faults = self.rounds = 0
        self.crc = Crc64()
        self.step = _SUM

    # Steps.

    def _sum(self):
        """Sum the file for a moment; `offset` is how far that is."""
        deadline = Deadline(_SUMMING)
        data = bytearray(_SLICE)
        try:
            with open(self.path, "rb") as file:
                file.seek(self.offset)
                while deadline.left() and self.offset < self.size:
                    feed()
                    count = file.readinto(data)
                    if not count:
                        raise OSError(5)
                    self.crc.update(memoryview(data)[:count])
                    self.offset += count
        except OSError:
            raise AliotError(self.path, "upload.file", "never")
        if self.offset >= self.size:
            crc = self.crc.text()
            self.crc = None
            self.offset = 0
            if crc != self.fields["crc"]:
                self.fields["crc"] = crc
                self.fields["id"] = ""  # of what the file was before
            self.step = _INIT

    def _init(self):
        fields = self.fields
        params = {
            "fileName": fields["name"],
            "fileSize": self.size,
            "conflictStrategy": "append" if fields["id"] else fields["conflict"],
            "ficMode": "crc64",
            "ficValue": fields["crc"],
            "initUid": fields["uid"],
            "extraParams": {"ossOwnerType": "iot-platform"},
        }
        self.asked = self.requests.send(_TOPIC + "init", params, self._begun, _ANSWER)
        self.step = 0

    def _begun(self, data, problem):
        if problem:
            self._retry(problem, _INIT)
            return
        id = data.get("uploadId") if isinstance(data, dict) else None
        offset = alink.number(data.get("offset", 0)) if id else -1
        if not isinstance(id, str) or not 0 <= offset <= self.size:
            self._retry(ThingError("silent", "init"), _INIT)
            return
        self.offset = offset
        if id != self.fields["id"]:
            self.fields["id"] = id
            try:
                self._keep()
            except StoreError:
                pass  # then it begins anew after a power cut
        self._go_on()

    def _go_on(self):
        """Send the next block at once: polls may be far apart."""
        if self.offset >= self.size:
            self._end(None)
            return
        self.step = _BLOCK
        try:
            self._block()
        except AliotError as problem:
            if self.device.connected:
                self.failed(problem)

    def _block(self):
        count = min(self.block, self.size - self.offset)
        id = pace.next_id(self.device)
        head = '{"id":"%d","params":{"uploadId":%s,"offset":%d,"bSize":%d,"isComplete":%s}}' % (
            id,
            dumped(self.fields["id"]),
            self.offset,
            count,
            "true" if self.offset + count == self.size else "false",
        )
        at = 2 + len(head)
        frame = bytearray(at + count + 2)
        frame[:at] = pack(">H", len(head)) + head.encode()
        body = memoryview(frame)[at : at + count]
        try:
            with open(self.path, "rb") as file:
                file.seek(self.offset)
                if file.readinto(body) != count:
                    raise OSError(5)
        except OSError:
            raise AliotError(self.path, "upload.file", "never")
        frame[at + count :] = pack("<H", crc16(body))
        self.step = 0
        self.asked = id
        self.requests.waiting[id] = (_TOPIC + "send_reply", uptime() + _ANSWER, self._stored)
        try:
            self.requests.publish(_TOPIC + "send", frame)
        except BaseException:
            self.requests.waiting.pop(id, None)
            self.step = _BLOCK
            raise

    def _stored(self, data, problem):
        code = problem.number if problem else 0
        if code in (78122, 78125):  # it has nothing of this, or something else
            self.fields["id"] = ""
            self.rounds += 1
            if code == 78125:
                self.fields["conflict"] = "overwrite"
        if code in (78119, 78122, 78125):
            self._retry(problem, _INIT)
        elif code == 78124:
            self._end(None)
        elif problem and code != 78126:  # that one: it has the block already
            self._retry(problem, _BLOCK)
        else:
            self.faults = 0
            self.offset += min(self.block, self.size - self.offset)
            self._go_on()

    def _retry(self, problem, step):
        """Do that step again, or give up."""
        self.faults += 1
        hopeless = problem.retry == "never" and problem.number not in _AGAIN
        if hopeless or self.faults > _TRIES or self.rounds > _ROUNDS:
            self._end(problem)
            return
        if problem.number in _BUSY:
            self.after = uptime() + 1000 * self.faults
        self.step = step

    # The note.

    def _keep(self):
        try:
            with open(self.note + ".new", "wb") as file:
                file.write(json.dumps(self.fields).encode())
            os.rename(self.note + ".new", self.note)
        except OSError as problem:
            raise StoreError("the file %s: error %s" % (self.note, problem.args[0]))

    def _forget(self):
        self.path = self.name = ""
        self.step = 0
        try:
            os.remove(self.note)
        except OSError:
            pass

    def _end(self, problem):
        name = self.name
        self._forget()
        if self.ended:
            self.call(self.ended, name, problem)


def _named(name):
    """Whether the platform takes that name."""
    for one in name.replace("_", "a").replace(".", "a"):
        if not ("0" <= one <= "9" or "a" <= one <= "z" or "A" <= one <= "Z"):
            return False
    return 0 < len(name) <= 100 and name[0] not in "_."
