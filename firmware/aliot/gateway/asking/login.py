"""Bringing sub-devices online; gateway.md 8.1 and 8.2."""

from aliot.errors import AliotError, LinkError
from aliot.gateway.asking import FULL, THROTTLED, Job
from aliot.gateway.asking.items import METHOD, signed, timestamp
from aliot.gateway.rates import allowed, counted, held
from aliot.gateway.rows import ATTACHED, DISABLED, ONLINE, REFUSED, TIMES, WANTED
from aliot.gateway.upkeep import full_topic
from aliot.ticks import uptime
from micropython import const

_LOOK = const(10000)  # ms between two looks for sub-devices that may log in again
_NEVER = const(1 << 29)
_PROGRESS = const(63)  # all states but FILED


def ask(gateway, subdevices, strict):
    from aliot.gateway.asking.names import rows

    gateway.look = gateway.at = 0
    job = Login(gateway)
    job.run(job.asked(rows(gateway, subdevices, strict, ATTACHED)))
    return job.failed


def advance(gateway):
    """Log the next batch of those in that are to be online; False when there is nothing to do now."""
    job = Login(gateway, Login.MOST)
    now = uptime()
    if now < gateway.calm:
        return False
    gateway.throttled = 0
    gateway.later = gateway.later and gateway.at > 0
    try:
        job.run(job.due(), True)
        for name, code, message in job.failed:
            gateway.event("refused", name, code)
        _resend(gateway)
        if job.last < 0:
            if not gateway.at:
                gateway.look = now + (_LOOK if gateway.later else _NEVER)
                _report(gateway)
                return False
        gateway.at = job.last + 1
    except LinkError:
        pass
    except AliotError as problem:
        gateway.calm = uptime() + _LOOK + gateway.device.session.random(_LOOK)
        gateway.complain(problem)
    return True


def _resend(gateway):
    """Once more what had no session, after its sub-device has logged in again; gateway.md 9"""
    if gateway.again:
        subdevice, topic, payload, qos = gateway.again
        row = gateway.rows.find(subdevice)
        if row >= 0 and gateway.rows.state(row) & ONLINE:
            gateway.again = None
            gateway.device.publish(topic, payload, qos)


def _report(gateway):
    rows = gateway.rows
    fields = {"stored": rows.count, "attached": rows.number(ATTACHED), "online": rows.number(ONLINE)}
    if fields != gateway.reported:
        gateway.reported = fields
        gateway.device.state("subdevices", dict(fields))


class Login(Job):
    TAIL = "combine/batch_login"
    ONE = "combine/login"
    MOST = 50
    LONGEST = 330
    HEAD = b'"params":{"signMethod":"hmacSha256","deviceList":['
    END = b"]}"
    REPLY = 90
    LOGINS = 1

    def asked(self, rows):
        """Those of the rows for which the application asks now."""
        for row in rows:
            self.rows.change(row, REFUSED, WANTED)
            if not self.rows.state(row) & ONLINE:
                if allowed(self._logins(row), uptime() // 1000):
                    yield row
                else:
                    self.fail(row, THROTTLED, "five logins in a minute")

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
        device = self.gateway.device
        for topic in self.gateway.topics:
            for row in batch:
                whole = full_topic(self.rows.entry(row), topic)
                try:
                    device.call(type(device.client).subscribe, whole, self.gateway.topics[topic])
                except AliotError as problem:
                    if problem.code != "suback":
                        raise
                    device.state("error", {"code": "suback", "detail": whole})
        return []

    def fail(self, row, code, message=""):
        if code in (500, 6760):
            self._count(row, held(uptime() // 1000, self.gateway.device.session.random))
        elif code not in (THROTTLED, FULL, 521, 522, 6204, 6401):
            self.rows.change(row, 0, REFUSED)
        super().fail(row, code, message)
