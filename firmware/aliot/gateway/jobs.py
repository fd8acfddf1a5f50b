"""What a gateway asks for many sub-devices at once, in batches; one by one after a refusal.

Batches are bounded by count and bytes. A job has the topic's `TAIL`, the `MOST` items that the platform
takes, `item(thing)` as JSON, and says with `took(batch, data)` which of a batch that was answered with 200
are still to be asked for.
"""

from aliot.gateway.items import METHOD, pair, pairs, signed
from aliot.gateway.rates import allowed, counted
from aliot.gateway.records import ATTACHED, DISABLED, GONE, ONLINE, REFUSED, WANTED
from micropython import const

_EXISTS = const(6251)  # of a single one: it is attached here already (gateway.md 13)
_THROTTLED = const(429)
_FULL = const(428)
_CALM = const(60000)  # ms without a request after it, and as much again at random (gateway.md 15.4)


class Job:
    """Things to ask for are rows of the records, or names where `ROWS` is False."""

    ROWS = True
    ONE = None  # the topic for a single one, if it has another
    HEAD = '"params":['
    END = b"]"
    LOGINS = 0  # of one item, as far as rates count

    def __init__(self, gateway):
        self.gateway = gateway
        self.records = gateway.records

    def run(self, things, batches=0):
        """Ask for all of them; [((ProductKey, DeviceName), code, message)] of those that did not succeed.

        With `batches`, only for as many as so many batches hold.

        `code` is the platform's number, or `absent`.
        """
        failed = []
        for batch, items in self._batches(things):
            self._ask(batch, items, failed)
            self.gateway.requests.reply = None  # it may be large
            self.records.settle(False)  # rows keep their numbers while a job holds them
            batches -= 1
            if not batches:
                break
        return failed

    def _batches(self, things):
        room = self.gateway.payload - 120
        batch = []
        items = []
        size = 0
        for thing in things:
            item = self.item(thing)
            if batch and (len(batch) == self.MOST or size + len(item) > room):
                yield batch, items
                batch = []
                items = []
                size = 0
            batch.append(thing)
            items.append(item)
            size += len(item) + 1
        if batch:
            yield batch, items

    def _ask(self, batch, items, failed):
        gateway = self.gateway
        tail = self.ONE if self.ONE and len(batch) == 1 else self.TAIL
        logins = len(batch) * self.LOGINS
        reply = gateway.requests.ask(tail, self._payload(tail, items), logins, lambda: self.each(batch))
        code = gateway.requests.code()
        message = reply.get("message")
        left = batch
        if code == 200 or code == _EXISTS and len(batch) == 1:
            left = self.took(batch, reply.get("data"))
            code = "absent"
        elif code in (_THROTTLED, _FULL):
            gateway.calm = gateway.device.now() + _CALM + gateway.device.session.random(_CALM)
            gateway.throttled = code
        if len(batch) > 1 and code not in (_THROTTLED, _FULL):
            # one that the platform does not take must not hold the others
            for thing in left:
                if gateway.throttled:
                    self._failed(thing, gateway.throttled, message, failed)
                else:
                    self._ask([thing], [self.item(thing)], failed)
        else:
            for thing in left:
                self._failed(thing, code, message, failed)

    def _payload(self, tail, items):
        if tail == self.ONE:
            return bytearray(('{"version":"1.0","params":%s' % self.one(items[0])).encode())
        head = '{"version":"1.0",'
        if tail[0] == "t":
            head += '"method":"%s",' % tail.replace("/", ".")
        payload = bytearray((head + self.HEAD).encode())
        for at, item in enumerate(items):
            if at:
                payload.extend(b",")
            payload.extend(item.encode())
        payload.extend(self.END)
        return payload

    def _failed(self, thing, code, message, failed):
        name = self.records.name(thing) if self.ROWS else thing
        if self.ROWS:
            self.refused(thing, code)
        failed.append((name, code, message if isinstance(message, str) else ""))

    # What a job may say otherwise.

    def item(self, thing):
        return pair(self.records.name(thing) if self.ROWS else thing)

    def one(self, item):
        """The params of a request on the topic ONE."""
        return item

    def each(self, batch):
        """A batch is about to be sent."""

    def took(self, batch, data):
        return []

    def refused(self, row, code):
        """A single one was refused: what that says of its state."""
        states = self.records.states
        if code in (522, 6204):
            states[row] |= DISABLED
        elif code == 6401:
            states[row] &= ~(ATTACHED | ONLINE)
        elif code == 521:
            states[row] |= GONE
            self.gateway.dirty = True


