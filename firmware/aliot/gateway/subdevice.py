"""A sub-device as a Thing takes a device: over its gateway's connection; application.md 3, gateway.md 2.

    gateway = Gateway(device)
    room = Thing(Subdevice(gateway, "a1SubProdKy", "room-01"))
    gateway.bring_online([("a1SubProdKy", "room-01")])

A gateway that does not import it has nothing of it.
"""

from aliot import pace
from aliot.errors import LinkError
from aliot.gateway.rows import KEYS, ONLINE, TIMES, key_of
from aliot.gateway.upkeep import full_topic


class Subdevice:
    """The sub-device with these names of the Gateway `via`. Who registers, attaches and logs it in is the gateway.

    It counts its requests, and its messages in a second, together with its gateway.
    """

    extra = ",_ss=1"  # its login has it
    index = -1  # where it was found in the gateway's rows
    login = 0  # the one that the watchers know of; 0 while it is offline

    def __init__(self, via, product_key, device_name):
        self.gateway = via
        self.parent = via.device
        self.product_key = product_key
        self.device_name = device_name
        self.key = key_of((product_key, device_name))
        self.watchers = []
        self.paces = pace.paces(via.device)

    @property
    def connected(self):
        """Whether it is online, and poll() has seen it."""
        return self.login > 0 and self.login == self._login()

    def poll(self, ms=0):
        """Instead of the gateway's poll: serves it, and tells the watchers of a login; whether it is online."""
        self.gateway.poll(ms)
        login = self._login()
        if login != self.login:
            self.login = login
            for handler in self.watchers if login else ():
                handler("connected", {})
        requests = getattr(self.parent, "requests", None)
        if requests:
            requests.cancel()  # what is overdue of its history, and packs, are the gateway's
        return login > 0

    def publish(self, topic, payload, qos=0):
        """As Device.publish; LinkError `offline` while it is not online."""
        if not self._login():
            raise LinkError("%s is not online" % self.device_name, "offline")
        topic = self.full_topic(topic)
        # sent again when the platform says that there was no session
        self.gateway.last = ((self.product_key, self.device_name), topic, payload, qos)
        self.parent.publish(topic, payload, qos)

    def on(self, topic, handler):
        """As Device.on; `#` is all of its system topics, and the RRPC that names it."""
        name = (self.product_key, self.device_name)
        take = lambda name, topic, payload: handler(topic, payload)  # noqa: E731 - its name would be one more
        self.gateway.on(topic, take, None if topic[0] == "/" else name)
        if topic == "#":
            self.gateway.on("/ext/rrpc/#", take)

    def watch(self, handler):
        """handler("connected", {}) after each login."""
        self.watchers.append(handler)

    # For the parts of aliot, as a Device has it.

    @property
    def client(self):
        return self.parent.client

    @property
    def last_id(self):
        return getattr(self.parent, "last_id", 0)

    @last_id.setter
    def last_id(self, id):
        self.parent.last_id = id

    @property
    def starved(self):
        return self.parent.starved

    @starved.setter
    def starved(self, count):
        self.parent.starved = count

    def serve(self, ms):
        self.parent.serve(ms)

    def full_topic(self, topic):
        return full_topic((self.product_key, self.device_name), topic)

    def state(self, state, fields):
        """The gateway's line of state, with the names of the sub-device."""
        fields = dict(fields)
        fields["product_key"] = self.product_key
        fields["device_name"] = self.device_name
        self.parent.state(state, fields)

    def _login(self):
        """A number that is another one after each login; 0 while it is not online."""
        rows = self.gateway.rows
        if not 0 <= self.index < rows.count or rows.get(self.index, KEYS, 4) != self.key:
            self.index = rows.find((self.product_key, self.device_name))
        online = self.index >= 0 and self.parent.connected and rows.state(self.index) & ONLINE
        return rows.get(self.index, TIMES, 2) + 1 if online else 0
