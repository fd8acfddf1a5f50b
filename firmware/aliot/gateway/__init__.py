"""Gateway: sub-devices without a connection of their own, registered, attached and online through one Device.

Opt-in: a board that does not import it has nothing of it. gateway.md

What a gateway needs all the time is here, in upkeep and in rows. The rest is loaded for its moment and dropped, and
nothing that stays may hold a function or an instance of it: what asks the platform (see upkeep), notices (what it
says unasked), records and reading (the file), moments.
"""

from aliot.gateway.errors import GatewayError, advice
from aliot.gateway.rows import ATTACHED, DISABLED, GONE, ONLINE, REFUSED
from aliot.gateway.upkeep import Upkeep, full_topic


class Gateway(Upkeep):
    """The sub-devices of `device`, which has not connected yet.

    timeout   ms that one answer may take; a request is made three times
    spread    ms; after power on the first logins wait a random time up to this, so that the gateways of a
              site do not arrive together (gateway.md 15.5); None: what config.json says, or 5000
    payload   largest request in bytes, 600 at least; answers are about as large. None: 4096 where memory is large,
              else 900
    login     whether what is attached is logged in by itself after a boot
    limit     most sub-devices: 1,500 are documented, the platform's newer page says 2,000 (gateway.md 12)
    path      of the file that keeps their secrets

    A sub-device is a tuple (ProductKey, DeviceName). `subdevices` is an iterable of them that can be gone through
    more than once, or the path of a file that has a line `ProductKey DeviceName` for each. What asks the platform
    goes through it batch by batch and returns a list of what did not succeed, ((ProductKey, DeviceName), code,
    message) each, of which it keeps the first ten; `failed` says how many there were. `code` is the platform's
    number, `absent` or `name`, and `advice(code)` says what to do. It raises GatewayError when it cannot be asked,
    or `gateway.memory` when no more sub-devices fit, LinkError when the connection ends before the answer. Calling
    it again does what is still to be done. Not from a handler of messages: that cannot wait.
    """

    @property
    def stored(self):
        """How many sub-devices have their secret stored here."""
        return self.rows.count

    @property
    def online(self):
        """How many sub-devices are online."""
        return self.rows.number(ONLINE) if self.device.connected else 0

    def state_of(self, subdevice):
        """ "unknown", "registered", "attached", "online", "disabled" or "refused"."""
        return self._state_of(self.rows.find(subdevice))

    def subdevices(self, state=None):
        """Each that is stored, or of these each in that state: read from flash, one by one, until the next poll()."""
        for row in range(self.rows.count):
            if state in (None, self._state_of(row)):
                yield self.rows.entry(row)[:2]

    def on(self, topic, handler, subdevice=None):
        """handler(subdevice, topic, payload) for messages of one sub-device, or of any.

        `topic` is as for a Device, without the names: `thing/service/property/set`, `user/get`, with + and #.
        """
        self.handlers.append((topic, handler, subdevice))

    def subscribe(self, topic, handler, qos=0):
        """The same for a custom topic (`user/...`) of every sub-device: a SUBSCRIBE for each after its login.

        System topics need none: the platform subscribes them (`_ss=1`).
        """
        self.on(topic, handler)
        self.topics[topic] = qos

    def watch(self, handler):
        """handler(event, subdevice, code) for what the platform tells.

        Events: `attach` (please do), `attached`, `detached`, `enabled`, `disabled`, `deleted`, `taken` (by
        another gateway), `session` (there was none), `refused` (a login by itself), `permit`, `error`.
        Called by poll(): it may call what asks the platform. What it raises becomes a line of state.
        """
        self.watchers.append(handler)

    def register(self, subdevices):
        """Obtain and store the secrets of those that have none here; gateway.md 4.

        Each registration voids the last one's secret, so none is made without need.
        """
        return self._ask(True, subdevices, "register")

    def register_with_product_secret(self, subdevices):
        """The same with the burned ProductSecrets of their products; gateway.md 5.

        This is the way to take over what another gateway has bound.
        """
        return self._ask(True, subdevices, "proxy")

    def keep(self, subdevice, device_secret):
        """Store a secret that came another way, instead of registering."""
        self.issued = [(subdevice[0], subdevice[1], device_secret)]
        self.store()

    def forget(self, subdevices):
        """Drop their secrets; what is to be online again has to be registered again."""
        self._ask(True, subdevices, "forget")

    def attach(self, subdevices):
        """Add them to the topology, as far as they are not known to be in it."""
        return self._ask(True, subdevices, "attach")

    def detach(self, subdevices):
        """Take them out of the topology; they go offline."""
        return self._ask(True, subdevices, "detach")

    def topology(self, each=None):
        """[(ProductKey, DeviceName)] of what the platform has attached; gateway.md 6.3.

        For more than 50 `each(ProductKey, DeviceName)` is called instead, and the number returned.
        """
        return self._ask(True, each, "topology")

    def login(self, subdevices):
        """Bring them online, and again after each reconnect, until they are logged out."""
        return self._ask(True, subdevices, "login")

    def logout(self, subdevices):
        """Take them offline, until login() or a boot."""
        return self._ask(True, subdevices, "logout")

    def bring_online(self, subdevices):
        """register, attach and login: of each what is still to be done."""
        return self._ask(False, subdevices, "register", "attach", "login")

    def found(self, subdevices):
        """Report sub-devices that somebody should register in the console; gateway.md 7"""
        return self._ask(True, subdevices, "found")

    def publish(self, subdevice, topic, payload, qos=0):
        """As Device.publish, for a sub-device; GatewayError `gateway.offline` when it is not online."""
        row = self.rows.find(subdevice)
        if row < 0 or not self.rows.state(row) & ONLINE:
            raise GatewayError("offline", "%s.%s is not online" % subdevice)
        topic = full_topic(subdevice, topic)
        self.last = (subdevice, topic, payload, qos)
        self.device.publish(topic, payload, qos)

    def _state_of(self, row):
        state = self.rows.state(row) if row >= 0 else GONE
        if state & GONE:
            return "unknown"
        if state & DISABLED:
            return "disabled"
        if state & REFUSED:
            return "refused"
        if state & ONLINE and self.device.connected:
            return "online"
        return "attached" if state & ATTACHED else "registered"

    def _ask(self, strict, subdevices, *kinds):
        """The result of requests of these kinds, modules of aliot.gateway, one kind after the other."""
        if self.busy():
            raise GatewayError("handler")
        self.failed = 0
        self.result = []
        try:
            for kind in kinds:
                self.passed = 0
                self.left = []
                while self.round(kind, subdevices, strict):
                    pass
                self.settle()  # what is attached is so after a power cut, whatever comes next
            return self.result
        finally:
            self.result = None
            self.rest()
            self.settle()
