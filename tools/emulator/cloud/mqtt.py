"""One MQTT connection: its packets, timers and limits, and the faults that strike at its answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from tools.emulator.cloud import journal as log
from tools.emulator.cloud import login, message_faults, topics
from tools.emulator.cloud.codec import (
    Ack,
    Connack,
    Connect,
    Decoder,
    Disconnect,
    Malformed,
    Pingreq,
    Pingresp,
    Publish,
    Suback,
    Subscribe,
    TooLarge,
    Unsubscribe,
)
from tools.emulator.cloud.identifier import parse_client_identifier, parse_username
from tools.emulator.cloud.link import Handler
from tools.emulator.cloud.web import compact

if TYPE_CHECKING:
    from tools.emulator.cloud.codec import Packet
    from tools.emulator.cloud.faults import Fault
    from tools.emulator.cloud.login import Verdict
    from tools.emulator.cloud.registry import Registry
    from tools.emulator.cloud.sessions import Session

SPOILING = ("wrong_json", "wrong_device", "oversize")  # faults of what a push says
HEAD_ROOM = 4096  # bytes that a PUBLISH may have beside its payload before it is refused unread


class MqttPeer(Handler):
    """`instance` is the platform behind. States: before CONNECT, registering, online, over."""

    def __init__(self, link, instance):
        self.link, self.instance, self.loop = link, instance, link.loop
        self.config = instance.config
        allowed = self.config.limits.payload_bytes
        self.decoder = Decoder(
            HEAD_ROOM + (2 if self.config.switches.oversize_publish == "drop" else 1) * allowed
        )
        self.session = None
        self.registering = False
        self.names = (None, None)
        self.client_id = ""  # of the CONNECT, without what follows the first pipe
        self.keep_alive = 0
        self.heard = 0.0
        self.timer = None
        self.second, self.sent_in_second = 0, {}

    # ---- in

    def received(self, data: bytes) -> None:
        try:
            for packet in self.decoder.feed(data):
                self.take(packet)
                if self.link.ended or self.link.deaf:
                    return
        except TooLarge as error:
            self.over(f"too large: {error}")
        except Malformed as error:
            self.over(f"malformed: {error}")

    def take(self, packet: Any) -> None:
        kind = type(packet)
        if self.session is None and not self.registering:
            if kind is not Connect:
                return self.over("no CONNECT first")
            return self.connect(packet)
        if self.registering:
            return self.while_registering(packet)
        handler = PACKETS.get(kind)
        if handler is None:
            return self.over(f"unexpected {kind.__name__.upper()}")
        return handler(self, packet)

    def while_registering(self, packet: Any) -> None:
        """A registration connection carries nothing but its push (direct.md 3)."""
        if isinstance(packet, Pingreq):
            self.send(Pingresp(), "ping")
        elif isinstance(packet, Disconnect):
            self.link.close()
        elif not isinstance(packet, Ack):
            self.over("a registration connection takes no requests")

    def over(self, reason: str, code: int | None = None) -> None:
        """Ends the connection and says so in the log."""
        self.note("closed by the platform", reason=reason, code=code)
        self.link.close()

    def note(self, event: str, **fields: Any) -> None:
        self.instance.journal.event(
            event,
            where=self.link.listener.where,
            pk=self.names[0],
            dn=self.names[1],
            client_id=self.client_id or None,
            **fields,
        )

    # ---- CONNECT

    def connect(self, packet: Connect) -> None:
        stage, self.names = self.claim(packet)
        fault = self.link.take(stage, *self.names)
        if fault and fault.unprocessed:
            return self.link.arm(fault)
        if fault and fault.kind == "refuse":
            return self.refuse(Connack(fault["code"]), "a fault", None)
        verdict = self.decide(packet)
        self.client_id = verdict.client_id
        if verdict.product_key:
            self.names = (verdict.product_key, verdict.device_name)
            self.link.identify(self.instance.account(*self.names))
        if verdict.code is None:
            return self.over(verdict.reason)
        if verdict.code:
            return self.refuse(Connack(verdict.code), verdict.reason, fault)
        self.link.settle()
        if verdict.kind in login.REGISTRATIONS:
            return self.register(verdict, fault)
        return self.go_online(packet, verdict, fault)

    def claim(self, packet: Connect) -> tuple[str, tuple[str | None, str | None]]:
        """(stage, (pk, dn)) that faults at the answer to this CONNECT are chosen by."""
        return claimed(packet, self.instance.registry)

    def decide(self, packet: Connect) -> Verdict:
        return self.instance.decide(packet, self.link)

    def greet(self) -> None:
        """Send what comes between CONNACK and the messages that wait; a hook, here nothing."""

    def refuse(self, connack: Connack, reason: str, fault: Fault | None) -> None:
        self.note("refused", code=connack.code, reason=reason)
        if fault is None or self.link.arm(fault):
            self.link.write(connack.encode())
            self.link.close()

    def register(self, verdict: Verdict, fault: Fault | None) -> None:
        """Accepted registration: the secret is in the store before the CONNACK goes out."""
        self.registering = True
        topics_, fields = self.instance.register(verdict)
        self.note("registered", way=verdict.kind, code=200)
        self.timer = self.loop.call_later(
            self.config.timing.registration_seconds, self.over, "registration is over"
        )
        content = fault if fault and fault.kind in SPOILING else None
        if fault and not content and not self.link.arm(fault):
            return
        self.link.write(Connack().encode())
        push = self.link.take("push", *self.names)
        if push and push.kind in SPOILING:
            content = push
        elif push and not self.link.arm(push):
            return
        payload = spoiled(fields, content)
        switches = self.config.switches
        for number, topic in enumerate(topics_, 1):
            self.link.write(
                Publish(
                    topic,
                    payload,
                    switches.push_qos,
                    number if switches.push_qos else None,
                    switches.push_retain,
                ).encode()
            )

    def go_online(self, packet: Connect, verdict: Verdict, fault: Fault | None) -> None:
        self.session, present = self.instance.go_online(self, verdict, packet.clean_session)
        self.session.client_id = self.client_id
        self.keep_alive = verdict.keep_alive * self.config.timing.keep_alive_factor
        self.heard = self.loop.time()
        self.watch()
        if fault and not self.link.arm(fault):
            return
        self.link.write(Connack(0, present).encode())
        self.greet()
        self.instance.sessions.resume(self.session)

    def watch(self) -> None:
        """Drops the link after 1.5 keep-alive intervals of silence (direct.md 1.6)."""
        if self.link.deaf:
            return None
        left = self.heard + self.keep_alive - self.loop.time()
        if left <= 0:
            return self.over("keep alive ran out")
        self.timer = self.loop.call_later(
            max(left, self.config.timing.keep_alive_check_seconds, 0.001), self.watch
        )

    # ---- while online

    def publish(self, packet: Publish) -> None:
        self.heard = self.loop.time()
        switches, limits = self.config.switches, self.config.limits
        for broken, policy, reason in (
            (packet.qos == 2, switches.qos2_publish, "QoS 2"),
            (packet.retain, "close" if switches.retain == "close" else "", "retain"),
            (len(packet.payload) > limits.payload_bytes, switches.oversize_publish, "payload too large"),
        ):
            if broken and policy == "close":
                return self.over(reason)
            if broken and policy == "drop":
                return self.note("dropped", topic=packet.topic, reason=reason)
        if switches.uplink_rate != "off" and self.too_fast(packet.topic, packet.qos, limits):
            if switches.uplink_rate == "refuse":
                self.instance.requests.refuse(self.session, packet.topic, packet.payload, 429)
            return self.note("dropped", topic=packet.topic, reason="uplink rate", code=429)
        fault = self.link.take("publish", *self.names) if packet.qos else None
        if fault and fault.unprocessed:
            return self.link.arm(fault)
        if packet.qos and (fault is None or self.link.arm(fault)):
            self.link.write(Ack("puback", cast(int, packet.packet_id)).encode())
        self.instance.uplink(self, packet)

    def too_fast(self, topic: str, qos: int, limits: SimpleNamespace) -> bool:
        """Counts a message to its device, which is a sub-device if one is online here (direct.md 8)."""
        second = int(self.loop.time())
        if second != self.second:
            self.second, self.sent_in_second = second, {}
        found = topics.device_of(topic)
        device = found if found and self.instance.gateways.session_of(self, found) else self.names
        sent = self.sent_in_second.setdefault(device, [0, 0])
        sent[qos] += 1
        return sent[qos] > (limits.uplink_qos0, limits.uplink_qos1)[qos]

    def subscribe(self, packet: Subscribe) -> None:
        self.heard = self.loop.time()
        fault = self.link.take("subscribe", *self.names)
        if fault and fault.unprocessed:
            return self.link.arm(fault)
        if fault and fault.kind == "refuse":
            return self.link.write(Suback(packet.packet_id, (0x80,) * len(packet.topics)).encode())
        limit = self.config.limits.subscribe_topics
        codes = tuple(
            self.grant(topic, qos) if index < limit else 0x80
            for index, (topic, qos) in enumerate(packet.topics)
        )
        self.instance.sessions.save(self.session)
        if fault is None or self.link.arm(fault):
            self.link.write(Suback(packet.packet_id, codes).encode())

    def grant(self, topic: str, qos: int) -> int:
        """The SUBACK code for one filter (direct.md 1.5, 9)."""
        switches = self.config.switches
        if qos == 2:
            if switches.qos2_subscribe == "refuse":
                return 0x80
            qos = 1
        if not topics.fits(topic, self.config.limits):
            return 0x80
        session = self.subscriber(topic)
        if session is None:
            self.note("foreign topic", topic=topic, code=log.NOT_ALLOWED, action="subscribe")
            return 0x80 if switches.foreign_subscribe == "refuse" else qos
        if not self.instance.sessions.subscribe(session, topic):
            return 0x80
        if session is not self.session:
            self.instance.sessions.save(session)
        return qos

    def subscriber(self, topic: str) -> Session | None:
        """The session a filter belongs to: its own, that of a sub-device online here, or None."""
        if topics.in_scope(topic, topics.SUBSCRIBES, *self.names):
            return self.session
        gateways = self.instance.gateways
        key = gateways.speaks_for(self, topic, topics.SUBSCRIBES)
        return key and gateways.session_of(self, key)

    def unsubscribe(self, packet: Unsubscribe) -> None:
        for topic in packet.topics:
            session = self.subscriber(topic) or self.session
            self.instance.sessions.unsubscribe(session, topic)
        self.send(Ack("unsuback", packet.packet_id), "subscribe")

    def ping(self, packet: Pingreq) -> None:
        self.heard = self.loop.time()
        self.send(Pingresp(), "ping")

    def acknowledged(self, packet: Ack) -> None:
        self.heard = self.loop.time()
        if packet.kind == "puback":
            self.instance.sessions.acknowledge(self.session, packet.packet_id)
        else:
            self.over("QoS 2")

    def disconnect(self, packet: Disconnect) -> None:
        self.note("disconnected")
        self.link.close()

    # ---- out

    def send(self, packet: Packet, stage: str) -> None:
        """Sends one packet through the fault that strikes at `stage`."""
        topic = packet.topic if isinstance(packet, Publish) else None
        fault = self.link.take(stage, *self.names, topic)
        if fault and isinstance(packet, Publish) and fault.kind in message_faults.KINDS:
            self.spoil(packet, fault)
        elif fault is None or self.link.arm(fault):
            self.link.write(packet.encode())

    def spoil(self, packet: Publish, fault: Fault) -> None:
        """Sends what `fault` makes of a message; the kind "set" asks the device for something before it."""
        if fault.kind == "set":
            found = topics.device_of(packet.topic)
            device = found and self.instance.registry.find(*found)
            if device:
                tail = "thing/service/property/set"
                self.instance.request(device, tail, tail.replace("/", "."), fault["params"] or {})
        for seconds, payload in message_faults.deliveries(packet, fault):
            data = dataclasses.replace(packet, payload=payload).encode()
            if seconds:
                self.loop.call_later(seconds, self.link.write, data)
            else:
                self.link.write(data)

    def kick(self, reason: str, how: str = "close") -> None:
        """Throws the device off without a packet (direct.md 1.8)."""
        self.note("kicked", reason=reason, code=log.KICKED)
        self.leave()
        if how == "reset":
            self.link.reset()
        else:
            self.link.close()

    def leave(self) -> None:
        session, self.session = self.session, None
        self.registering = True  # whatever still comes is not a CONNECT
        if session is not None and session.peer is self:
            self.instance.go_offline(session)
        if self.timer:
            self.timer.cancel()

    def lost(self) -> None:
        self.leave()


PACKETS: dict[type, Callable[[MqttPeer, Any], None]] = {
    Publish: MqttPeer.publish,
    Subscribe: MqttPeer.subscribe,
    Unsubscribe: MqttPeer.unsubscribe,
    Pingreq: MqttPeer.ping,
    Ack: MqttPeer.acknowledged,
    Disconnect: MqttPeer.disconnect,
}


def claimed(packet: Connect, registry: Registry) -> tuple[str, tuple[str | None, str | None]]:
    """(stage, (pk, dn)) that a CONNECT claims, before anything is checked: what faults are chosen by."""
    stage = "connect"
    names: tuple[str | None, str | None] = (None, None)
    device = registry.tokens.find(packet.username)
    if device is not None:
        return stage, device.key
    try:
        names = parse_username(packet.username)[::-1]
        extra = parse_client_identifier(packet.client_id).extra
        if extra.get("authType") in login.REGISTRATIONS and "random" in extra:
            stage = "register"
    except ValueError:
        pass
    return stage, names


def spoiled(fields: dict[str, Any], fault: Fault | None) -> bytes:
    """The JSON of a registration's or an authentication's result, spoiled as `fault` says (None: not)."""
    if fault is None:
        return compact(fields)
    if fault.kind == "wrong_device":
        return compact(fields | {"deviceName": fault["device_name"]})
    if fault.kind == "oversize":
        return compact(fields | {"padding": "x" * fault["bytes"]})
    if fault.kind == "foreign_host":
        mqtt = {**fields["resources"].get("mqtt", {"port": 1883}), "host": fault["host"]}
        return compact(fields | {"resources": {"mqtt": mqtt}})
    text = fault["body"]
    return compact(fields)[:-20] if text is None else text.encode()
