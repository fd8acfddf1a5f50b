"""MQTT sessions: subscriptions, QoS 1 on its way, what waits for an offline device (direct.md 1.5)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, cast

from tools.emulator.cloud import topics
from tools.emulator.cloud.codec import Publish

# topics that a device gets only if it says so in the `ext` of its client identifier (direct.md 1.1)
RRPC, ERROR = 1, 2
EXTENSIONS = {"/ext/rrpc/": RRPC, "/ext/error/": ERROR}


@dataclass(slots=True)
class Waiting:
    """One QoS 1 message for `owner`; `row` is its id in the store, None when it is not kept."""

    owner: Session
    topic: str
    payload: bytes
    time: float
    row: int | None = None


@dataclass(eq=False)
class Session:
    """The state of one identity, `key` = (ProductKey, DeviceName, ClientID of the unit or "").

    `filters` maps a filter to the monotonic time at which it takes effect;
    `peer` is the live connection or None. A sub-device that is online has the
    `gateway` session whose connection carries it; that one has it in `carried`.
    """

    key: tuple[str, str, str]
    persistent: bool = False
    filters: dict[str, Any] = field(default_factory=dict)
    waiting: deque[Waiting] = field(default_factory=deque)
    flying: dict[int, Any] = field(default_factory=dict)
    next_id: int = 1
    peer: Any = None
    system: bool = False  # _ss=1
    left: set[str] = field(default_factory=set)  # filters of UNSUBSCRIBE that hold against _ss=1
    extension: int = 0  # the `ext` bits
    client_id: str = ""  # of the device's own CONNECT
    second: int = 0  # that of `used`: messages and bytes sent
    used: list[int] = field(default_factory=lambda: [0, 0])
    gateway: Session | None = None
    carried: dict[tuple[str, str, str], Session] = field(default_factory=dict)

    @property
    def line(self) -> Session:
        """The session that has the connection: this one, or that of its gateway."""
        return self.gateway or self

    def takes(
        self, topic: str, now: float, strict: int = RRPC | ERROR, subscribed: tuple[str, ...] = ()
    ) -> bool:
        """Whether the device gets `topic`: by a subscription in effect, or by itself (`_ss=1`).

        `strict` are the `ext` bits that a subscription needs as well, `subscribed` topics that only one brings.
        """
        bit = next((bit for prefix, bit in EXTENSIONS.items() if topic.startswith(prefix)), 0)
        missing = bit & ~self.extension
        if missing & strict:
            return False
        if self.system and not missing and topics.in_scope(topic, topics.SYSTEM, *self.key[:2]):
            alone = topics.in_scope(topic, subscribed, *self.key[:2])
            if not alone and not any(topics.matches(one, topic) for one in self.left):
                return True
        if self.filters.get(topic, now + 1) <= now:
            return True
        return any(start <= now and topics.matches(one, topic) for one, start in self.filters.items())

    def packet_id(self) -> int:
        while self.next_id in self.flying:
            self.next_id = self.next_id % 65535 + 1
        chosen, self.next_id = self.next_id, self.next_id % 65535 + 1
        return chosen


class Sessions:
    """All sessions, by device. Writes persistent ones through to the store."""

    def __init__(self, store, config, wall, monotonic):
        self.store, self.limits, self.timing = store, config.limits, config.timing
        self.permanent = config.switches.subscriptions == "permanent"
        self.unsubscribes = config.switches.implied_unsubscribe == "honoured"
        self.strict = RRPC | (ERROR if config.switches.error_notices == "ext" else 0)
        self.wall, self.monotonic = wall, monotonic
        self.subscribed = () if config.switches.implied_replies else topics.SUBSCRIBED
        self.paced = config.switches.downlink_rate == "drop"
        self.by_device = {}
        self.on_close = lambda session, peer: None  # what else is done when a session loses its connection
        self.on_ready = lambda session: None  # and when one has got what waited for it
        for pk, dn, unit, body in store.sessions():
            session = self.get((pk, dn, unit))
            session.persistent = not body["clean"]
            session.filters = dict.fromkeys(body["filters"], 0.0)
        for row, key, topic, payload, time in list(store.messages()):
            session = self.by_device.get(key[:2], {}).get(key[2])
            if session is not None:
                session.waiting.append(Waiting(session, topic, payload, time, row))

    def get(self, key: tuple[str, str, str]) -> Session:
        units = self.by_device.setdefault(key[:2], {})
        if key[2] not in units:
            units[key[2]] = Session(key)
        return units[key[2]]

    def of(self, product_key: str, device_name: str) -> list[Session]:
        return list(self.by_device.get((product_key, device_name), {}).values())

    def live(self) -> list[Session]:
        return [session for units in self.by_device.values() for session in units.values() if session.peer]

    def open(self, key: tuple[str, str, str], clean: bool, peer: Any) -> tuple[Session, bool]:
        """Attaches `peer`; returns (session, whether an earlier one was taken up)."""
        session = self.get(key)
        if clean:
            self.wipe(session, not self.permanent)
        present = session.persistent
        session.persistent = not clean
        session.peer = peer
        if session.persistent and not present:
            self.save(session)
        return session, present

    def wipe(self, session: Session, filters: bool = True) -> None:
        """Forgets messages, and the filters too if they go with the session."""
        if session.persistent or self.permanent:
            self.store.drop_session(session.key)
        session.persistent = False
        session.waiting.clear()
        session.flying.clear()
        if filters:
            session.filters.clear()
        self.save(session)

    def close(self, session: Session) -> None:
        """The connection is gone; a clean session goes with it."""
        if session.gateway is not None:
            self.put_down(session)
        peer, session.peer, session.system = session.peer, None, False
        session.left.clear()
        if not session.persistent:
            self.wipe(session, not self.permanent)
        self.on_close(session, peer)

    def take_up(self, session: Session, gateway: Session) -> None:
        """The sub-device's `session` is carried by the connection of `gateway`, a session, from here on."""
        session.gateway = gateway
        gateway.carried[session.key] = session

    def put_down(self, session: Session) -> None:
        """End the carrying of a sub-device's session; messages that the gateway has not acknowledged wait again."""
        gateway, session.gateway = cast(Session, session.gateway), None
        del gateway.carried[session.key]
        mine = [number for number, waiting in gateway.flying.items() if waiting.owner is session]
        session.waiting.extendleft([gateway.flying.pop(number) for number in mine][::-1])

    def resume(self, session: Session) -> None:
        """After the CONNACK: what was never acknowledged goes out again, then what waits."""
        for packet_id, waiting in session.flying.items():
            session.peer.send(Publish(waiting.topic, waiting.payload, 1, packet_id, dup=True), "deliver")
        self.flush(session)
        self.on_ready(session)

    def forget(self, product_key: str, device_name: str) -> None:
        """The device was deleted."""
        for session in self.of(product_key, device_name):
            self.wipe(session)
        self.by_device.pop((product_key, device_name), None)

    def save(self, session: Session) -> None:
        if session.persistent or self.permanent and session.filters:
            self.store.save_session(
                session.key, {"filters": list(session.filters), "clean": not session.persistent}
            )

    def subscribe(self, session: Session, topic: str) -> bool:
        """Adds one filter; False when the device has all it may have."""
        session.left.discard(topic)
        if topic not in session.filters:
            if len(session.filters) >= self.limits.subscriptions:
                return False
            session.filters[topic] = self.monotonic() + self.timing.subscribe_seconds
        return True

    def unsubscribe(self, session: Session, topic: str) -> None:
        """Takes one filter away; by a switch from what the device gets by itself, too."""
        session.filters.pop(topic, None)
        if self.unsubscribes and session.system and len(session.left) < self.limits.subscriptions:
            session.left.add(topic)
        self.save(session)

    def deliver(
        self,
        session: Session,
        topic: str,
        payload: bytes,
        qos: int,
        always: bool = False,
        stage: str = "deliver",
    ) -> str:
        """Sends, or keeps, one message for a session that takes it: "sent", "kept" or "dropped"."""
        if not always and not session.takes(topic, self.monotonic(), self.strict, self.subscribed):
            return "dropped"
        if self.paced and session.peer and self.too_fast(session.line, len(payload)):
            return "dropped"
        if session.peer and not qos:
            session.peer.send(Publish(topic, payload), stage)
            return "sent"
        if not qos or not (session.peer or session.persistent):
            return "dropped"
        now = self.wall()
        row = self.store.keep_message(session.key, topic, payload, now) if session.persistent else None
        session.waiting.append(Waiting(session, topic, payload, now, row))
        if session.peer is None:
            return "kept"
        self.flush(session)
        return "sent"

    def too_fast(self, line: Session, size: int) -> bool:
        """Counts a message to the connection of `line`; whether it is above the second's share (application.md 4)."""
        second = int(self.monotonic())
        if second != line.second:
            line.second, line.used = second, [0, 0]
        line.used = [line.used[0] + 1, line.used[1] + size]
        return line.used[0] > self.limits.downlink_messages or line.used[1] > self.limits.downlink_bytes

    def flush(self, session: Session) -> None:
        """Sends what waits, as far as unacknowledged messages leave room."""
        oldest, line = self.wall() - self.timing.offline_seconds, session.line
        while session.waiting and session.peer and len(line.flying) < self.limits.unacknowledged:
            waiting = session.waiting.popleft()
            if waiting.time < oldest:
                self.drop(waiting)
                continue
            packet_id = line.packet_id()
            line.flying[packet_id] = waiting
            session.peer.send(Publish(waiting.topic, waiting.payload, 1, packet_id), "deliver")

    def acknowledge(self, session: Session, packet_id: int) -> None:
        waiting = session.flying.pop(packet_id, None)
        if waiting is not None:
            self.drop(waiting)
            self.flush(waiting.owner)
            for other in (session, *session.carried.values()):
                if other.waiting:
                    self.flush(other)

    def drop(self, waiting: Waiting) -> None:
        if waiting.row is not None:
            self.store.drop_message(waiting.row)
