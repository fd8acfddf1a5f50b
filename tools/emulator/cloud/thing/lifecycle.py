"""Messages to the business server about devices themselves: presence, lifecycle, topology (application.md 15)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.registry import Device
    from tools.emulator.cloud.sessions import Session

CHINA = timezone(timedelta(hours=8))


class Lifecycle:
    """Watches the registry and the sessions of `instance`, and reports what becomes of its devices."""

    def __init__(self, instance: Instance):
        self.instance, self.messages = instance, instance.server_messages
        self.seen: dict[
            tuple[str, str], float
        ] = {}  # when a device came online last in this run, Unix seconds
        instance.registry.on_change = self.changed
        instance.sessions.on_close = self.offline

    def now(self) -> int:
        """Unix ms."""
        return int(self.instance.wall() * 1000)

    # ---- presence

    def online(self, session: Session) -> None:
        """A session has its connection."""
        self.seen[session.key[:2]] = self.instance.wall()
        self.presence(session, "online", address_of(session))

    def offline(self, session: Session, peer: Any) -> None:
        """A session has lost `peer`, its connection; one that another unit of the device has is not told."""
        if peer is not None and not any(one.peer for one in self.instance.sessions.of(*session.key[:2])):
            self.presence(session, "offline", address_of(session, peer))

    def presence(self, session: Session, status: str, address: str) -> None:
        moment = datetime.fromtimestamp(self.instance.wall(), CHINA)
        local = moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03}"
        utc = moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        body = {
            "status": status,
            "productKey": session.key[0],
            "deviceName": session.key[1],
            "time": local,
            "utcTime": utc,
            "lastTime": local,
            "utcLastTime": utc,
            "clientIp": address,
        }
        self.messages.send("/as/mqtt/status/{}/{}".format(*session.key[:2]), body)

    # ---- the registry

    def changed(self, action: str, device: Device) -> None:
        """A device was created, deleted, enabled or disabled."""
        body = {"action": action, "messageCreateTime": self.now()}
        secret = {"deviceSecret": device.secret} if action == "create" else {}
        self.messages.add(device, "thing/lifecycle", body | secret)

    # ---- gateways

    def topology(self, action: str, gateway: tuple[str, str] | None, devices: Iterable[Device]) -> None:
        """Sub-devices were attached to ("add") or taken from ("delete") a gateway."""
        of = gateway and self.instance.registry.find(*gateway)
        listed = [
            {"iotId": one.iot_id, "productKey": one.product_key, "deviceName": one.device_name}
            for one in devices
        ]
        if of and listed:
            self.of_gateway(of, "thing/topo/lifecycle", {"action": action, "devices": listed})

    def found(self, gateway: tuple[str, str], pairs: list[dict[str, str]]) -> None:
        """A gateway has found sub-devices."""
        of = self.instance.registry.find(*gateway)
        if of:
            self.of_gateway(of, "thing/list/found", {"devices": pairs})

    def of_gateway(self, gateway: Device, tail: str, body: dict[str, Any]) -> None:
        names = {
            "gwIotId": gateway.iot_id,
            "gwProductKey": gateway.product_key,
            "gwDeviceName": gateway.device_name,
            "messageCreateTime": self.now(),
        }
        self.messages.send(f"/{gateway.product_key}/{gateway.device_name}/{tail}", names | body)


def address_of(session: Session, peer: Any = None) -> str:
    """The address that a device, or its gateway, comes from; "" where there is none."""
    transport = getattr((peer or session.peer).link, "transport", None)
    name = transport.get_extra_info("peername") if transport else None
    return name[0] if name else ""
