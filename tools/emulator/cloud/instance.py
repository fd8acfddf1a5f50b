"""One platform instance: the effects of logins, registrations, messages and the console."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud import alink, creation, login, topics
from tools.emulator.cloud import journal as log
from tools.emulator.cloud.faults import Faults
from tools.emulator.cloud.gateway.gateways import Gateways
from tools.emulator.cloud.id2 import login as id2_login
from tools.emulator.cloud.id2.service import Service
from tools.emulator.cloud.identifier import whole_number
from tools.emulator.cloud.journal import Journal
from tools.emulator.cloud.ota.service import Ota
from tools.emulator.cloud.registry import Registry
from tools.emulator.cloud.requests import Requests
from tools.emulator.cloud.server_messages import ServerMessages
from tools.emulator.cloud.services.services import Services
from tools.emulator.cloud.sessions import Sessions
from tools.emulator.cloud.thing.desired import Desired
from tools.emulator.cloud.thing.downlinks import Downlinks
from tools.emulator.cloud.thing.lifecycle import Lifecycle
from tools.emulator.cloud.thing.packs import Packs
from tools.emulator.cloud.thing.things import Things
from tools.emulator.cloud.x509.certificates import Certificates

if TYPE_CHECKING:
    from tools.emulator.cloud.codec import Connect, Publish
    from tools.emulator.cloud.id2.identities import Identity
    from tools.emulator.cloud.link import Link
    from tools.emulator.cloud.login import Verdict
    from tools.emulator.cloud.mqtt import MqttPeer
    from tools.emulator.cloud.registry import Device
    from tools.emulator.cloud.sessions import Session

# ids go up to 4294967295 (application.md 1) and are others after a restart: a thousand for each second
IDS = 4_000_000


class Account:
    """What one device has used: connections, handshakes, bytes each way on the wire, TLS included."""

    def __init__(self):
        self.connections = self.handshakes = self.bytes_in = self.bytes_out = 0
        self.links = set()

    def begin(self, link: Link) -> None:
        self.connections += 1
        self.handshakes += link.tls is not None
        self.links.add(link)

    def end(self, link: Link) -> None:
        self.links.discard(link)
        self.bytes_in += link.bytes_in
        self.bytes_out += link.bytes_out

    def show(self) -> dict[str, Any]:
        return {
            "connections": self.connections,
            "tls_handshakes": self.handshakes,
            "bytes_in": self.bytes_in + sum(link.bytes_in for link in self.links),
            "bytes_out": self.bytes_out + sum(link.bytes_out for link in self.links),
        }


class Clock:
    """The cloud's wall clock in Unix seconds, which the admin may put `ahead` of the true one."""

    def __init__(self, wall):
        self.true, self.ahead = wall, 0

    def __call__(self):
        return self.true() + self.ahead


