"""What the platform tells a gateway unasked: errors, changes, wishes (gateway.md 7, 9, 10)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.alink import envelope
from tools.emulator.cloud.codes import SESSION_ERROR, message
from tools.emulator.cloud.gateway.request import pair_of
from tools.emulator.cloud.web import compact

if TYPE_CHECKING:
    from tools.emulator.cloud.registry import Device


class Notices:
    """Sends to gateways, which are named by their (ProductKey, DeviceName)."""

    def __init__(self, instance):
        self.instance, self.switches = instance, instance.config.switches

    def send(self, gateway: tuple[str, str], topic: str, payload: bytes) -> dict[str, int]:
        return self.instance.send_down(*gateway, topic, payload, self.switches.notice_qos)

    def ask(self, gateway: tuple[str, str], tail: str, params: Any) -> tuple[str, dict[str, int]]:
        """A request to the gateway on its own topic; returns (id, outcomes)."""
        number = str(next(self.instance.numbers))
        payload = envelope(number, tail.replace("/", "."), params)
        return number, self.send(gateway, "/sys/{}/{}/{}".format(*gateway, tail), payload)

    def error(self, gateway: tuple[str, str], code: int, key: tuple[str, str]) -> dict[str, int]:
        """/ext/error about the sub-device `key`."""
        text = SESSION_ERROR if code == 520 else message(code)
        body = {"id": str(next(self.instance.numbers)), "code": code, "message": text}
        if self.switches.error_data:
            body["data"] = {"productKey": key[0], "deviceName": key[1]}
        self.instance.journal.event(
            "error notice", pk=gateway[0], dn=gateway[1], code=code, subdevice="/".join(key)
        )
        return self.send(gateway, "/ext/error/{}/{}".format(*gateway), compact(body))

    def change(self, gateway: tuple[str, str], status: int, devices: Iterable[Device]) -> None:
        """topo/change: `status` as in gateway.md 7."""
        if devices:
            self.ask(
                gateway,
                "thing/topo/change",
                {"status": status, "subList": [pair_of(device) for device in devices]},
            )

    def add_notify(self, gateway: tuple[str, str], pairs: list[dict[str, str]]) -> tuple[str, dict[str, int]]:
        """topo/add/notify: please attach these; `pairs` as on the wire."""
        return self.ask(gateway, "thing/topo/add/notify", pairs)

    def permit(self, gateway: tuple[str, str], params: Any) -> tuple[str, dict[str, int]]:
        """gateway/permit: sub-devices may join (C SDK v3)."""
        return self.ask(gateway, "thing/gateway/permit", params)
