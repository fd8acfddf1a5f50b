"""Adding sub-devices to the topology; gateway.md 6.1."""

from aliot.gateway.asking.job import Job
from aliot.gateway.asking.items import METHOD, signed, timestamp
from aliot.gateway.asking.names import rows
from aliot.gateway.replies import pairs
from aliot.gateway.rows import ATTACHED, DISABLED, REFUSED


def ask(gateway, subdevices, strict):
    Attach(gateway).run(row for row in rows(gateway, subdevices, strict) if not gateway.rows.state(row) & ATTACHED)


class Attach(Job):
    TAIL = "thing/topo/add"
    MOST = 30
    LONGEST = 300
    REPLY = 90

    def item(self, row):
        key, name, secret = self.rows.entry(row)
        return signed((key, name), secret, key + "." + name, timestamp(), more=',"signmethod":"%s"' % METHOD)

    def took(self, batch, data):
        # the reply lists what was added, or nothing at all (gateway.md 6.1)
        done = [name for name, item in pairs(data)]
        left = []
        for row in batch:
            if done and self.rows.entry(row)[:2] not in done:
                left.append(row)
            else:
                self.done(row)
        return left

    def done(self, row):
        self.rows.change(row, REFUSED | DISABLED, ATTACHED)
        self.gateway.dirty = True
