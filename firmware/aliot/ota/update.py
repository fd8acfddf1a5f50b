"""One update under way: its source, the writer that takes its bytes, what the platform hears; application.md 5.

A source (aliot.ota.https, aliot.ota.blocks) has read(at), which gives the bytes of the package from `at` on that have
come, none while none have, and close(). A writer is what aliot.ota.writer says.
"""

import json
from binascii import unhexlify
from hashlib import md5, sha256

import machine
from aliot import load, unload
from aliot.errors import AliotError, LinkError, ProtocolError
from aliot.ticks import uptime
from micropython import const

_TRIES = const(5)  # in a row that brought nothing
_EVERY = const(10)  # per cent between two reports
_HOLD = const(5000)  # ms that the device stays away from MQTT, step by step


class Update:
    """The update of `updates` (aliot.ota.updates) to what `task` (aliot.ota.offer) says.

    `again`: also a package whose trial has failed. `alone`: the device is offline for its sake. `stale`: the platform
    is asked for the task anew.
    """

    alone = stale = False
    source = None

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
            raise AliotError("error %s" % problem.args[0], "update.flash", "never")
        except MemoryError:
            raise AliotError("not enough memory", "update.memory", "never")

    def close(self):
        if self.source:
            self.source.close()
            self.source = None
            unload("ota.https", "ota.blocks", "https")
        if self.alone:
            self.alone = False
            self.device.session.after = 0

    # The steps; each yield is the end of one.

    def _steps(self, again):
        task = self.task
        sign = task["sign"]
        load("ota.report").note("%s %s%s" % (task["module"], sign, "+" if again else "-"))
        unload("ota.report")
        self._progress(1)
        self._say("download")
        yield
        load("ota.seal").check_digest(sign, task["digestsign"])
        unload("ota.seal", "ota.writer")
        yield
        writer, digest = yield from self._download(again)
        if writer.at != task["size"]:
            raise AliotError("bytes behind its last file", "update.form", "never")
        if digest.digest() != unhexlify(sign):
            raise AliotError("of the whole package", "update.digest", "never")
        self._progress(100)
        while not self.updates.may():
            yield
        writer.switch(task["module"])
        load("ota.report").note("")
        self._say("reset")
        self.updates.call(self.updates.on_reset)
        self.device.stop()
        machine.reset()

    def _download(self, again):
        """Take all of the package; the writer that has it, and the digest of its bytes.

        TLS and a writer have no room beside each other while TLS connects: the writer comes afterwards, and one that is
        there goes before. The next one finds what is in flash.
        """
        writer = digest = begun = None
        at = tries = 0
        shown = _EVERY
        size = self.task["size"]
        while not (writer and writer.done):
            data = b""
            wants = writer.wants if writer else at < size
            if at >= size:
                self.close()  # what is read back then has its memory
                if wants:
                    writer.close()
            elif wants:
                if writer and self._connects(at):
                    begun = writer.begun
                    writer.stop()
                    writer = None
                    at = 0
                    if begun:
                        writer = self._writer(again, None, begun)
                        yield from _reads(writer)
                        at = writer.at
                        writer.stop()
                        writer = None
                    unload("ota.writer", "ota.reading", "ota.image")
                    continue
                try:
                    data = self._read(at)
                except AliotError as problem:
                    tries += 1
                    if tries > _TRIES:
                        raise
                    yield from self._pause(problem, 1 << tries)
                    continue
            if len(data) or not wants:
                tries = 0
                if not writer:
                    digest = sha256() if len(self.task["sign"]) == 64 else md5()
                    writer = self._writer(again, digest, begun)
                    if begun:
                        yield from _reads(writer)
                writer.write(data)
                at = writer.at
                if shown <= at * 100 // size < 100:
                    shown = at * 100 // size // _EVERY * _EVERY
                    self._progress(shown)
                    shown += _EVERY
            yield
        return writer, digest

    def _writer(self, again, digest, begun):
        return load("ota.writer").Writer(self.device.product_key, again, self.task["version"], digest, begun)

    def _connects(self, at):
        """Whether reading from `at` on begins with a TLS connection."""
        return self.task["url"] and not (self.source and self.source.open(at))

    def _read(self, at):
        if not self.source:
            name = "ota.https" if self.task["url"] else "ota.blocks"
            self.source = load(name).Source(self.device, self)
        data = self.source.read(at)
        self.alone = not self.device.connected
        return data

    def _pause(self, problem, wait):
        """Wait so many seconds; what the platform has refused is asked for anew then."""
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

    def _progress(self, step):
        """Publish per cent, if the device is connected; 5.4"""
        device = self.device
        params = {"step": str(step), "desc": ""}
        if self.task["module"] != "default":
            params["module"] = self.task["module"]
        try:
            device.publish(
                "/ota/device/progress/%s/%s" % (device.product_key, device.device_name),
                json.dumps({"id": "1", "params": params}),
            )
        except (LinkError, ProtocolError):
            pass

    def _say(self, state):
        task = self.task
        self.device.state("update", {"state": state, "release": task["version"], "size": task["size"]})


def _reads(writer):
    """The steps of a writer until it wants bytes, or has all."""
    while not (writer.wants or writer.done):
        writer.write(b"")
        yield
