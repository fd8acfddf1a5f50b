"""Reporting sub-devices that somebody should create in the console; gateway.md 7."""

from aliot.gateway.asking import Job
from aliot.gateway.asking.register import Register


def ask(gateway, subdevices, strict):
    job = Found(gateway)
    job.run(job.named(subdevices))
    return job.failed


class Found(Register):
    TAIL = "thing/list/found"
    REPLY = 0

    def prepare(self, batch):
        Job.prepare(self, batch)

    def took(self, batch, data):
        return []