class Register(Job):
    """Registration by the gateway's session; gateway.md 4. Stored, and read back, before it returns."""

    ROWS = False
    TAIL = "thing/sub/register"
    MOST = 30

    def took(self, batch, data):
        return self.kept(batch, data)

    def kept(self, batch, data):
        """Store the secrets of those of the batch that are in `data`; the others."""
        found = {}
        for name, item in pairs(data):
            secret = item.get("deviceSecret")
            if name in batch and isinstance(secret, str) and _printable(secret):
                found[name] = secret
        self.records.keep([(name[0], name[1], found[name]) for name in found])
        return [name for name in batch if name not in found]


class Attach(Job):
    """gateway.md 6.1"""

    TAIL = "thing/topo/add"
    MOST = 30
    STATE = ATTACHED

    def item(self, row):
        key, name, secret = self.records.entry(row)
        return signed(
            (key, name),
            secret,
            key + "." + name,
            self.gateway.timestamp(),
            more=',"signmethod":"%s"' % METHOD,
        )

    def took(self, batch, data):
        # the reply lists what was added, or nothing at all (gateway.md 6.1)
        done = [name for name, item in pairs(data)]
        left = []
        for row in batch:
            if done and self.records.name(row) not in done:
                left.append(row)
            else:
                self.done(row)
        return left

    def done(self, row):
        self.records.states[row] = self.records.states[row] & ~(REFUSED | DISABLED) | ATTACHED


class Detach(Attach):
    """gateway.md 6.2"""

    TAIL = "thing/topo/delete"
    item = Job.item

    def done(self, row):
        self.records.states[row] &= ~(ATTACHED | ONLINE | WANTED)

    def _failed(self, row, code, message, failed):
        if code == 6401:  # it is not attached, as it should be
            self.done(row)
        else:
            super()._failed(row, code, message, failed)


class Found(Job):
    """gateway.md 7"""

    ROWS = False
    TAIL = "thing/list/found"
    MOST = 30


class Login(Job):
    """gateway.md 8.1 and 8.2"""

    TAIL = "combine/batch_login"
    ONE = "combine/login"
    MOST = 50
    HEAD = '"params":{"signMethod":"%s","deviceList":[' % METHOD
    END = b"]}"
    LOGINS = 1

    def item(self, row):
        key, name, secret = self.records.entry(row)
        clean = ',"cleanSession":"%s"' % ("true" if self.gateway.device.clean else "false")
        return signed((key, name), secret, "%s.%s|_ss=1|" % (key, name), self.gateway.timestamp(), more=clean)

    def one(self, item):
        return '%s,"signMethod":"%s"}' % (item[:-1], METHOD)

    def each(self, batch):
        logins = self.records.logins
        now = clock_seconds(self.gateway)
        for row in batch:
            logins[row] = counted(logins[row], now)

    def took(self, batch, data):
        for row in batch:
            self.records.states[row] = self.records.states[row] & ~(REFUSED | DISABLED) | ONLINE
        self.gateway.subscribe_all(batch)
        return []

    def refused(self, row, code):
        super().refused(row, code)
        if code in (500, 6760):
            self.gateway.hold(row)
        elif code not in (_THROTTLED, _FULL, 521, 522, 6204, 6401):
            self.records.states[row] |= REFUSED


class Logout(Job):
    """gateway.md 8.3"""

    TAIL = "combine/batch_logout"
    ONE = "combine/logout"
    MOST = 50

    def took(self, batch, data):
        for row in batch:
            self.done(row)
        return []

    def done(self, row):
        self.records.states[row] &= ~(ONLINE | WANTED)

    def _failed(self, row, code, message, failed):
        self.done(row)
        if code != 520:  # it has no session, as it should be
            super()._failed(row, code, message, failed)


def clock_seconds(gateway):
    return gateway.device.now() // 1000


def may_log_in(gateway, row):
    """Does the rate of one sub-device allow it?"""
    return allowed(gateway.records.logins[row], clock_seconds(gateway))


def _printable(secret):
    for letter in secret:
        if not "!" <= letter <= "~":
            return False
    return 0 < len(secret) <= 64
