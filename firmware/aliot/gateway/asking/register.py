"""Registration by the gateway's session; gateway.md 4. Stored, and read back, before it returns."""

from aliot import load, unload
from aliot.gateway.asking import Job
from aliot.gateway.asking.items import pair
from aliot.gateway.asking.names import names
from aliot.gateway.replies import pairs, plain
from aliot.gateway.rows import ROWS


def ask(gateway, subdevices, strict):
    return Register(gateway).all(subdevices)


class Register(Job):
    """Things are names."""

    TAIL = "thing/sub/register"
    MOST = 30
    LONGEST = 90
    REPLY = 200  # iotId, names and DeviceSecret

    def all(self, subdevices):
        self.run(self.new(subdevices))
        return self.failed

    def new(self, subdevices):
        """Those that have no secret here."""
        for name in self.named(subdevices):
            if self.rows.find(name) < 0:
                yield name

    def named(self, subdevices):
        """Those that can be names of sub-devices."""
        for name in names(subdevices):
            if plain(name[0], 20) and plain(name[1], 32):
                yield name
            else:
                self.fail(name, "name")

    def item(self, name):
        return pair(name)

    def prepare(self, batch):
        super().prepare(batch)
        most = self.rows.count + len(batch)
        if most > self.rows.limit or most > ROWS * len(self.rows.chunks):
            try:
                load("gateway.records").make_room(self.rows, len(batch))
            finally:
                unload("gateway.records")

    def took(self, batch, data):
        return self.keep(batch, data)

    def keep(self, batch, data):
        """Store the secrets of those of the batch that are in `data`; returns the others."""
        found = {}
        for name, item in pairs(data):
            secret = item.get("deviceSecret")
            if name in batch and plain(secret, 64):
                found[name] = secret
        if found:
            try:
                load("gateway.records").keep(self.rows, [(name[0], name[1], found[name]) for name in found])
            finally:
                unload("gateway.records")
        return [name for name in batch if name not in found]
