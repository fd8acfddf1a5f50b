"""One update under way: its source, and the writer that takes its bytes; application.md 5.

A source (aliot.ota.https, aliot.ota.blocks) is a generator: send(at) puts the bytes of the package from `at` on into
the update's `data`, as far as some have come. A writer is what aliot.ota.writer says. What is needed for moments only
is in aliot.ota.progress: this is in memory as long as the update takes, beside whatever the application has.
"""

from hashlib import md5, sha256

from aliot import load, unload
from aliot.errors import AliotError


class Update:
    """The update of `updates` (aliot.ota.updates) to what `task` (aliot.ota.offer) says.

    `alone`: the device is offline for its sake. `stale`: the platform is asked for the task anew. `data` has come and
    was not taken yet; `active`: some of it was taken just now. `tries` in a row have brought nothing, `count` in all
    had too little memory. `run` is a generator: each next() is a step; AliotError, OSError or MemoryError when it has
    failed.
    """

    alone = stale = active = False
    data = b""
    source = writer = None
    tries = count = 0

    def __init__(self, updates, task):
        self.updates = updates
        self.device = updates.device
        self.task = task
        self.run = self.steps()

    def close(self):
        if self.source:
            self.source.close()
            self.source = None
            unload("ota.request")
        if self.alone:
            self.alone = False
            self.device.session.after = 0

    def steps(self):
        """Take all of the package, and begin its trial; a generator."""
        task = self.task
        if "digestsign" in task:
            load("ota.progress").begin(self)
            unload("ota.progress")
        size = task["size"]
        digest = sha256() if len(task["sign"]) == 64 else md5()
        self.writer = writer = load("ota.writer").Writer(
            self.device.product_key, task["again"], task["version"], digest
        )
        task = None  # another may take its place
        shown = 0
        yield
        while not writer.done:
            if writer.at >= size:
                self.close()  # what is read back then has its memory
                if writer.wants:
                    writer.close()
            elif writer.wants and not self.data:
                try:
                    if not self.source:
                        self.source = load("ota." + ("https" if self.task["url"] else "blocks")).source(self)
                        next(self.source)
                    self.source.send(writer.at)
                    self.alone = not self.device.connected
                except (AliotError, MemoryError) as problem:
                    yield from load("ota.progress").pause(self, problem)
                    unload("ota.progress")
            self.active = bool(self.data) or not writer.wants
            if self.active:
                self.tries = 0
                at = writer.at
                writer.write(self.data)
                self.data = self.data[writer.at - at :] or b""
                tenth = writer.at * 10 // size
                if shown < tenth < 10:
                    shown = tenth
                    load("ota.progress").report(self, tenth * 10)
                    unload("ota.progress")
            yield
        load("ota.progress").complete(self, writer.at, digest)
        while not self.updates.may():
            yield
        load("ota.progress").reset(self, writer)
