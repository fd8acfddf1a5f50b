"""Device: what an application calls. It wires store, session, transport and MQTT together."""

import os
from binascii import hexlify
from time import sleep_ms, ticks_diff, ticks_ms

import machine
from aliot import __version__, clock, forget, log, part, roots
from aliot.credentials import burned, text
from aliot.endpoint import endpoint
from aliot.errors import AliotError, LinkError, ProtocolError, TimedOut
from aliot.login import login
from aliot.mqtt import Client
from aliot.session import Session
from aliot.store import Store
from aliot.transport import Deadline, connect
from aliot.wifi import Wired
from micropython import const

_WAY = const(1)  # tags of aliot.record
_SIGN_METHOD = const(14)
_JOIN = const(30000)  # ms between two requests to join the network
_NAP = const(100)  # ms, while the network is away


class Device:
    """One device on the platform.

    config    dict, usually from config.json: `endpoint` (a dict of region, instance, host, port, register_host)
              goes before the burned one; `ntp` is a list of SNTP servers
    network   name, up() and join(), like aliot.wifi.Wifi; without it the network is somebody else's business
    keepalive 30 to 1200 s; clean: a clean MQTT session
    timeout   ms that bound each of: registration, connect (TLS and CONNACK included), subscribe, a QoS 1 publish
    watchdog  ms of a hardware watchdog that poll() feeds, 0 for none; no call outlasts it, DNS apart

    Topics: one that begins with / is complete; `user/...` is completed to /{pk}/{dn}/user/..., any other to
    /sys/{pk}/{dn}/... (direct.md 7).

    An application uses the methods of the first part, `connected`, and after start() product_key and
    device_name. The other attributes are for the parts of aliot; they carry no underscore, since to a chip
    a second spelling of a name is memory.
    """

    client = None  # the connection
    credential = None
    server = None  # the one that set the clock
    up = None  # whether the network was up; None before the first look
    asked = 0  # when the network was asked to join
    ms = 0  # since start, without an end

    def __init__(self, config=None, network=None, store=None, keepalive=300, clean=True, timeout=15000, watchdog=0):
        if not 30 <= keepalive <= 1200 or 0 < watchdog < 8000:
            raise ValueError("keepalive: 30 to 1200 s, watchdog: 8000 ms")
        self.config = config or {}
        self.network = network or Wired()
        self.store = store or Store()
        self.keepalive = keepalive
        self.clean = clean
        self.timeout = min(timeout, watchdog // 2 or timeout)
        self.watchdog = machine.WDT(timeout=watchdog) if watchdog else None
        self.session = Session(_random, keepalive * 1000, min(15000, timeout))
        self.handlers = []
        self.topics = {}  # subscribed: topic -> QoS
        self.watchers = []
        self.tick = ticks_ms()

    # What an application calls.

    @property
    def connected(self):
        return self.client is not None

    def on(self, topic, handler):
        """handler(whole topic, payload bytes) for every message whose topic matches; + and # as in MQTT."""
        self.handlers.append((topic, handler))

    def watch(self, handler):
        """handler(state, fields) at each change of state."""
        self.watchers.append(handler)

    def start(self):
        """Read the identity from flash and say so; no network yet. CredentialError when nothing is burned."""
        mac = machine.unique_id()
        shown = {"mac": hexlify(mac).decode(), "version": __version__, "roots": roots.fingerprints()}
        try:
            self.generation, fields = self.store.burned()
            shown.update(self.store.health)
            shown["generation"] = self.generation
            shown["way"] = text(fields, _WAY)
            fields[0] = self.generation
            credential = burned(fields, mac)
            self.product_key = shown["product_key"] = credential.product_key
            self.device_name = shown["device_name"] = credential.device_name
            self.sign_method = text(fields, _SIGN_METHOD) or "hmacsha256"
            self.endpoint = endpoint(self.product_key, fields, self.config.get("endpoint"))
            if credential.REGISTER:
                issued = self.store.issued(self.generation, credential)
                shown["issued"] = bool(issued)
                if issued:
                    shown.update(self.store.health)
                    credential = issued
            self.credential = credential
        finally:
            self.state("boot", shown)

    def poll(self, ms=0):
        """Serve the connection for `ms`; returns whether the device is connected.

        poll(0) never blocks while connected. While it is not, one poll makes at most one step (clock and
        registration, or clock and connect), which `timeout` bounds.
        """
        deadline = Deadline(ms)
        while True:
            self.feed()
            left = deadline.left()
            if self.client:
                self._serve(left)
            else:
                self._advance(left)
            if not deadline.left():
                return self.connected

    def publish(self, topic, payload, qos=0):
        """Send text or bytes; QoS 1 returns when the platform has acknowledged it.

        LinkError with the code `offline` while there is no connection; any other LinkError ends the
        connection, and the next polls make a new one.
        """
        self._call(Client.publish, self.whole(topic), payload, False, qos)

    def subscribe(self, topic, handler=None, qos=0):
        """Subscribe now if connected, and at every connect to come. SubscribeRefused when it is not granted."""
        if handler:
            self.on(topic, handler)
        self.topics[topic] = qos
        if self.client:
            self._call(Client.subscribe, self.whole(topic), qos)

    def stop(self):
        """Disconnect in good order; a later poll() connects again."""
        client = self.client
        self.client = None
        if client:
            client.disconnect()

    # Offline: network, clock, registration, connect; one step at a time.

    def _advance(self, ms):
        now = self.now()
        up = self.network.up()
        if up != self.up or not up and now - self.asked >= _JOIN:
            if up and self.up is False and self.session.attempts:
                part("backoff").returned(self.session, now)
            self.up = up
            self.state("wifi", {"up": up, "network": self.network.name})
            if not up:
                self.asked = now
                self.network.join()
        wait = self.session.wait(now) if up else _NAP
        if wait:
            sleep_ms(min(ms, wait, 1000))
            return
        if not self.server:
            self.server = clock.synchronize(self.config.get("ntp", clock.SERVERS))
            if self.server or not self.session.attempts:
                self.state("clock", {"time": clock.now(), "server": self.server})
            self.feed()
        self.session.attempt(now)
        try:
            if self.credential.REGISTER:
                self._register()
            else:
                self._connect()
        except AliotError as problem:
            part("setback").failed(self, problem)

    def _register(self):
        credential = self.credential
        self.state("registering", {"method": credential.method})
        try:
            made = part("registration." + credential.REGISTER).register(
                credential, self.endpoint, self.sign_method, self.timeout)
        finally:
            forget("registration")
        self.credential = self.store.save(self.generation, credential, made)
        self.state("stored", self.store.health)

    def _connect(self):
        to = self.endpoint
        if hasattr(to, "asked") and not to.asked(self):
            return  # a question was asked first: aliot.guide
        host = {"host": to.host, "port": to.port}
        fields = login(self.credential, to, clock.now() * 1000 if self.server else None, self.sign_method)
        self.state("connecting", host)
        stream = connect(self.credential, to.host, to.port, to.roots, self.timeout)
        client = Client(stream, fields, self.keepalive, self.timeout)
        client.set_callback(self._message)
        try:
            join = getattr(self.credential, "join", None)
            host["present"] = join(self, client) if join else client.connect(self.clean)
            self.client = client
            for topic in sorted(self.topics):
                self.feed()
                try:
                    client.subscribe(self.whole(topic), self.topics[topic])
                except AliotError as problem:
                    if problem.code != "suback":
                        raise
                    self.state("error", {"code": "suback", "detail": topic})
        except BaseException:
            self.client = None
            client.close()
            raise
        self.session.connected(self.now())
        self.state("connected", host)

    # Online.

    def _serve(self, ms):
        client = self.client
        try:
            need = self.session.ping(*client.ages())
            if need == "dead":
                raise TimedOut("no PINGRESP")
            if need:
                client.ping()
            if not self.network.up():
                raise LinkError("the network is down", "wifi")
            client.poll(min(ms, 1000))
        except (LinkError, ProtocolError) as problem:
            self._lost(client, problem)

    def _call(self, action, *arguments):
        client = self.client
        if not client:
            raise LinkError("not connected", "offline")
        try:
            action(client, *arguments)
        except (LinkError, ProtocolError) as problem:
            self._lost(client, problem)
            raise

    def _lost(self, client, problem):
        client.close()
        if self.client is client:
            self.client = None
            part("setback").lost(self, problem)

    def _message(self, topic, payload):
        topic = topic.decode()
        for pattern, handler in self.handlers:
            pattern = self.whole(pattern)
            if pattern == topic or ("+" in pattern or "#" in pattern) and part("topics").matches(pattern, topic):
                handler(topic, payload)

    # For the parts of aliot.

    def whole(self, topic):
        """A topic, completed."""
        if topic[0] in "/#":
            return topic
        return "%s/%s/%s/%s" % ("" if topic.startswith("user/") else "/sys", self.product_key, self.device_name, topic)

    def feed(self):
        if self.watchdog:
            self.watchdog.feed()

    def now(self):
        tick = ticks_ms()
        self.ms += ticks_diff(tick, self.tick)
        self.tick = tick
        return self.ms

    def state(self, state, fields):
        log.state(state, fields)
        for handler in self.watchers:
            handler(state, fields)


def _random(n):
    return int.from_bytes(os.urandom(4), "little") % n
