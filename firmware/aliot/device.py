"""Device: what an application calls. It wires store, session, transport and MQTT together."""

import os
from binascii import hexlify
from time import sleep_ms, ticks_diff, ticks_ms

import machine
from aliot import __version__, clock, forget, log, part, roots
from aliot.credentials import burned, text
from aliot.endpoint import endpoint
from aliot.errors import AliotError, LinkError, Offline, ProtocolError, TimedOut
from aliot.login import login
from aliot.mqtt import Client
from aliot.record import SIGN_METHOD, WAY
from aliot.session import Session
from aliot.store import Store
from aliot.transport import Deadline, connect
from aliot.wifi import Wired
from micropython import const

_JOIN = const(30000)  # ms between two requests to join the network
_NAP = const(100)  # ms, while the network is away


class Device:
    """One device on the platform.

    config    dict, usually from config.json: region, instance, host, port, register_host override the
              burned endpoint; `ntp` is a list of SNTP servers
    network   name, up() and join(), like aliot.wifi.Wifi; without it the network is somebody else's business
    keepalive 30 to 1200 s; clean: a clean MQTT session
    timeout   ms that bound each of: registration, connect (TLS and CONNACK included), subscribe, a QoS 1 publish
    watchdog  ms of a hardware watchdog that poll() feeds, 0 for none; no call outlasts it, DNS apart

    Topics: one that begins with / is complete; `user/...` is completed to /{pk}/{dn}/user/..., any other to
    /sys/{pk}/{dn}/... (direct.md 7).
    """

    def __init__(self, config=None, network=None, store=None, keepalive=300, clean=True, timeout=15000, watchdog=0):
        if not 30 <= keepalive <= 1200 or 0 < watchdog < 8000:
            raise ValueError("keepalive is 30 to 1200 s, 300 advised; a watchdog has 8000 ms or more")
        self._config = config or {}
        self._network = network or Wired()
        self._store = store or Store()
        self._keepalive = keepalive
        self._clean = clean
        self._timeout = min(timeout, watchdog // 2 or timeout)
        self._dog = machine.WDT(timeout=watchdog) if watchdog else None
        self._session = Session(_below, keepalive * 1000, min(15000, timeout))
        self._client = None
        self._credential = None
        self._handlers = []
        self._topics = {}  # subscribed: topic -> QoS
        self._watchers = []
        self._clock = None  # the server that set the clock
        self._up = None  # whether the network was up; None before the first look
        self._asked = 0  # when the network was asked to join
        self._now = 0  # ms since start, without an end
        self._tick = ticks_ms()

    # What an application calls.

    @property
    def connected(self):
        return self._client is not None

    def on(self, topic, handler):
        """handler(whole topic, payload bytes) for every message whose topic matches; + and # as in MQTT."""
        self._handlers.append((topic, handler))

    def watch(self, watcher):
        """watcher(state, fields) at each change of state."""
        self._watchers.append(watcher)

    def start(self):
        """Read the identity from flash and say so; no network yet. CredentialError when nothing is burned.

        From here on product_key and device_name say who this is.
        """
        mac = machine.unique_id()
        shown = {"mac": hexlify(mac).decode(), "version": __version__, "roots": roots.fingerprints()}
        try:
            self._generation, fields = self._store.burned()
            shown.update(self._store.health)
            shown["generation"] = self._generation
            shown["way"] = text(fields, WAY)
            credential = burned(fields, mac)
            self.product_key = shown["product_key"] = credential.product_key
            self.device_name = shown["device_name"] = credential.device_name
            self._sign_method = text(fields, SIGN_METHOD) or "hmacsha256"
            self._endpoint = endpoint(self.product_key, fields, self._config)
            if credential.REGISTER:
                issued = self._store.issued(self._generation, credential)
                shown["issued"] = bool(issued)
                if issued:
                    shown.update(self._store.health)
                    credential = issued
            self._credential = credential
        finally:
            self._state("boot", shown)

    def poll(self, ms=0):
        """Serve the connection for `ms`; returns whether the device is connected.

        poll(0) never blocks while connected. While it is not, one poll makes at most one step (clock and
        registration, or clock and connect), which `timeout` bounds.
        """
        deadline = Deadline(ms)
        while True:
            self._feed()
            if self._client:
                self._serve(deadline.left())
            else:
                self._advance(deadline.left())
            if not deadline.left():
                return self.connected

    def publish(self, topic, payload, qos=0):
        """Send text or bytes; QoS 1 returns when the platform has acknowledged it. Offline, or another AliotError."""
        self._call(Client.publish, self._full(topic), payload, False, qos)

    def subscribe(self, topic, handler=None, qos=0):
        """Subscribe now if connected, and at every connect to come. SubscribeRefused when it is not granted."""
        if handler:
            self.on(topic, handler)
        self._topics[topic] = qos
        if self._client:
            self._call(Client.subscribe, self._full(topic), qos)

    def stop(self):
        """Disconnect in good order; a later poll() connects again."""
        client = self._client
        self._client = None
        if client:
            try:
                client.disconnect()
            except LinkError:
                client.close()

    # Offline: network, clock, registration, connect; one step at a time.

    def _advance(self, ms):
        now = self._time()
        if not self._joined(now):
            sleep_ms(min(ms, _NAP))
            return
        wait = self._session.wait(now)
        if wait:
            sleep_ms(min(ms, wait, 1000))
            return
        if not self._clock:
            self._clock = clock.synchronize(self._config.get("ntp", clock.SERVERS))
            self._state("clock", {"time": clock.now(), "server": self._clock})
            self._feed()
        self._session.attempt(now)
        try:
            if self._credential.REGISTER:
                self._register()
            else:
                self._connect()
        except AliotError as problem:
            self._setback("failed", problem)

    def _joined(self, now):
        up = self._network.up()
        if up and not self._up:
            if self._up is False and self._session.known:
                self._session.returned(now)
            self._state("wifi", {"up": True, "network": self._network.name})
        elif not up and (self._up is not False or now - self._asked >= _JOIN):
            self._asked = now
            self._state("wifi", {"up": False, "network": self._network.name})
            self._network.join()
        self._up = up
        return up

    def _register(self):
        self._state("registering", {"method": self._credential.method})
        try:
            made = part("registration." + self._credential.REGISTER).register(
                self._credential, self._endpoint, self._sign_method, self._timeout)
        finally:
            forget("registration")
        self._credential = self._store.save(self._generation, self._credential, made)
        self._state("stored", self._store.health)

    def _connect(self):
        to = self._endpoint
        credential = self._credential
        fields = login(credential, to, clock.now() * 1000 if self._clock else None, self._sign_method)
        self._state("connecting", {"host": to.host, "port": to.port})
        stream = connect(credential, to.host, to.port, to.roots, self._timeout)
        client = Client(stream, fields.client_id, fields.username, fields.password, self._keepalive, self._timeout)
        client.set_callback(self._message)
        try:
            present = client.connect(self._clean, stream.deadline.left() or 1)
            self._client = client
            self._subscribe(client)
        except BaseException:
            self._client = None
            client.close()
            raise
        self._session.connected(self._time())
        self._state("connected", {"host": to.host, "port": to.port, "present": bool(present)})

    def _subscribe(self, client):
        topics = sorted(self._topics)
        while topics:
            pairs = [(self._full(topic), self._topics[topic]) for topic in topics[:8]]
            topics = topics[8:]
            self._feed()
            for pair, code in zip(pairs, client.subscribe_all(pairs)):
                if code == 0x80:
                    self._state("error", {"code": "suback", "detail": pair[0]})

    # Online.

    def _serve(self, ms):
        client = self._client
        try:
            need = self._session.ping(*client.ages())
            if need == "ping":
                client.ping()
            elif need:
                raise TimedOut("no PINGRESP")
            if not self._network.up():
                raise LinkError("the network is down", "wifi")
            client.poll(min(ms, 1000))
        except (LinkError, ProtocolError) as problem:
            self._lost(client, problem)

    def _lost(self, client, problem):
        client.close()
        if self._client is client:
            self._client = None
            self._setback("lost", problem)

    def _setback(self, what, problem):
        try:
            getattr(part("setback"), what)(self, problem)
        finally:
            for name in ("advice", "refusals", "setback"):
                forget(name)

    def _call(self, action, *arguments):
        client = self._client
        if not client:
            raise Offline()
        try:
            action(client, *arguments)
        except (LinkError, ProtocolError) as problem:
            self._lost(client, problem)
            raise

    def _message(self, topic, payload):
        topic = topic.decode()
        for pattern, handler in self._handlers:
            pattern = self._full(pattern)
            if pattern == topic or ("+" in pattern or "#" in pattern) and part("topics").matches(pattern, topic):
                handler(topic, payload)

    # Small things.

    def _full(self, topic):
        if topic[0] in "/#":
            return topic
        return "%s/%s/%s/%s" % ("" if topic.startswith("user/") else "/sys", self.product_key, self.device_name, topic)

    def _feed(self):
        if self._dog:
            self._dog.feed()

    def _time(self):
        tick = ticks_ms()
        self._now += ticks_diff(tick, self._tick)
        self._tick = tick
        return self._now

    def _state(self, name, fields):
        log.state(name, fields)
        for watcher in self._watchers:
            watcher(name, fields)


def _below(n):
    return int.from_bytes(os.urandom(4), "little") % n
