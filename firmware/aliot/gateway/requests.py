"""One request of a gateway at a time: sent, awaited, asked again; gateway.md 2 and 15.6."""

from aliot.errors import LinkError
from aliot.gateway.codes import GatewayError
from aliot.gateway.items import number, parsed
from aliot.gateway.rates import Pace
from aliot.transport import Deadline
from micropython import const

_TRIES = const(3)


class Requests:
    """The requests of one Device; `timeout` in ms bounds the wait for each answer."""

    def __init__(self, device, timeout):
        self.device = device
        self.timeout = timeout
        self.pace = Pace()
        self.id = 0
        self.count = 0  # round trips so far
        self.topic = None  # where the answer that is awaited will come
        self.reply = None

    def ask(self, tail, payload, logins=0, each=None):
        """The reply, a dict, to a request on `tail` of the gateway's topics.

        `payload` is a bytearray of JSON without its id and its end. A request that nobody answers is sent
        again with another id; `each` is called before each time. GatewayError `gateway.silent` in the end,
        `gateway.handler` when a handler asks; LinkError when the connection ends.
        """
        device = self.device
        client = self._client()
        first = "/ext/session" if tail.startswith("combine") else "/sys"
        topic = "%s/%s/%s/%s" % (first, device.product_key, device.device_name, tail)
        whole = len(payload)
        for _ in range(_TRIES):
            self._slow_down(client, logins)
            if each:
                each()
            self.id = self.id % 4294967295 + 1
            payload[whole:] = b',"id":"%d"}' % self.id
            if self._answered(client, topic, payload, logins):
                return self.reply
        raise GatewayError("silent", tail)

    def pause(self, ms):
        """Serve the connection for so long; the same errors."""
        client = self._client()
        deadline = Deadline(ms)
        while deadline.left():
            self._serve(client, deadline.left())

    def took(self, topic, payload):
        """Was it the awaited answer, or another one to such a request? A handler's first question."""
        if topic != self.topic:
            return False
        reply = parsed(payload)
        if reply and number(reply.get("id")) == self.id:
            self.reply = reply
        return True

    def code(self):
        return number(self.reply.get("code"))

    def _client(self):
        client = self.device.client
        if not client:
            raise LinkError("not connected", "offline")
        if client.busy or self.topic:
            raise GatewayError("handler")
        return client

    def _answered(self, client, topic, payload, logins):
        self.reply = None
        self.topic = topic + "_reply"
        self.count += 1
        try:
            self.device.publish(topic, payload)
            deadline = Deadline(self.timeout)
            while not self.reply and deadline.left():
                self._serve(client, deadline.left())
        finally:
            self.topic = None
            self.pace.answered(self.device.now(), logins)
        return self.reply

    def _slow_down(self, client, logins):
        while True:
            wait = self.pace.wait(self.device.now(), logins)
            if not wait:
                return
            self._serve(client, wait)

    def _serve(self, client, ms):
        device = self.device
        if device.client is client:
            device.feed()
            device._serve(ms)
        if device.client is not client:
            raise LinkError("the connection ended", "offline")
