"""Device: what an application calls. It wires store, session, transport and MQTT together."""

import gc
import os
import sys
from time import sleep_ms, ticks_diff, ticks_ms

import machine
from aliot import __version__, clock, log, roots
from aliot.credentials import burned, text
from aliot.endpoint import endpoint
from aliot.errors import (NOW, AliotError, CertificateError, Closed, ConnectRefused, LinkError, Offline,
                          ProtocolError, RegistrationError, Reset, StoreError, SubscribeRefused, TimedOut)
from aliot.login import login
from aliot.mqtt import Client
from aliot.record import SIGN_METHOD, WAY
from aliot.session import Session
from aliot.store import Store
from aliot.transport import Deadline, connect
from aliot.wifi import Wired
from binascii import hexlify
from micropython import const

_JOIN = const(30000)  # ms between two requests to join the network
_NAP = const(100)  # ms, while there is nothing to do but wait


class Device:
    """One device on the platform.

    config    dict, usually from config.json: region, instance, host, port, register_host override the
              burned endpoint; `ntp` is a list of SNTP servers
    network   up() and join(), like aliot.wifi.Wifi; without it the network is somebody else's business
    keepalive 30 to 1200 s; clean: a clean MQTT session
    timeout   ms that bound each of: connect (TLS and CONNACK included), subscribe, a QoS 1 publish
    watchdog  ms of a hardware watchdog that poll() feeds, 0 for none; no call outlasts it, DNS apart

    Topics: one that begins with / is complete; `user/...` is completed to /{pk}/{dn}/user/..., any other to
    /sys/{pk}/{dn}/... (direct.md 7). Handlers get the short form back.
    """

    def __init__(self, config=None, network=None, store=None, keepalive=300, clean=True, timeout=15000, watchdog=0,
                 session=None):
        if not 30 <= keepalive <= 1200:
            raise ValueError("keepalive is 30 to 1200 s, 300 advised")
        if watchdog and watchdog < 8000:
            raise ValueError("a watchdog below 8000 ms leaves no time to connect")
        self._config = config or {}
        self._network = network or Wired()
        self._store = store or Store()
        self._keepalive = keepalive
        self._clean = clean
        self._timeout = min(timeout, watchdog // 2) if watchdog else timeout
        self._watchdog = watchdog
        self._dog = None
        self._session = session or Session(_below, keepalive * 1000, min(15000, timeout))
        self._client = None
        self._credential = None
        self._handlers = []
        self._subscriptions = {}
        self._watchers = []
        self._clock = None  # the server that set the clock
        self._up = None  # whether the network was up; None before the first look
        self._asked = 0  # when the network was asked to join
        self._now = 0  # ms since start, without an end
        self._tick = ticks_ms()
        self._dropped = 0

    # What an application calls.

    @property
    def connected(self):
        return self._client is not None

    @property
    def product_key(self):
        return self._credential.product_key

    @property
    def device_name(self):
        return self._credential.device_name

    def on(self, topic, handler):
        """handler(topic, payload bytes) for every message whose topic matches; + and # as in MQTT."""
        self._handlers.append((topic, handler))

    def watch(self, watcher):
        """watcher(state, fields) at each change of state."""
        self._watchers.append(watcher)

    def start(self):
        """Read the identity from flash and say so; no network yet. CredentialError when nothing is burned."""
        if self._watchdog:
            self._dog = machine.WDT(timeout=self._watchdog)
        mac = machine.unique_id()
        shown = {"mac": hexlify(mac).decode(), "version": __version__}
        try:
            self._generation, fields = self._store.burned()
            shown["generation"] = self._generation
            shown["way"] = text(fields, WAY)
            self._credential = burned(fields, mac)
            self._sign_method = text(fields, SIGN_METHOD, "hmacsha256")
            self._endpoint = endpoint(self.product_key, fields, self._config)
            shown.update(self._store.health)
            if self._credential.REGISTER:
                self._credential = self._store.issued(self._generation, self._credential) or self._credential
                shown["issued"] = not self._credential.REGISTER
            shown["product_key"] = self.product_key
            shown["device_name"] = self.device_name
        finally:
            shown["roots"] = roots.fingerprints()
            self._state("boot", **shown)

    def poll(self, ms=0):
        """Serve the connection for `ms`; returns whether the device is connected.

        poll(0) never blocks while connected. While it is not, one poll makes at most one step (clock,
        registration or connect), which `timeout` bounds.
        """
        deadline = Deadline(ms)
        while True:
            if self._dog:
                self._dog.feed()
            left = deadline.left()
            if self._client:
                self._serve(left)
            else:
                self._advance(left)
            if not deadline.left():
                return self.connected

    def publish(self, topic, payload, qos=0):
        """Send text or bytes; QoS 1 returns when the platform has acknowledged it. Offline, or another AliotError."""
        self._call(lambda client: client.publish(self._full(topic), payload, False, qos))

    def subscribe(self, topic, handler=None, qos=0):
        """Subscribe now if connected, and at every connect to come. SubscribeRefused when it is not granted."""
        if handler:
            self.on(topic, handler)
        self._subscriptions[self._full(topic) if self._credential else topic] = qos
        if self._client:
            self._call(lambda client: client.subscribe(self._full(topic), qos))

    def stop(self):
        """Disconnect in good order."""
        client, self._client = self._client, None
        if client:
            try:
                client.disconnect()
            except AliotError:
                client.close()
            self._state("offline", code="stopped")

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
            self._set_clock()
        self._session.attempt(now)
        try:
            if self._credential.REGISTER:
                self._register()
            else:
                self._connect()
        except AliotError as problem:
            self._failed(problem)

    def _joined(self, now):
        up = self._network.up()
        if up:
            if not self._up:
                if self._up is False and self._asked != now:
                    self._session.returned(now)
                self._state("wifi", up=True, network=self._network.name)
        elif self._up is not False or now - self._asked >= _JOIN:
            self._asked = now
            self._state("wifi", up=False, network=self._network.name)
            self._network.join()
        self._up = up
        return up

    def _set_clock(self):
        self._clock = clock.synchronize(self._config.get("ntp", clock.SERVERS))
        self._state("clock", time=clock.now(), server=self._clock)
        if self._dog:
            self._dog.feed()

    def _register(self):
        self._state("registering", method=self._credential.method)
        try:
            module = __import__("aliot.registration." + self._credential.REGISTER, None, None, ("register",))
            made = module.register(self._credential, self._endpoint, self._sign_method, self._timeout)
        finally:
            module = None
            _forget("aliot.registration")
        self._credential = self._store.save(self._generation, self._credential, made)
        self._state("stored", **self._store.health)

    def _connect(self):
        to = self._endpoint
        fields = login(self._credential, to, clock.stamp() if self._clock else None, self._sign_method)
        self._state("connecting", host=to.host, port=to.port)
        credential = self._credential if self._credential.TRANSPORT != "tls" else None
        stream = connect(self._credential.TRANSPORT, to.host, to.port, to.roots, self._timeout, credential)
        client = Client(stream, fields.client_id, fields.username, fields.password, self._keepalive, self._timeout)
        client.set_callback(self._message)
        try:
            present = client.connect(self._clean, stream.deadline.left() or 1)
            self._client = client
            self._subscribe_all(client)
        except BaseException:
            self._client = None
            client.close()
            raise
        self._session.connected(self._time())
        self._state("connected", host=to.host, present=bool(present))

    def _subscribe_all(self, client):
        topics = sorted(self._subscriptions)
        for at in range(0, len(topics), 8):
            pairs = [(self._full(topic), self._subscriptions[topic]) for topic in topics[at : at + 8]]
            for pair, code in zip(pairs, client.subscribe_all(pairs)):
                if code == 0x80:
                    log.error("error", SubscribeRefused(pair[0]))

    def _failed(self, problem):
        if problem.code == "certificate.expired" and not self._clock:
            problem = CertificateError(problem.detail, "certificate.clock")
        now = self._time()
        self._session.failed(now, problem.retry)
        name = "offline"
        if isinstance(problem, (ConnectRefused, RegistrationError)):
            name = "refused"
        elif isinstance(problem, StoreError):
            name = "error"
        self._tell(name, problem, now)

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
                self._up = None
                raise LinkError("the network is down", "wifi")
            client.poll(min(ms, 1000))
            if client.dropped != self._dropped:
                self._dropped = client.dropped
                self._state("error", code="dropped", count=self._dropped)
        except (LinkError, ProtocolError) as problem:
            self._lost(client, problem)

    def _lost(self, client, problem):
        client.close()
        if self._client is not client:
            return
        self._client = None
        now = self._time()
        self._session.lost(now, isinstance(problem, (Closed, Reset)) and self._network.up())
        if self._session.twin:
            problem = LinkError("thrown off again soon after connecting", "twin")
        self._tell("offline", problem, now)
        gc.collect()

    def _call(self, action):
        client = self._client
        if not client:
            raise Offline()
        try:
            action(client)
        except (LinkError, ProtocolError) as problem:
            self._lost(client, problem)
            raise

    def _message(self, topic, payload):
        try:
            topic = topic.decode()
        except UnicodeError:
            return
        short = self._short(topic)
        for pattern, handler in self._handlers:
            if matches(self._full(pattern), topic):
                handler(short, payload)

    # Small things.

    def _full(self, topic):
        if topic[0] in "/#":
            return topic
        own = "/%s/%s/" % (self.product_key, self.device_name)
        return own + topic if topic.startswith("user/") else "/sys" + own + topic

    def _short(self, topic):
        own = "/%s/%s/" % (self.product_key, self.device_name)
        for prefix in (own, "/sys" + own):
            if topic.startswith(prefix):
                return topic[len(prefix) :]
        return topic

    def _time(self):
        tick = ticks_ms()
        self._now += ticks_diff(tick, self._tick)
        self._tick = tick
        return self._now

    def _tell(self, name, problem, now):
        self._state(name, code=problem.code, detail=problem.detail, retry=problem.retry, advice=problem.advice,
                    wait=self._session.wait(now) // 1000)
        _forget("aliot.advice")

    def _state(self, name, **fields):
        log.state(name, **fields)
        for watcher in self._watchers:
            watcher(name, fields)


def matches(pattern, topic):
    """Whether a topic filter (+ for one level, # for the rest) takes a topic."""
    if pattern == topic:
        return True
    pattern, topic = pattern.split("/"), topic.split("/")
    for at, level in enumerate(pattern):
        if level == "#":
            return True
        if at >= len(topic) or level not in ("+", topic[at]):
            return False
    return len(pattern) == len(topic)


def _below(n):
    return int.from_bytes(os.urandom(4), "little") % n


def _forget(package):
    """Drop a package that has done its work, with its modules, from memory."""
    for name in list(sys.modules):
        if name == package or name.startswith(package + "."):
            del sys.modules[name]
    parent = sys.modules["aliot"]
    name = package.split(".")[1]
    if hasattr(parent, name):
        delattr(parent, name)
    gc.collect()
