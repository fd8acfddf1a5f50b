"""One request of a gateway while it is carried out: the data and the calls that the operations use."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tools.emulator.cloud.codes import Refused

if TYPE_CHECKING:
    from tools.emulator.cloud.gateway.gateways import Gateways
    from tools.emulator.cloud.gateway.request import Item
    from tools.emulator.cloud.registry import Device, Product
    from tools.emulator.cloud.sessions import Session


@dataclass(eq=False)
class Asking:
    """`platform` is the `Gateways`, `session` the gateway's; `key` is its (ProductKey, DeviceName).

    `too_often` are the sub-devices of a login that have had their logins of
    the minute; `after` is done when the reply is out.
    """

    platform: Gateways
    session: Session
    stage: str
    too_often: Collection[tuple[str, str]] = ()
    after: list[Callable[[], object]] = field(default_factory=list)

    key = property(lambda self: self.session.key[:2])
    registry = property(lambda self: self.platform.registry)
    switches = property(lambda self: self.platform.switches)
    limits = property(lambda self: self.platform.limits)

    def product(self, item: Item) -> Product | None:
        return self.registry.products.get(item.product_key)

    def find(self, item: Item) -> Device | None:
        """The sub-device that an item names, or None."""
        return self.registry.find_subdevice(*item.key)

    def later(self, action: Callable[[], object]) -> None:
        """Does `action` once the reply is out."""
        self.after.append(action)

    def note(self, text: str, item: Item) -> None:
        self.platform.instance.journal.event("hint", pk=item.product_key, dn=item.device_name, reason=text)

    def within_rate(self, count: int) -> None:
        """Raises `Refused` if `count` more logins in this second are too many (gateway.md 12)."""
        policy = self.switches.login_rate
        if policy != "off" and self.platform.rates.logins(self.key, count):
            raise Refused(429 if policy == "refuse" else None)
