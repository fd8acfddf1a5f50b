"""The platform's side of gateways: their requests, and the effects of these (gateway.md 14)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

from tools.emulator.cloud import topics
from tools.emulator.cloud.alink import parse, reply, wants_reply
from tools.emulator.cloud.codes import Refused, message
from tools.emulator.cloud.gateway import discovery, presence, registration, topology
from tools.emulator.cloud.gateway.notices import Notices
from tools.emulator.cloud.gateway.operation import Asking
from tools.emulator.cloud.gateway.topology import CREATED, DISABLED, ENABLED, REMOVED, Topology

if TYPE_CHECKING:
    from tools.emulator.cloud.codec import Publish
    from tools.emulator.cloud.mqtt import MqttPeer
    from tools.emulator.cloud.registry import Device
    from tools.emulator.cloud.sessions import Session

# levels after the gateway's own names -> (stage for faults, what carries it out)
REQUESTS = {
    "thing/sub/register": ("sub_register", registration.register),
    "thing/sub/unregister": ("sub_unregister", registration.unregister),
    "thing/proxy/provisioning/product_register": ("proxy_register", registration.product_register),
    "thing/topo/add": ("topo_add", topology.add),
    "thing/topo/delete": ("topo_delete", topology.delete),
    "thing/topo/get": ("topo_get", topology.get),
    "thing/list/found": ("list_found", discovery.list_found),
    "thing/event/property/pack/post": ("pack_post", discovery.pack_post),
    "combine/login": ("sub_login", presence.login),
    "combine/batch_login": ("sub_batch_login", presence.batch_login),
    "combine/logout": ("sub_logout", presence.logout),
    "combine/batch_logout": ("sub_batch_logout", presence.batch_logout),
}
FAMILIES = ("thing/sub/", "thing/proxy/", "thing/topo/", "thing/list/", "thing/gateway/")
# answers to notices that end a session, so they come when it is over
LATE_ANSWERS = ("/thing/disable_reply", "/thing/delete_reply")


class Gateways:
    """All gateways of `instance`, their topology and the sessions that they carry."""

    def __init__(self, instance):
        self.instance, self.registry, self.sessions = instance, instance.registry, instance.sessions
        self.switches, self.limits = instance.config.switches, instance.config.limits
        self.topology = Topology(self.registry)
        self.notices = Notices(instance)
        self.rates = presence.Rates(self.limits, lambda: instance.monotonic())
        self.found = {}

    # ---- requests of a gateway

    def take(self, peer: MqttPeer, packet: Publish) -> bool:
        """Serves a request on a gateway's own topic; returns whether it was one."""
        if self.registry.node(peer.names[0]) != "gateway":
            return False
        tail = own_tail(packet.topic, peer.names)
        if tail in REQUESTS:
            stage, operation = REQUESTS[tail]
            if not (packet.qos and tail.startswith("combine/") and self.switches.login_qos1 == "drop"):
                self.serve(peer, packet, tail, stage, operation)
            return True
        known = tail.startswith(FAMILIES) and not tail.endswith("_reply")
        if known and self.switches.unknown_request == 6203:
            self.reply(
                peer.session,
                packet.topic,
                parse(packet.payload) or {},
                tail,
                code=6203,
                data={},
                text=message(6203),
            )
        return known

    def serve(
        self,
        peer: MqttPeer,
        packet: Publish,
        tail: str,
        stage: str,
        operation: Callable[[Asking, Any], object],
    ) -> None:
        fault = peer.link.take(stage, *peer.names)
        if fault and fault.unprocessed:
            peer.link.arm(fault)
            return
        request, session = parse(packet.payload), peer.session
        asking = Asking(self, session, stage)
        data: Any
        if fault and fault.kind == "refuse":
            code, data, text = fault["code"], {}, fault["message"] or message(fault["code"])
        else:
            code, data, text = self.carry_out(asking, request, tail, operation)
        peer.note("gateway request", stage=stage, code=code)
        if code is not None and (not fault or fault.kind == "refuse" or peer.link.arm(fault)):
            self.reply(session, packet.topic, request or {}, tail, code=code, data=data, text=text)
        for action in asking.after:
            action()

    def carry_out(
        self,
        asking: Asking,
        request: dict[str, Any] | None,
        tail: str,
        operation: Callable[[Asking, Any], object],
    ) -> tuple[int | None, Any, str]:
        """(code, data, message) of the reply; a code of None asks for none."""
        try:
            if request is None:
                raise Refused(460)
            if self.switches.alink_method == "required" and tail.startswith("thing/"):
                if not request.get("method"):
                    raise Refused(6450)
            return 200, operation(asking, request.get("params")), "success"
        except Refused as refusal:
            return refusal.code, {} if refusal.data is None else refusal.data, str(refusal)

    def reply(
        self,
        session: Session | None,
        topic: str,
        request: dict[str, Any],
        tail: str,
        *,
        code: int,
        data: object,
        text: str,
    ) -> None:
        if session is None or not wants_reply(request):
            return
        payload = reply(request, code, data, text, tail.replace("/", "."))
        self.instance.reply(session, topic + "_reply", payload)

    # ---- traffic of sub-devices

    def speaks_for(
        self, peer: MqttPeer, topic: str, rules: Iterable[str] = topics.PUBLISHES
    ) -> tuple[str, str] | None:
        """The (ProductKey, DeviceName) of the sub-device that a gateway uses `topic` for, or None."""
        if self.registry.node(peer.names[0]) != "gateway":
            return None
        key = topics.device_of(topic)
        if key is None or self.registry.node(key[0]) != "subdevice":
            return None
        return key if topics.in_scope(topic, rules, *key) else None

    def session_of(self, peer: MqttPeer, key: tuple[str, str]) -> Session | None:
        """The session of sub-device `key` that this gateway carries, or None."""
        return peer.session and peer.session.carried.get((*key, ""))

    def uplink(self, peer: MqttPeer, key: tuple[str, str], packet: Publish) -> Session | None:
        """The session a message of sub-device `key` belongs to; None, and 520, without (gateway.md 11)."""
        session = self.session_of(peer, key)
        if packet.qos and self.switches.subdevice_qos1 == "drop":
            peer.note("dropped", topic=packet.topic, reason="QoS 1 of a sub-device")
            return None
        if session is None and not packet.topic.endswith(LATE_ANSWERS):
            peer.note("no session", topic=packet.topic, code=520)
            self.notices.error(peer.names, 520, key)
        return session

    # ---- sessions

    def go_online(self, asking: Asking, entries: Iterable[tuple[Device, bool, dict[str, str]]]) -> None:
        """Opens sessions for (device, clean, extension of the clientId) entries."""
        gateway, opened = asking.session, []
        with self.sessions.store.transaction():
            for device, clean, extra in entries:
                older = self.sessions.get((*device.key, ""))
                if older.peer and older.gateway is gateway:
                    self.end(older, "logged in again")
                elif older.peer:
                    self.force_offline(older, self.switches.taken_over, "logged in elsewhere")
                if self.switches.login_activates:
                    self.registry.activate(device, self.instance.wall())
                opened.append(self.open(gateway, device, clean, extra))
        asking.later(lambda: self.resume(opened, gateway))

    def resume(self, sessions: Iterable[Session], gateway: Session) -> None:
        """Sends what has waited for the sub-devices that `gateway` carries."""
        for session in sessions:
            if session.gateway is gateway:
                self.sessions.resume(session)

    def open(self, gateway: Session, device: Device, clean: bool, extra: dict[str, str]) -> Session:
        session, _ = self.sessions.open((*device.key, ""), clean, None)
        session.peer = Carried(self, session, gateway)
        self.sessions.take_up(session, gateway)
        own = extra.get("_ss") == "1"
        session.system = {"own": own, "gateway": gateway.system, "either": own or gateway.system}[
            self.switches.system_topics
        ]
        session.extension = gateway.extension
        session.peer.note("online", code=200, way="subdevice", clean=clean, sdk=extra.get("_v"))
        self.instance.lifecycle.online(session)
        return session

    def end(self, session: Session, reason: str) -> None:
        """End a sub-device's session without a notice."""
        session.peer.note("offline", reason=reason)
        self.sessions.close(session)

    def force_offline(self, session: Session, code: int, reason: str) -> None:
        """Ends a sub-device's session and tells its gateway why (gateway.md 9)."""
        gateway = cast("Session", session.gateway).key[:2]
        session.peer.note("kicked", reason=reason, code=code)
        self.sessions.close(session)
        self.notices.error(gateway, code, session.key[:2])

    def lost(self, session: Session) -> None:
        """End the sessions of all sub-devices that the gateway `session` carried, since its connection is gone."""
        with self.sessions.store.transaction():
            for one in list(session.carried.values()):
                self.end(one, "the gateway is offline")

    def online(self, device: Device) -> Session | None:
        """The session of a sub-device that is online, or None."""
        session = self.sessions.get((*device.key, ""))
        return session if session.peer else None

    # ---- topology

    def attach(self, gateway: tuple[str, str], devices: list[Device], own: bool = False) -> None:
        """Attaches `devices` to `gateway`, taking them from others; `own` if the gateway asked itself."""
        moved: dict[tuple[str, str], list[Device]] = {}
        for device in devices:
            if device.gateway not in (None, gateway):
                moved.setdefault(device.gateway, []).append(device)
        fresh = [device for device in devices if device.gateway != gateway]
        self.topology.attach(gateway, fresh)
        self.instance.lifecycle.topology("add", gateway, fresh)
        for former, gone in moved.items():
            self.notices.change(former, REMOVED, gone)
            self.instance.lifecycle.topology("delete", former, gone)
            if self.switches.moved_session == "ends":
                self.report_detached(gone, former)
        if not own or self.switches.own_changes:
            self.notices.change(gateway, CREATED, fresh)

    def report_detached(self, devices: list[Device], gateway: tuple[str, str]) -> None:
        """Ends the sessions that `devices` still have at `gateway`, with 6401 (gateway.md 6)."""
        for device in devices:
            session = self.online(device)
            if session and cast("Session", session.gateway).key[:2] == gateway:
                self.force_offline(session, 6401, "detached")

    def detach(self, devices: list[Device], own: bool = False) -> None:
        """Takes `devices`, all of one gateway, out of the topology; their sessions are not touched."""
        gateway = devices[0].gateway
        self.topology.detach(devices)
        self.instance.lifecycle.topology("delete", gateway, devices)
        if not own or self.switches.own_changes:
            self.notices.change(gateway, REMOVED, devices)

    def remove(self, device: Device) -> None:
        """Remove a sub-device from the cloud without a notice."""
        session = self.online(device)
        if session:
            self.end(session, "removed")
        self.topology.forget(device)
        self.instance.forget(device)

    def release(self, gateway: tuple[str, str]) -> None:
        """Detach all sub-devices of a gateway that was deleted."""
        self.topology.detach(self.topology.of(gateway))
        self.found.pop(gateway, None)

    # ---- the console

    def disable(self, device: Device) -> None:
        self.registry.set_disabled(device, True)
        self.part(device, "thing/disable", 522, DISABLED)

    def enable(self, device: Device) -> None:
        """Enable a sub-device; it is offline, so the notice goes to its gateway (gateway.md 10)."""
        self.registry.set_disabled(device, False)
        if device.gateway:
            self.notices.change(device.gateway, ENABLED, [device])

    def delete(self, device: Device) -> None:
        self.part(device, "thing/delete", 521, REMOVED)
        self.topology.forget(device)
        self.instance.forget(device)

    def part(self, device: Device, tail: str, code: int, status: int) -> None:
        """Tells sub-device and gateway in the order of the switch, and ends the session (gateway.md 10)."""
        session, gateway = self.online(device), device.gateway
        carrier = session and cast("Session", session.gateway).key[:2]
        steps = {
            "notice": lambda: self.instance.request(device, tail, tail.replace("/", "."), {}),
            "error": lambda: session and self.notices.error(carrier, code, device.key),
            "change": lambda: gateway and self.notices.change(gateway, status, [device]),
        }
        for name in self.switches.notice_order:
            steps[name]()
        if session:
            session.peer.note("kicked", code=code)
            self.sessions.close(session)


