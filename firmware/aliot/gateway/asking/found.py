"""Reporting sub-devices that somebody should create in the console; gateway.md 7."""

from aliot.gateway.asking.job import Job
from aliot.gateway.asking.items import pair
from aliot.gateway.asking.names import names


def ask(gateway, subdevices, strict):
    Found(gateway).run(names(subdevices))


class Found(Job):
    """Things are names."""

    TAIL = "thing/list/found"
    MOST = 30
    LONGEST = 90

    def item(self, name):
        return pair(name)
