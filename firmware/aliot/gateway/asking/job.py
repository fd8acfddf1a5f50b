"""Requests for many sub-devices at once, in batches; one by one after a refusal. gateway.md 2, 12 and 15."""

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
_EXISTS = const(6251)  # of a single one: it is attached here already (gateway.md 13)


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
    body = None  # the request, as long as it is not sent
    topic = None  # where the answer that is awaited will come
    reply = None
    last = -1  # the last thing that was asked for

    def __init__(self, gateway, failed=None, most=MOST_FAILED):
        self.gateway = gateway
        self.rows = gateway.rows
        self.failed = gateway.result if failed is None else failed
        self.most = most
        if gateway.fresh:
            load("gateway.asking.opening").begin(gateway)

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
                    self.send(batch)
                    if once:
                        return
                    batch = []
        if batch:
            self.send(batch)

    def send(self, batch):
        """Ask for one batch. Its items are in the body, or there is none."""
        single = len(batch) == 1
        if self.body and not (single and self.ONE):
            self.body.extend(self.END)
        else:
            self.build(batch)
        self.prepare(batch)
        self.last = batch[-1]
        reply = self.ask(batch)
        code = number(reply.get("code"))
        message = reply.get("message")
        if code == 200 or code == _EXISTS and single:
            batch = self.took(batch, reply.get("data"))
            code = "absent"
        reply = None
        if batch:
            load("gateway.asking.refusals").refused(self, batch, code, message)

    # What a kind may say otherwise.

    def fail(self, thing, code, message=""):
        """A thing did not succeed."""
        load("gateway.asking.refusals").note(self, thing, code, message)

    def alone(self, batch):
        """Ask for each of a batch alone: one that the platform does not take must not hold the others."""
        load("gateway.asking.refusals").alone(self, batch)

    def prepare(self, batch):
        """A batch is about to be sent; GatewayError when it must not, after too many requests."""
        gateway = self.gateway
        if gateway.throttled and gateway.calm > uptime():
            raise GatewayError(gateway.throttled, "asked again in %d s" % ((gateway.calm - uptime()) // 1000 + 1),
                               "later")
        gateway.throttled = 0

    def each(self, batch):
        """It is sent, now, perhaps not for the first time."""

    def took(self, batch, data):
        """Which of a batch that was answered with 200 are still to be asked for."""
        return ()

    # One request.

    def begin(self, tail, text):
        """Begin a request on `tail` of the gateway's topics."""
        self.tail = tail
        method = '"method":"%s",' % tail.replace("/", ".") if tail[0] == "t" else ""
        self.body = bytearray(('{"version":"1.0",' + method).encode())
        self.body.extend(text)

    def build(self, batch):
        """The body of a request for these things, but for its id."""
        if len(batch) == 1 and self.ONE:
            self.begin(self.ONE, b'"params":' + self.one(batch[0]))
            return
        self.begin(self.TAIL, self.HEAD)
        for thing in batch:
            if thing != batch[0]:
                self.body.extend(b",")
            self.body.extend(self.item(thing).encode())
        self.body.extend(self.END)

    def ask(self, batch=()):
        """The reply, a dict, to the request in the body, which has no id and no end yet.

        A request that nobody answers is sent again with another id. GatewayError `gateway.silent` in the end,
        `gateway.handler` when a handler asks; LinkError when the connection ends.
        """
        gateway = self.gateway
        device = gateway.device
        client = device.client
        if not client:
            raise LinkError("not connected", "offline")
        logins = len(batch) * self.LOGINS
        self.topic = "%s/%s/%s/%s_reply" % ("/ext/session" if self.tail[0] == "c" else "/sys", device.product_key,
                                            device.device_name, self.tail)
        for _ in range(_TRIES):
            self.serve(client, 0)
            while True:
                wait = pace.pause(gateway.paces, uptime(), logins)
                if not wait:
                    break
                self.serve(client, wait)
            self.each(batch)
            gateway.id = gateway.id % 4294967295 + 1
            if not self.body:
                self.build(batch)
            self.body.extend(b',"id":"%d"}' % gateway.id)
            gateway.asking = self
            try:
                device.publish(self.topic[:-6], self.body)
                self.body = None  # its memory is for the answer
                deadline = Deadline(gateway.timeout)
                while not self.reply and deadline.left():
                    self.serve(client, deadline.left())
            finally:
                gateway.asking = None
                gateway.paces.append(pace.noted(uptime(), logins))
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
