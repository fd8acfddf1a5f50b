"""Taking sub-devices out of the topology; gateway.md 6.2."""

from aliot.gateway.asking.attach import Attach
from aliot.gateway.asking.items import pair
from aliot.gateway.asking.names import rows
from aliot.gateway.rows import ATTACHED, ONLINE, WANTED


def ask(gateway, subdevices, strict):
    Detach(gateway).run(rows(gateway, subdevices, strict))


class Detach(Attach):
    TAIL = "thing/topo/delete"
    LONGEST = 90

    def item(self, row):
        return pair(self.rows.entry(row))

    def done(self, row):
        self.rows.change(row, ATTACHED | ONLINE | WANTED)
        self.gateway.dirty = True

    def fail(self, row, code, message=""):
        if code == 6401:  # it is not attached, as it should be
            self.done(row)
        else:
            super().fail(row, code, message)