class Instance:
    """`config` and `store` make it; `wall` and `monotonic` are its clocks."""

    def __init__(self, config, store, wall=time.time, monotonic=time.monotonic):
        config = creation.with_created(config, store)
        self.config, self.store, self.wall, self.monotonic = config, store, Clock(wall), monotonic
        self.journal = Journal(self.wall)
        self.faults = Faults(self.journal)
        self.registry = Registry(config, store)
        self.sessions = Sessions(store, config, self.wall, monotonic)
        self.accounts, self.attempts = {}, {}
        self.rrpc = {}
        self.numbers = itertools.count(int(self.wall()) % IDS * 1000 + 1)
        self.server_messages = ServerMessages(store, self.wall)
        self.requests = Requests(self)
        self.lifecycle = Lifecycle(self)
        self.things = Things(self)
        self.packs, self.desired, self.downlinks = Packs(self), Desired(self), Downlinks(self)
        self.services, self.gateways, self.ota = Services(self), Gateways(self), Ota(self)
        self.id2 = Service(config, store, self.registry, self.wall, monotonic)
        self.certificates = Certificates(self)

    def account(self, product_key: str | None, device_name: str | None) -> Account:
        """The `Account` of a device; only devices that exist, or may come to be, have one that is kept."""
        product = self.registry.products.get(product_key)
        may_come = product is not None and (product.preregistration_free or product.auth == "id2")
        if product is None or not (may_come or device_name in product.devices):
            return Account()
        return self.accounts.setdefault((product_key, device_name), Account())

    # ---- logins and registrations

    def decide(self, connect: Connect, link: Link) -> Verdict:
        """The `login.Verdict` on a CONNECT, rate of connects included."""
        if link.listener.transport == "itls":
            return self.paced(id2_login.decide(connect, link.tls.identity, self))
        return self.paced(
            login.decide(
                connect, link.listener.transport, link.server_name, self.registry, self.config, self.wall()
            )
        )

    def paced(self, verdict: Verdict) -> Verdict:
        """`verdict`, or a refusal for a device that connects too often."""
        policy = self.config.switches.connect_rate
        if (
            policy != "off"
            and verdict.product_key
            and self.too_often((verdict.product_key, verdict.device_name))
        ):
            return login.Verdict(
                None if policy == "close" else policy,
                "more connects in a minute than allowed",
                "",
                verdict.product_key,
                verdict.device_name,
            )
        return verdict

    def too_often(self, key: tuple[str, str]) -> bool:
        now, tries = self.monotonic(), self.attempts.setdefault(key, deque())
        while tries and tries[0] <= now - 60:
            tries.popleft()
        tries.append(now)
        return len(tries) > self.config.limits.connects_per_minute

    def register(self, verdict: Verdict) -> tuple[tuple[str, ...], dict[str, str]]:
        """Carries out an accepted registration; returns (topics of the push, its fields in order)."""
        product = self.registry.products[verdict.product_key]
        names = {"productKey": verdict.product_key, "deviceName": verdict.device_name}
        if verdict.kind == "register":
            issued = {"deviceSecret": self.registry.issue(product.devices[verdict.device_name])}
            to: tuple[str, ...] = ("/ext/register",)
        else:
            _, unit = self.registry.issue_unit(product, verdict.device_name, self.wall())
            issued = {"clientId": unit.client_id, "deviceToken": unit.token}
            choice = self.config.switches.regnwl_topic
            to = ("/ext/regnwl", "/ext/register") if choice == "both" else (choice,)
        first = self.config.switches.push_order == "secret_first"
        return to, (issued | names if first else names | issued)

    def go_online(self, peer: MqttPeer, verdict: Verdict, clean: bool) -> tuple[Session, bool]:
        """Activates, throws an older connection off, opens the session; returns (session, present)."""
        if verdict.kind == "id2":
            id2_login.bind(peer.link.tls.identity, verdict, self)
        device = self.registry.find(verdict.product_key, verdict.device_name)
        unit = device.units[verdict.client_id] if verdict.kind == "unit" else None
        if unit is None:
            self.registry.activate(device, self.wall())
        else:
            self.registry.activate_unit(device, unit, self.wall())
        key = (verdict.product_key, verdict.device_name, unit.client_id if unit else "")
        older = self.sessions.get(key).peer
        if older is not None:
            older.kick("the same device has connected again", self.config.switches.second_connect)
        session, present = self.sessions.open(key, clean, peer)
        extra = verdict.extra or {}
        session.system = extra.get("_ss") == "1"
        session.extension = whole_number(extra.get("ext", "")) or 0
        peer.note(
            "online",
            code=200,
            way=verdict.kind,
            keep_alive=verdict.keep_alive,
            clean=clean,
            sdk=extra.get("_v"),
        )
        self.lifecycle.online(session)
        return session, present

    def go_offline(self, session: Session) -> None:
        session.peer.note(
            "offline", bytes_in=session.peer.link.bytes_in, bytes_out=session.peer.link.bytes_out
        )
        self.gateways.lost(session)
        self.sessions.close(session)

    # ---- messages

    def uplink(self, peer: MqttPeer, packet: Publish) -> None:
        """A device has published. Foreign topics go no further than the log (direct.md 9)."""
        session, topic, payload, qos = peer.session, packet.topic, packet.payload, packet.qos
        own = topics.in_scope(topic, topics.PUBLISHES, *peer.names)
        subdevice = None if own else self.gateways.speaks_for(peer, topic)
        own = own or subdevice is not None
        if not own or not topics.fits(topic, self.config.limits):
            peer.note(
                "foreign topic" if not own else "topic too long",
                topic=topic,
                code=log.NOT_ALLOWED,
                action="publish",
            )
            if self.config.switches.foreign_publish == "close" and not own:
                peer.over("foreign topic", log.NOT_ALLOWED)
            return
        if subdevice is not None:
            session = self.gateways.uplink(peer, subdevice, packet)
            if session is None:
                return
        product_key, device_name = subdevice or peer.names
        self.journal.message("up", product_key, device_name, topic, payload, qos=qos)
        if self.answered_rrpc(topic, payload):
            return
        if subdevice is None and self.gateways.take(peer, packet):
            return
        if topic.startswith(f"/{product_key}/{device_name}/") and self.config.switches.custom_echo:
            self.send_down(product_key, device_name, topic, payload, qos, echo=True)
        self.requests.take(session, (product_key, device_name), topic, payload)

    def reply(self, session: Session, topic: str, payload: bytes) -> None:
        """Sends one reply; by a switch it needs no subscription (direct.md 7)."""
        always = not self.config.switches.replies_need_subscription
        outcome = self.sessions.deliver(session, topic, payload, 0, always, "reply")
        self.journal.message("down", *session.key[:2], topic, payload, qos=0, outcome=outcome)

    def send_down(
        self, product_key: str, device_name: str, topic: str, payload: bytes, qos: int, echo: bool = False
    ) -> dict[str, int]:
        """A message towards a device, to each of its units; returns how often sent, kept and dropped.

        An `echo` of the device's own message is noted only where it is taken.
        """
        outcomes = {"sent": 0, "kept": 0, "dropped": 0}
        for session in self.sessions.of(product_key, device_name):
            outcome = self.sessions.deliver(session, topic, payload, qos)
            outcomes[outcome] += 1
            if not echo or outcome != "dropped":
                self.journal.message(
                    "down", product_key, device_name, topic, payload, qos=qos, outcome=outcome
                )
        return outcomes

    def broadcast(self, product_key: str, topic: str, payload: bytes, qos: int) -> dict[str, int]:
        """A message to every device of a product that has subscribed (direct.md 7)."""
        total = {"sent": 0, "kept": 0, "dropped": 0}
        for key in [key for key in self.sessions.by_device if key[0] == product_key]:
            for outcome, count in self.send_down(key[0], key[1], topic, payload, qos).items():
                total[outcome] += count
        return total

    def request(
        self,
        device: Device,
        tail: str,
        method: str,
        params: object,
        qos: int = 0,
        more: dict[str, Any] | None = None,
    ) -> tuple[str, dict[str, int]]:
        """The platform asks a device something on /sys/{pk}/{dn}/`tail`; returns (id, outcomes)."""
        request_id = str(next(self.numbers))
        topic = f"/sys/{device.product_key}/{device.device_name}/{tail}"
        payload = alink.envelope(request_id, method, params, **more or {})
        return request_id, self.send_down(device.product_key, device.device_name, topic, payload, qos)

    def demand_bootstrap(self, device: Device, command: int) -> tuple[str, dict[str, int]]:
        """Asks a device to bootstrap anew (`command` 0, direct.md 6.2); returns (id, outcomes)."""
        inside = self.config.switches.bootstrap_notice == "params"
        return self.request(
            device,
            "thing/bootstrap/notify",
            "thing.bootstrap.notify",
            {"cmd": command} if inside else {},
            more={} if inside else {"cmd": command},
        )

    async def call(
        self, device: Device, payload: bytes, topic: str | None = None, seconds: float | None = None
    ) -> bytes | None:
        """An RRPC, on a custom topic if one is named; the answer's bytes, or None (offline, or too late).

        `seconds` is how long it waits, if not `rrpc_seconds`.
        """
        message_id = str(10**18 + next(self.numbers))
        if topic is None:
            base = f"/sys/{device.product_key}/{device.device_name}/rrpc"
            asked, answered = f"{base}/request/{message_id}", f"{base}/response/{message_id}"
        else:
            asked = answered = f"/ext/rrpc/{message_id}{topic}"
        future = self.rrpc[answered] = asyncio.get_running_loop().create_future()
        try:
            if not self.send_down(device.product_key, device.device_name, asked, payload, 0)["sent"]:
                return None
            limit = self.config.timing.rrpc_seconds if seconds is None else seconds
            return await asyncio.wait_for(future, limit)
        except TimeoutError:
            return None
        finally:
            del self.rrpc[answered]

    def answered_rrpc(self, topic: str, payload: bytes) -> bool:
        future = self.rrpc.get(topic)
        if future is not None and not future.done():
            future.set_result(payload)
        return future is not None

    # ---- the console

    def kick(self, device: Device, reason: str, client_id: str | None = None, how: str = "close") -> None:
        """Closes the connections of a device, or of one unit of it."""
        for session in self.sessions.of(device.product_key, device.device_name):
            if session.peer and client_id in (None, session.key[2]):
                session.peer.kick(reason, how)

    def is_subdevice(self, device: Device) -> bool:
        return self.registry.node(device.product_key) == "subdevice"

    def disable(self, device: Device) -> None:
        if self.is_subdevice(device):
            self.gateways.disable(device)
            return
        self.request(device, "thing/disable", "thing.disable", {})
        self.registry.set_disabled(device, True)
        self.kick(device, "disabled")

    def enable(self, device: Device) -> None:
        if self.is_subdevice(device):
            self.gateways.enable(device)
            return
        self.registry.set_disabled(device, False)
        self.request(device, "thing/enable", "thing.enable", {})

    def delete(self, device: Device) -> None:
        if self.is_subdevice(device):
            self.gateways.delete(device)
            return
        self.request(device, "thing/delete", "thing.delete", {})
        self.registry.delete(device)
        self.certificates.deleted(device.key)
        self.kick(device, "deleted")
        self.gateways.release(device.key)
        self.forget(device)

    def set_identity_state(self, identity: Identity, state: str) -> None:
        """The ID2 console's doing; one that is not active any more loses its connection."""
        self.id2.identities.set_state(identity, state)
        if state == "active":
            return
        for peer in {session.peer for session in self.sessions.live()}:
            if getattr(peer.link.tls, "identity", None) is identity:
                peer.kick(f"its identity is {state}")

    def forget(self, device: Device) -> None:
        """Remove everything that is kept of a device that was deleted."""
        if self.registry.find(*device.key) is device:
            self.registry.delete(device)
        self.sessions.forget(device.product_key, device.device_name)
        self.services.forget(device)
        self.store.forget_states(*device.key)
        self.ota.campaigns.forget(device.key)
        self.id2.identities.release(*device.key)

    def keep_unit(self, device: Device, client_id: str) -> None:
        self.registry.keep_unit(device, client_id)
        for session in self.sessions.of(device.product_key, device.device_name):
            if session.peer and session.key[2] != client_id:
                session.peer.kick("another ClientID is the valid one")

    def clear_units(self, device: Device) -> None:
        cleared = set(device.units)
        self.registry.clear_units(device)
        for session in self.sessions.of(device.product_key, device.device_name):
            if session.key[2] in cleared:
                if session.peer:
                    session.peer.kick("its ClientID was cleared")
                self.sessions.wipe(session)

    def status(self, device: Device) -> str:
        """What the console shows: inactive, online, offline or disabled (direct.md 1.8)."""
        if device.disabled:
            return "disabled"
        if any(session.peer for session in self.sessions.of(device.product_key, device.device_name)):
            return "online"
        return "inactive" if device.activated_at is None else "offline"


def text_payload(value: object) -> bytes:
    """Bytes of what an admin call names as payload: text as it is, anything else as compact JSON."""
    return value.encode() if isinstance(value, str) else json.dumps(value, separators=(",", ":")).encode()
