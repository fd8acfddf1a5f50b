"""Registration by the gateway's session; gateway.md 4. Each batch is stored, and read back, before the next one."""

from aliot import load
from aliot.gateway.asking.job import Job
from aliot.gateway.asking.items import pair
from aliot.gateway.asking.names import names, plain
from aliot.gateway.errors import drop
from aliot.gateway.replies import pairs
from aliot.gateway.rows import ROWS


def ask(gateway, subdevices, strict):
    return Register(gateway).next(subdevices)


class Register(Job):
    """Things are names."""

    TAIL = "thing/sub/register"
    MOST = 30
    LONGEST = 90
    REPLY = 250  # iotId, names and DeviceSecret
    through = False  # the names have come to their end

    def next(self, subdevices):
        """Ask for one batch; first for those of the last one that have to be asked for alone."""
        left = self.gateway.left
        self.run([left.pop()] if left else self.new(subdevices), True)
        return left or not self.through

    def new(self, subdevices):
        """Those that have no secret here, beginning where the last batch ended."""
        at = 0
        for name in names(subdevices):
            at += 1
            if at > self.gateway.passed:
                self.gateway.passed = at
                if not plain(name[0], 20) or not plain(name[1], 32):
                    self.fail(name, "name")
                elif self.rows.find(name) < 0:
                    yield name
        self.through = True

    def item(self, name):
        return pair(name)

    def alone(self, batch):
        self.gateway.left = batch[::-1]

    def prepare(self, batch):
        super().prepare(batch)
        most = self.rows.count + len(batch)
        if most > self.rows.limit or most > ROWS * len(self.rows.chunks):
            try:
                load("gateway.records.writing").make_room(self.rows, len(batch))
            finally:
                drop("records")

    def took(self, batch, data):
        return self.issued(batch, data)

    def issued(self, batch, data):
        """Give on the secrets of those of the batch that are in `data`; returns the others."""
        found = {}
        for name, item in pairs(data):
            secret = item.get("deviceSecret")
            if name in batch and plain(secret, 64):
                found[name] = secret
        for name in found:
            self.gateway.issued.append((name[0], name[1], found[name]))
            batch.remove(name)
        return batch