def own_tail(topic: str, names: tuple[str, str]) -> str:
    """What follows the gateway's own names in a /sys or /ext/session topic, or ""."""
    for prefix in ("/sys/{}/{}/", "/ext/session/{}/{}/"):
        start = prefix.format(*names)
        if topic.startswith(start):
            tail = topic[len(start) :]
            return tail if tail.startswith("combine/") == start.startswith("/ext/") else ""
    return ""


class Carried:
    """The connection of a sub-device, where a direct device has an MQTT one: its gateway's (gateway.md 1, 11)."""

    def __init__(self, platform, session, gateway):
        self.platform, self.session, self.gateway = platform, session, gateway

    @property
    def link(self):
        return self.gateway.peer.link

    def send(self, packet, stage):
        self.gateway.peer.send(packet, stage)

    def note(self, event, **fields):
        """Logs about the sub-device."""
        pk, dn, _ = self.session.key
        self.platform.instance.journal.event(
            event,
            where=self.link.listener.where,
            pk=pk,
            dn=dn,
            gateway="/".join(self.gateway.key[:2]),
            **fields,
        )

    def kick(self, reason, how="close"):
        """The sub-device is thrown off; its gateway stays and is told (gateway.md 9)."""
        self.platform.force_offline(self.session, self.platform.switches.taken_over, reason)
