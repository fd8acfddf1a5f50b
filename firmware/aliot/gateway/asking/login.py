"""Bringing sub-devices online; gateway.md 8.1 and 8.2."""

from aliot import load
from aliot.errors import AliotError, LinkError
from aliot.gateway.asking.job import Job
from aliot.gateway.asking.items import METHOD, signed, timestamp
from aliot.gateway.errors import drop
from aliot.gateway.rates import allowed, counted
from aliot.gateway.replies import note
from aliot.gateway.rows import ATTACHED, DISABLED, ONLINE, REFUSED, TIMES, WANTED
from aliot.ticks import uptime
from micropython import const

_CALM = const(10000)  # ms without a request after an error of its own, and as much again at random
_PROGRESS = const(63)  # all states but FILED


def ask(gateway, subdevices, strict):
    load("gateway.asking.wanting").want(gateway, subdevices, strict)
    drop("asking.wanting", "asking.names", "asking.refusals")
    gateway.look = gateway.at = 0
    job = Login(gateway)
    job.run(job.due())


def advance(gateway):
    """Log the next batch of those in that are to be online; False when nobody is left, or it is no time for it."""
    job = Login(gateway, [], Login.MOST)
    if gateway.calm > uptime():
        return False
    gateway.throttled = 0
    gateway.later = gateway.later and gateway.at > 0
    try:
        job.run(job.due(), True)
        for name, code, message in job.failed:
            note(gateway, "refused", name, code)
        more = job.last >= 0 or gateway.at > 0
        gateway.at = job.last + 1
        return more
    except LinkError:
        pass
    except AliotError as problem:
        gateway.calm = uptime() + _CALM + gateway.device.session.random(_CALM)
        gateway.complain(problem)
    return True


class Login(Job):
    TAIL = "combine/batch_login"
    ONE = "combine/login"
    MOST = 50
    LONGEST = 330
    HEAD = b'"params":{"signMethod":"hmacSha256","deviceList":['
    END = b"]}"
    REPLY = 90
    LOGINS = 1

    def due(self):
        """The rows that are to be logged in and may be, from the gateway's `at` on."""
        for row in range(self.gateway.at, self.rows.count):
            if self.rows.state(row) & _PROGRESS == WANTED | ATTACHED:
                if allowed(self._logins(row), uptime() // 1000):
                    yield row
                else:
                    self.gateway.later = True

    def item(self, row):
        key, name, secret = self.rows.entry(row)
        clean = ',"cleanSession":"true"' if self.gateway.device.clean else ',"cleanSession":"false"'
        return signed((key, name), secret, "%s.%s|_ss=1|" % (key, name), timestamp(), more=clean)

    def one(self, row):
        return ('%s,"signMethod":"%s"}' % (self.item(row)[:-1], METHOD)).encode()

    def prepare(self, batch):
        gateway = self.gateway
        while not gateway.throttled and gateway.calm > uptime():  # the first logins after power on
            self.serve(gateway.device.client, gateway.calm - uptime())
        super().prepare(batch)

    def each(self, batch):
        for row in batch:
            self._count(row, counted(self._logins(row), uptime() // 1000))

    def _logins(self, row):
        return self.rows.get(row, TIMES, 2)

    def _count(self, row, value):
        self.rows.put(row, TIMES, 2, value)

    def took(self, batch, data):
        for row in batch:
            self.rows.change(row, REFUSED | DISABLED, ONLINE)
        if self.gateway.topics:
            load("gateway.asking.subscribe").subscribe(self.gateway, batch)
        return ()
