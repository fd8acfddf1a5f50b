"""What a gateway asks the platform: for many sub-devices at once, in batches; one by one after a refusal.

Loaded for it and dropped, with the modules below it: one for each kind of request, whose `ask(gateway, subdevices,
strict)` does it. gateway.md 2, 12 and 15.
"""

from aliot import feed, load
from aliot.errors import LinkError
from aliot.gateway.asking import pace
from aliot.gateway.errors import GatewayError
from aliot.gateway.replies import number, parsed
from aliot.ticks import Deadline, uptime
from micropython import const

MOST_FAILED = const(10)  # of the sub-devices that a call returns
_TRIES = const(3)
_END = const(40)  # bytes of a request behind its items
_SPREAD = const(5000)
_EXISTS = const(6251)  # of a single one: it is attached here already (gateway.md 13)
FULL = const(428)
THROTTLED = const(429)
_CALM = const(60000)  # ms without a request after it, and as much again at random (gateway.md 15.4)


class Job:
    """Requests of one kind. Things to ask for are rows, or names where a kind says so.

    TAIL of the topic, ONE the same for a single thing, where it has another; MOST items that the platform takes, of
    at most LONGEST bytes; HEAD and END of the params; REPLY bytes of an item of the answer; LOGINS of one item, as far
    as rates count. `failed` lists (name, code, message) of those that did not succeed, `most` of them.
    """

    ONE = None
    HEAD = b'"params":['
    END = b"]"
    REPLY = 0
    LOGINS = 0
    topic = None  # where the answer that is awaited will come
    reply = None
    last = -1  # the last thing that was asked for

    def __init__(self, gateway, most=MOST_FAILED):
        self.gateway = gateway
        self.rows = gateway.rows
        self.most = most
        self.failed = []
        if gateway.fresh:
            _first(gateway)

    def run(self, things, once=False):
        """Ask for all things; with `once`, for as many as one request holds."""
        room = self.gateway.payload - _END
        batch = []
        for thing in things:
            if thing not in batch:
                item = self.item(thing).encode()
                if batch:
                    item = b"," + item
                else:
                    self.begin(self.TAIL, self.HEAD)
                self.body.extend(item)
                batch.append(thing)
                if (len(batch) == self.MOST or len(self.body) + self.LONGEST > room
                        or (len(batch) + 1) * self.REPLY > room):
                    self._ask(batch)
                    if once:
                        return
                    batch = []
        if batch:
            self._ask(batch)

    def _ask(self, batch):
        """Ask for one batch, whose items are in the body."""
        gateway = self.gateway
        single = len(batch) == 1
        if single and self.ONE:
            self.begin(self.ONE, b'"params":' + self.one(batch[0]))
        else:
            self.body.extend(self.END)
        self.prepare(batch)
        self.last = batch[-1]
        reply = self.ask(batch)
        self.body = None
        code = number(reply.get("code"))
        message = reply.get("message")
        if code == 200 or code == _EXISTS and single:
            batch = self.took(batch, reply.get("data"))
            code = "absent"
        elif code in (THROTTLED, FULL):
            gateway.calm = uptime() + _CALM + gateway.device.session.random(_CALM)
            gateway.throttled = code
        reply = None
        for thing in batch:
            if single or gateway.throttled:
                self.fail(thing, gateway.throttled or code, message)
            else:  # one that the platform does not take must not hold the others
                self.begin(self.TAIL, self.HEAD + self.item(thing).encode())
                self._ask([thing])

    # What a kind may say otherwise.

    def fail(self, thing, code, message=""):
        """A thing did not succeed."""
        load("gateway.asking.refusals").note(self, thing, code, message)

    def prepare(self, batch):
        """A batch is about to be sent; GatewayError when it must not, after too many requests."""
        gateway = self.gateway
        if gateway.throttled and gateway.calm > uptime():
            raise GatewayError(gateway.throttled, "asked again in %d s" % ((gateway.calm - uptime()) // 1000 + 1))
        gateway.throttled = 0

    def each(self, batch):
        """It is sent, now, perhaps not for the first time."""

    def took(self, batch, data):
        """Which of a batch that was answered with 200 are still to be asked for."""
        return []

    # One request.

    def begin(self, tail, text):
        """Begin a request on `tail` of the gateway's topics."""
        self.tail = tail
        method = '"method":"%s",' % tail.replace("/", ".") if tail[0] == "t" else ""
        self.body = bytearray(('{"version":"1.0",' + method).encode())
        self.body.extend(text)

    def ask(self, batch=()):
        """The reply, a dict, to the request in the body, which has no id and no end yet.

        A request that nobody answers is sent again with another id. GatewayError `gateway.silent` in the end,
        `gateway.handler` when a handler asks; LinkError when the connection ends.
        """
        gateway, device, body = self.gateway, self.gateway.device, self.body
        client = device.client
        if not client:
            raise LinkError("not connected", "offline")
        if client.busy or gateway.asking:
            raise GatewayError("handler")
        logins = len(batch) * self.LOGINS
        self.topic = "%s/%s/%s/%s_reply" % ("/ext/session" if self.tail[0] == "c" else "/sys", device.product_key,
                                            device.device_name, self.tail)
        size = len(body)
        for _ in range(_TRIES):
            self.serve(client, 0)
            while True:
                wait = pace.pause(gateway.paces, uptime(), logins)
                if not wait:
                    break
                self.serve(client, wait)
            self.each(batch)
            gateway.id = gateway.id % 4294967295 + 1
            body[size:] = b',"id":"%d"}' % gateway.id
            gateway.asking = self
            try:
                device.publish(self.topic[:-6], body)
                deadline = Deadline(gateway.timeout)
                while not self.reply and deadline.left():
                    self.serve(client, deadline.left())
            finally:
                gateway.asking = None
                gateway.paces.append((uptime(), logins))
            if self.reply:
                reply = self.reply
                self.reply = None
                return reply
        raise GatewayError("silent", self.tail)

    def serve(self, client, ms):
        device = self.gateway.device
        if device.client is client:
            feed()
            device.serve(ms)
        if device.client is not client:
            raise LinkError("the connection ended", "offline")

    def took_reply(self, topic, payload):
        """Whether it was the awaited answer, or another one to such a request. A gateway's first question."""
        if topic != self.topic:
            return False
        reply = parsed(payload)
        if reply and number(reply.get("id")) == self.gateway.id:
            self.reply = reply
        return True


def _first(gateway):
    """What comes before the first request on a connection."""
    device = gateway.device
    gateway.fresh = False
    gateway.reported = None
    errors = "/ext/error/%s/%s" % (device.product_key, device.device_name)
    if errors not in device.topics:
        device.subscribe(errors)
    if gateway.rows.left:
        gateway.complain(gateway.rows.problem)
    spread = device.config.get("spread", _SPREAD) if gateway.spread is None else gateway.spread
    gateway.spread = 0
    if spread:
        gateway.calm = uptime() + device.session.random(spread)
