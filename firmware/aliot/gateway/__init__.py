"""Gateway: sub-devices without a connection of their own, registered, attached and online through one Device.

Opt-in: a board that does not import it has nothing of it. gateway.md
"""

from aliot import part
from aliot.gateway.codes import GatewayError, advice  # noqa: F401
from aliot.gateway.jobs import Attach, Detach, Found, Login, Logout, Register, may_log_in
from aliot.gateway.records import ATTACHED, DISABLED, GONE, ONLINE, REFUSED, WANTED
from aliot.gateway.upkeep import Upkeep, whole


class Gateway(Upkeep):
    """The sub-devices of `device`, which need not be started yet.

    timeout   ms that one answer may take; a request is made three times
    spread    ms; after power on the first logins wait a random time up to this, so that the gateways of a
              site do not arrive together (gateway.md 15.5)
    payload   largest request in bytes
    login     whether what is attached is logged in by itself after a boot

    A sub-device is a tuple (ProductKey, DeviceName). What asks the platform returns a list of what did not
    succeed, ((ProductKey, DeviceName), code, message) each, where `code` is the platform's number or
    `absent`, and `advice(code)` says what to do; it raises GatewayError when it cannot be asked, LinkError
    when the connection ends before the answer. Calling it again does what is still to be done. Not from a
    handler of messages: that cannot wait.
    """

    # What an application calls.

    @property
    def stored(self):
        """How many sub-devices have their secret stored here."""
        return self.records.count

    @property
    def online(self):
        """How many sub-devices are online."""
        return self._count(ONLINE) if self.device.connected else 0

    def state_of(self, subdevice):
        """ "unknown", "registered", "attached", "online", "disabled" or "refused"."""
        row = self.records.find(subdevice)
        state = self.records.states[row] if row >= 0 else 0
        if row < 0 or state & GONE:
            return "unknown"
        for bit, word in (
            (DISABLED, "disabled"),
            (REFUSED, "refused"),
            (ONLINE, "online"),
            (ATTACHED, "attached"),
        ):
            if state & bit and (bit != ONLINE or self.device.connected):
                return word
        return "registered"

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
        Called by poll(): it may call what asks the platform.
        """
        self.watchers.append(handler)

    def register(self, subdevices):
        """Obtain and store the secrets of those that have none here; gateway.md 4.

        Each registration voids the last one's secret, so none is made without need.
        """
        return self._run(Register(self), self._new(subdevices))

    def register_with_product_secret(self, subdevices):
        """The same with the burned ProductSecrets of their products; gateway.md 5.

        This is the way to take over what another gateway has bound.
        """
        proxy = part("gateway.proxy")
        return self._run(proxy.ProxyRegister(self, proxy.products(self.device.store)), self._new(subdevices))

    def keep(self, subdevice, device_secret):
        """Store a secret that came another way, instead of registering."""
        self.records.keep([(subdevice[0], subdevice[1], device_secret)])

    def forget(self, subdevices):
        """Drop their secrets; what is to be online again has to be registered again."""
        for row in self._rows(subdevices):
            self.records.states[row] |= GONE
        self.records.settle()

    def attach(self, subdevices):
        """Add them to the topology, as far as they are not known to be in it."""
        states = self.records.states
        return self._run(Attach(self), [row for row in self._rows(subdevices) if not states[row] & ATTACHED])

    def detach(self, subdevices):
        """Take them out of the topology; they go offline."""
        return self._run(Detach(self), self._rows(subdevices))

    def topology(self, each=None):
        """[(ProductKey, DeviceName)] of what the platform has attached; gateway.md 6.3.

        Where a list is too large: `each(ProductKey, DeviceName)` is called, and the number returned.
        """
        found = []
        count = part("gateway.topology").topology(self, each or (lambda *name: found.append(name)))
        return count if each else found

    def login(self, subdevices):
        """Bring them online, and again after each reconnect, until they are logged out."""
        rows = self._rows(subdevices, ATTACHED)
        states = self.records.states
        failed = []
        ready = []
        for row in rows:
            states[row] = states[row] & ~REFUSED | WANTED
            if not states[row] & ONLINE:
                if may_log_in(self, row):
                    ready.append(row)
                else:
                    failed.append((self.records.name(row), 429, "five logins in a minute"))
        self.look = 0
        wait = self.calm - self.device.now()
        if ready and wait > 0 and not self.throttled:
            self.requests.pause(wait)  # the first logins after power on
        return failed + self._run(Login(self), ready)

    def logout(self, subdevices):
        """Take them offline, until login() or a boot."""
        rows = self._rows(subdevices)
        online = []
        for row in rows:
            self.records.states[row] &= ~WANTED
            if self.records.states[row] & ONLINE:
                online.append(row)
        return self._run(Logout(self), online)

    def bring_online(self, subdevices):
        """register, attach and login: of each what is still to be done."""
        failed = self.register(subdevices)
        for step in (self.attach, self.login):
            lost = [one[0] for one in failed]
            subdevices = [name for name in subdevices if name not in lost]
            failed += step(subdevices)
        return failed

    def found(self, subdevices):
        """Report sub-devices that somebody should register in the console; gateway.md 7"""
        return self._run(Found(self), subdevices)

    def publish(self, subdevice, topic, payload, qos=0):
        """As Device.publish, for a sub-device; GatewayError `gateway.offline` when it is not online."""
        row = self.records.find(subdevice)
        if row < 0 or not self.records.states[row] & ONLINE:
            raise GatewayError("offline", "%s.%s" % subdevice)
        topic = whole(subdevice, topic)
        self.last = (subdevice, topic, payload, qos)
        self.device.publish(topic, payload, qos)

    # What is to be asked for.

    def _rows(self, subdevices, state=0):
        """Rows of those; GatewayError `gateway.order` when one has no secret, or not that state."""
        rows = []
        for name in subdevices:
            row = self.records.find(name)
            if row < 0 or state and not self.records.states[row] & state:
                raise GatewayError("order", "%s.%s is %s" % (name[0], name[1], self.state_of(name)))
            if row not in rows:
                rows.append(row)
        return rows

    def _new(self, subdevices):
        new = []
        for name in subdevices:
            if name not in new and self.records.find(name) < 0:
                new.append(name)
        if self.records.count + len(new) > self.records.limit:
            raise GatewayError("full", "%d sub-devices" % (self.records.count + len(new)))
        return new

    def _run(self, job, things):
        if not things:
            return []
        wait = self.calm - self.device.now()
        if self.throttled and wait > 0:
            raise GatewayError(self.throttled, "in %d s" % (wait // 1000 + 1))
        self.throttled = 0
        failed = job.run(things)
        self._settle()
        return failed
