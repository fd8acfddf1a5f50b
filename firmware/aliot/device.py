"""Device: what an application calls. It wires identity, session, transport and MQTT together."""

import os
from time import sleep_ms

from aliot import clock, drop, feed, load, log, unload
from aliot.errors import AliotError, LinkError, ProtocolError, TimedOut
from aliot.login import login
from aliot.mqtt import Client
from aliot.session import Session
from aliot.ticks import Deadline, uptime
from micropython import const

_JOIN = const(30000)  # ms between two requests to join the network
_NAP = const(100)  # ms, while the network is away
_PONG = const(15000)  # ms that the answer to a ping may take


class Device:
    """One device on the platform.

    config    dict of settings (aliot.settings), by default what /config.json has. `endpoint` in it goes before the
              burned one; `timeout` ms bound each of: registration, connect (TLS and CONNACK included), subscribe, a
              QoS 1 publish; poll() feeds the `watchdog`, and no call outlasts it, DNS apart
    network   Wifi (aliot.wifi), Wired (aliot.wired), or what has their name, up(), join() and problem(); by default the
              Wi-Fi that config names
    store     aliot.store.Store with media of one's own, for tests

    Topics: one that begins with / is complete; `user/...` is completed to /{pk}/{dn}/user/..., any other to
    /sys/{pk}/{dn}/... (direct.md 7).

    An application uses the methods of the first part, `connected`, and after start() product_key, device_name and
    config. The other attributes are for the parts of aliot.
    """

    client = None  # the connection
    credential = None
    up = None  # whether the network was up; None before the first look
    asked = 0  # when the network was asked to join
    extra = ""  # what CONNECT says beside its settings
    starved = 0  # handlers in a row that ran out of memory

    def __init__(self, config=None, network=None, store=None):
        self.config = config
        self.network = network
        self.store = store
        self.handlers = []
        self.topics = {}  # subscribed: topic -> QoS
        self.watchers = []

    # What an application calls.

    @property
    def connected(self):
        return self.client is not None

    def on(self, topic, handler):
        """handler(whole topic, payload bytes) for every message whose topic matches; + and # as in MQTT.

        What it raises becomes a line of state; the message is acknowledged and the device goes on.
        """
        self.handlers.append((topic, handler))

    def watch(self, handler):
        """handler(state, fields) at each change of state."""
        self.watchers.append(handler)

    def start(self):
        """Read settings and identity from flash and say so; no network yet. CredentialError when nothing is burned."""
        try:
            found = (self.store or load("store").Store()).found()
            unload("store", "record")  # the parts of a start do not lie in memory together
            load("start").start(self, found)
        finally:
            drop("start", "identities", "settings", "rules", "names", "objects")
        self.session = Session(_random, self.keepalive * 1000, min(_PONG, self.timeout))

    def poll(self, ms=0):
        """Serve the connection for `ms`; returns whether the device is connected.

        poll(0) never blocks while connected. While it is not, one poll makes at most one step (clock and
        registration, or clock and connect), which `timeout` bounds.
        """
        deadline = Deadline(ms)
        while True:
            feed()
            left = deadline.left()
            if self.client:
                self.serve(left)
            else:
                self._advance(left)
            if not deadline.left():
                return self.connected

    def publish(self, topic, payload, qos=0):
        """Send text or bytes; QoS 1 returns when the platform has acknowledged it.

        LinkError with the code `offline` while there is no connection; any other LinkError ends the
        connection, and the next polls make a new one. ValueError or TypeError for what cannot be sent.
        """
        self.call(Client.publish, self.full_topic(topic), payload, False, qos)

    def subscribe(self, topic, handler=None, qos=0):
        """Subscribe now if connected, and at every connect to come. SubscribeRefused when it is not granted."""
        if handler:
            self.on(topic, handler)
        self.topics[topic] = qos
        if self.client:
            self.call(Client.subscribe, self.full_topic(topic), qos)

    def stop(self):
        """Disconnect in good order; a later poll() connects again."""
        client = self.client
        self.client = None
        if client:
            client.disconnect()

    # Offline: network, clock, registration, connect; one step at a time.

    def _advance(self, ms):
        now = uptime()
        up = self.network.up()
        if up != self.up or not up and now - self.asked >= _JOIN:
            fields = {"up": up, "network": self.network.name}
            refused = None
            if not up:
                self.asked = now
                refused = self.network.join()
            if refused or not up and self.up is not None or up and self.session.attempts:
                load("retry").network_changed(self, up, fields)
            self.state("wifi", fields)
            self.up = up
        wait = self.session.wait(now) if up else _NAP
        if wait:
            sleep_ms(min(ms, wait, 1000))
            return
        if clock.due():
            done = load("sntp").synchronize(self.ntp)
            unload("sntp")
            if done or not self.session.attempts:
                self.state("clock", {"time": clock.utc(), "server": clock.server})
            feed()
        self.session.attempt(now)
        try:
            if self.credential.method:
                self._register()
            else:
                self._connect()
        except AliotError as problem:
            load("retry").failed(self, problem)

    def _register(self):
        method = self.credential.method
        self.state("registering", {"method": method})
        try:
            self.credential = load(
                "registration.https" if method == "https" else "registration.mqtt"
            ).complete(self)
        finally:
            unload(
                "registration",
                "registration.https",
                "registration.mqtt",
                "identities",
                "store",
                "names",
                "objects",
                "record",
            )

    def _connect(self):
        to = self.endpoint
        if not to.prepare(self):
            return  # a question was asked first
        where = {"host": to.host, "port": to.port}
        fields = login(
            self.credential, to, clock.utc() * 1000 if clock.server else None, self.sign_method, self.extra
        )
        self.state("connecting", where)
        stream = self.credential.open(to.host, to.port, to.roots, self.timeout)
        client = Client(stream, fields, self.keepalive, self.timeout)
        client.set_callback(self._message)
        try:
            where["present"] = self.credential.join(self, client)
            self.client = client
            for topic in sorted(self.topics):
                feed()
                self._subscribe(client, topic)
        except BaseException:
            self.client = None
            client.close()
            raise
        self.session.connected(uptime())
        self.state("connected", where)

    def _subscribe(self, client, topic):
        """Subscribe again what the application subscribed; a refusal is said and is no reason to stay offline."""
        try:
            client.subscribe(self.full_topic(topic), self.topics[topic])
        except AliotError as problem:
            if problem.code != "suback":
                raise
            self.state("error", {"code": "suback", "detail": topic})

    # Online.

    def serve(self, ms):
        """Handle one packet of the connection, waiting at most `ms` for it; ping when it is time."""
        client = self.client
        uptime()
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
            self.lost(client, problem)

    def call(self, action, *arguments):
        """action(client, *arguments) on the open connection; what breaks it is said, and raised."""
        client = self.client
        if not client:
            raise LinkError("not connected", "offline")
        feed()
        try:
            action(client, *arguments)
        except (LinkError, ProtocolError) as problem:
            self.lost(client, problem)
            raise

    def lost(self, client, problem):
        """The connection of `client` is dead."""
        client.close()
        if self.client is client:
            self.client = None
            load("retry").lost(self, problem)

    def _message(self, topic, payload):
        """Give a message to each handler whose topic matches."""
        try:
            topic = topic.decode()
            for pattern, handler in self.handlers:
                pattern = self.full_topic(pattern)
                if (
                    pattern == topic
                    or ("+" in pattern or "#" in pattern)
                    and load("topics").matches(pattern, topic)
                ):
                    handler(topic, payload)
            self.starved = 0
        except Exception as problem:
            load("crash").handler_failed(self, problem, topic)

    # For the parts of aliot.

    def full_topic(self, topic):
        """A topic, completed; ValueError for none."""
        if not isinstance(topic, str) or not topic:
            raise ValueError("a topic is text, and not empty")
        if topic[0] in "/#":
            return topic
        return "%s/%s/%s/%s" % (
            "" if topic.startswith("user/") else "/sys",
            self.product_key,
            self.device_name,
            topic,
        )

    def state(self, state, fields):
        """Print a state and tell the watchers; what one of them raises is a line of state too."""
        log.report(state, fields)
        for handler in self.watchers:
            try:
                handler(state, fields)
            except (LinkError, ProtocolError):
                pass  # of a publish: it was said where it happened
            except Exception as problem:
                log.report(
                    "error", {"code": "handler", "detail": "%s: %s" % (type(problem).__name__, problem)}
                )


def _random(n):
    return int.from_bytes(os.urandom(4), "little") % n
