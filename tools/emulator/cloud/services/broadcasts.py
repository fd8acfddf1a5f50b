"""Messages to many devices, and what an application publishes or asks itself (application.md 7, 13)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tools.emulator.cloud.codes import Refused

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.registry import Product
    from tools.emulator.cloud.sessions import Session

TOPIC = re.compile(r"/broadcast/([^/+#\0]+)/([^+#\0]+)")
TOO_OFTEN = 429


class Broadcasts:
    """The broadcasts of `instance`; each is limited in how often it may be sent."""

    def __init__(self, instance: Instance):
        self.instance, self.switches = instance, instance.config.switches
        self.timing, self.limits = instance.config.timing, instance.config.limits
        self.last: dict[str, float] = {}

    def pace(self, name: str, seconds: float) -> None:
        """Raises `Refused` when the last one under `name` was less than `seconds` ago."""
        now = self.instance.monotonic()
        longest = max(self.timing.broadcast_seconds, self.timing.broadcast_topic_seconds)
        self.last = {key: time for key, time in self.last.items() if time > now - longest}
        if name in self.last and now < self.last[name] + seconds:
            raise Refused(TOO_OFTEN, text=f"a broadcast goes out every {seconds:g} s at most")
        self.last[name] = now

    def check_size(self, payload: bytes) -> None:
        if len(payload) > self.limits.broadcast_bytes:
            raise Refused(460, text=f"a broadcast has at most {self.limits.broadcast_bytes} bytes")

    def to_product(self, product: Product, payload: bytes) -> tuple[str, int]:
        """To each device of a product that is on line, without a subscription; (message id, how many)."""
        self.check_size(payload)
        self.pace(product.product_key, self.timing.broadcast_seconds)
        number, sent = str(10**18 + next(self.instance.numbers)), 0
        for session in self.instance.sessions.live():
            pk, dn, _ = session.key
            if pk == product.product_key:
                topic = f"/sys/{pk}/{dn}/broadcast/request/{number}"
                sent += self.deliver(session, topic, payload, True)
        return number, sent

    def to_topic(self, topic: str, payload: bytes) -> tuple[str, int]:
        """To the devices that have subscribed /broadcast/{pk}/{name}; (message id, how many)."""
        self.check_size(payload)
        self.pace(topic, self.timing.broadcast_topic_seconds)
        sent = 0
        for session in self.instance.sessions.live():
            if session.key[0] == topic.split("/")[2] and sent < self.limits.broadcast_devices:
                sent += self.deliver(session, topic, payload, False)
        return str(10**18 + next(self.instance.numbers)), sent

    def deliver(self, session: Session, topic: str, payload: bytes, always: bool) -> bool:
        """Sends to one session; whether it took it."""
        qos = self.switches.broadcast_qos
        outcome = self.instance.sessions.deliver(session, topic, payload, qos, always)
        if outcome != "dropped":
            self.instance.journal.message("down", *session.key[:2], topic, payload, qos=qos, outcome=outcome)
        return outcome != "dropped"
