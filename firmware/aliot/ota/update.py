"""One update under way: the platform's task, the source of its bytes, the writer that takes them; application.md 5.

A source (aliot.ota.https, aliot.ota.blocks) has read(at), which gives the bytes of the package from `at` on that have
come, b"" while none have, and close(). A writer is what aliot.ota.writer says.
"""

from binascii import a2b_base64, unhexlify
from hashlib import md5, sha256

import machine
from aliot import alink, load, unload
from aliot.errors import AliotError
from aliot.ota.writer import UpdateError
from aliot.ticks import uptime
from micropython import const

_TRIES = const(5)  # in a row that brought nothing
_EVERY = const(10)  # per cent between two reports
_HOLD = const(5000)  # ms that the device stays away from MQTT, step by step


class Task:
    """What the platform says of a package: `module`, `version`, `size`, `sign` (hex, lower-case), `digestsign`, `url`,
    or `stream` and `file` of a download over MQTT. UpdateError `update.task` when something is missing. 5.3
    """

    def __init__(self, data):
        files = data.get("files")
        if isinstance(files, list) and files:
            if len(files) > 1 or not isinstance(files[0], dict):
                raise UpdateError("%d files" % len(files), "update.task")
            one = files[0]
            data["url"] = one.get("fileUrl")
            data["size"] = one.get("fileSize")
            data["sign"] = one.get("fileSign") or one.get("fileMd5")
        self.version = data.get("version")
        self.module = data.get("module", "default")
        self.size = alink.number(data.get("size"))
        self.sign = str(data.get("sign") or data.get("md5")).lower()
        self.digestsign = data.get("digestsign")
        self.stream = self.url = None
        if str(data.get("dProtocol")).lower() == "mqtt":
            self.stream = alink.number(data.get("streamId"))
            self.file = alink.number(data.get("streamFileId", 1))
        else:
            self.url = data.get("url")
        method = str(data.get("signMethod", "md5")).lower()
        if not isinstance(self.version, str) or not self.version:
            missing = "version"
        elif self.size <= 0:
            missing = "size"
        elif len(self.sign) != {"md5": 32, "sha256": 64}.get(method) or not _is_hex(self.sign):
            missing = "sign"
        elif not self.url and (self.stream or -1) < 0:
            missing = "url"
        else:
            return
        raise UpdateError("no " + missing, "update.task")


class Update:
    """The update of `updates` (aliot.ota.updates) by a Task; `again`: also a package whose trial has failed.

    `alone`: the device is offline for its sake.
    """

    alone = False
    source = None
    stale = False  # the platform is asked for the task once more

    def __init__(self, updates, task, again):
        self.updates = updates
        self.device = updates.device
        self.task = task
        self._run = self._steps(again)

    def step(self):
        """A step of it. AliotError when it has failed."""
        if self.alone:
            self.device.session.after = uptime() + _HOLD
        try:
            next(self._run)
        except OSError as problem:
            raise UpdateError("error %s" % problem.args[0], "update.flash")
        except MemoryError:
            raise UpdateError("not enough memory", "update.memory")

    def renew(self, data):
        """Whether `data` speaks of no other package; a new address of this one is taken."""
        try:
            task = Task(data)
        except AliotError:
            return True
        if task.sign != self.task.sign:
            return False
        self.task.url = task.url
        self.task.stream = task.stream
        self.stale = False
        return True

    def close(self):
        if self.source:
            self.source.close()
            self.source = None
        if self.alone:
            self.alone = False
            self.device.session.after = 0

    # The steps; each yield is the end of one.

    def _steps(self, again):
        task = self.task
        updates = self.updates
        report = load("ota.report")
        report.note(task.sign + ("+" if again else "-") + ("f" if task.module == "firmware" else ""))
        report = None
        unload("ota.report")
        updates.progress(1)
        self._say("download")
        yield
        _check_digestsign(task)
        yield
        digest = sha256() if len(task.sign) == 64 else md5()
        writer = load("ota.writer").Writer(self.device.product_key, again, task.version, digest)
        yield from self._download(writer)
        if writer.at != task.size:
            raise UpdateError("bytes behind its last file", "update.form")
        if digest.digest() != unhexlify(task.sign):
            raise UpdateError("of the whole package", "update.digest")
        self.close()
        updates.progress(100)
        while not updates.may():
            yield
        writer.switch(task.module)
        load("ota.report").note("")
        self._say("reset")
        self._reset()

    def _download(self, writer):
        tries = 0
        shown = _EVERY
        while not writer.done:
            data = b""
            if writer.wants:
                if writer.at >= self.task.size:
                    writer.close()
                try:
                    data = self._read(writer.at)
                except AliotError as problem:
                    tries += 1
                    if tries > _TRIES:
                        raise
                    yield from self._pause(problem, tries)
                    continue
            if len(data) or not writer.wants:
                writer.write(data)
                tries = 0
                if writer.at * 100 // self.task.size >= shown:
                    shown = writer.at * 100 // self.task.size // _EVERY * _EVERY
                    if shown < 100:
                        self.updates.progress(shown)
                    shown += _EVERY
            yield

    def _read(self, at):
        if not self.source:
            name = "ota.https" if self.task.url else "ota.blocks"
            self.source = load(name).Source(self.device, self.task)
        data = self.source.read(at)
        self.alone = not self.device.connected
        return data

    def _pause(self, problem, tries):
        """Wait longer after each failure; what the platform has refused is asked for anew then."""
        wait = 1 << tries
        fields = {"state": "waiting", "code": problem.code, "detail": problem.detail, "wait": wait}
        self.device.state("update", fields)
        self.close()
        end = uptime() + wait * 1000
        while uptime() < end:
            yield
        if problem.code[:9] == "download.":
            self.stale = True
            self.updates.asked = uptime()
            while self.stale:
                yield

    def _say(self, state):
        self.device.state("update", {"state": state, "release": self.task.version, "size": self.task.size})

    def _reset(self):
        try:
            if self.updates.on_reset:
                self.updates.on_reset()
        except Exception as problem:
            load("crash").handler_failed(self.device, problem, "")
        self.device.stop()
        machine.reset()


def step_of(problem):
    """The step that tells the platform of an error: -1 to -4. 5.4"""
    code = problem.code
    if code in ("update.task", "update.memory"):
        return -1
    if code in ("update.room", "update.flash"):
        return -4
    return -3 if code[:7] == "update." else -2


def _check_digestsign(task):
    """UpdateError unless the platform has signed the digest, where the board has the platform's key. 5.7"""
    package = load("ota.package")
    key = package.platform_key()
    if key:
        try:
            signature = a2b_base64(task.digestsign or "")
        except (ValueError, TypeError):
            signature = b""
        package.check_signature(signature, sha256(unhexlify(task.sign)).digest(), key)
    package = None
    unload("ota.package")


def _is_hex(text):
    return not [one for one in text if one not in "0123456789abcdef"]
