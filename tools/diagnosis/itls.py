"""Checks for an ID²: as far as the iTLS endpoint's port, since an authentication costs; id2.md 1.6, 6."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from tools.diagnosis import probes
from tools.diagnosis.checks import Finding, along, dns, tcp
from tools.image.identity.id2 import Id2

PORT = 1883
OF_TLS = (443, 8883)  # a board takes PORT for these
BURNED = "not tried from here: each authentication is one of the ten that an ID has a day"
ASKED_FOR = "not tried from here: it would take one of the product's identities"
BOARD = "'doctor --port' has the board itself do it, at that price: one of ten a day"


def walk(
    network: probes.Network, who: Id2, extra: Sequence[Path | str], args: argparse.Namespace
) -> list[Finding]:
    host = who.host or f"{who.product_key}.itls.cn-shanghai.aliyuncs.com"
    port = PORT if who.port in (None, *OF_TLS) else who.port
    found = along(("DNS", lambda: place(network, host, port)), ("TCP", lambda: tcp(network, host, port)))
    if found[-1].ok:
        found.append(Finding("iTLS", None, BURNED if who.id2 else ASKED_FOR, BOARD))
    return found


def place(network: probes.Network, host: str, port: int) -> str:
    if ".iot-as-mqtt." in host or ".mqtt.iothub." in host:
        raise probes.Refusal(f"{host} speaks TLS, not iTLS", "burn the host that the console shows for ID²")
    return dns(network, host, port)
