"""A check's finding, and the checks of the route to the platform that every board shares."""

import argparse
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.diagnosis import probes
from tools.image.identity import Identity
from tools.image.identity.id2 import Id2

SERVERS = ("ntp.aliyun.com", "ntp1.aliyun.com", "pool.ntp.org")
TOLERANCE = 300  # seconds that a clock may be wrong
SOON = 30  # days before a certificate's end that are worth a word
ITLS_PORT = 1883
TLS_PORTS = (443, 8883)  # a board takes ITLS_PORT for these
BURNED = "not tried from here: each authentication is one of the ten that an ID has a day"
ASKED_FOR = "not tried from here: it would take one of the product's identities"
BOARD = "'doctor --port' has the board itself do it, at that price: one of ten a day"


@dataclass(frozen=True)
class Finding:
    """What one check found: `ok` is True (green), False (red) or None (not checked)."""

    check: str
    ok: bool | None
    found: str
    advice: str = ""


def look(check: str, action: Callable[[], str]) -> Finding:
    """The finding of one check: green with what `action` returns, red when it raises a Refusal."""
    try:
        return Finding(check, True, action())
    except probes.Refusal as refusal:
        return Finding(check, False, str(refusal), refusal.advice)


def along(*checks: tuple[str, Callable[[], str]]) -> list[Finding]:
    """The findings of (check, action) in order; what comes after one that is red is left out."""
    found = []
    for check, action in checks:
        found.append(look(check, action))
        if not found[-1].ok:
            break
    return found


def availability(who: Identity) -> Finding:
    line = who.warning()
    if line:
        return Finding(
            "availability", False, line, "choose a region, an edition or a kind of identity that fit"
        )
    return Finding(
        "availability",
        True,
        f"{who.kind}{f', {who.method}' if who.method else ''}: documented for this region",
    )


def clock(network: probes.Network) -> str:
    server, ahead = probes.drift(network, SERVERS)
    if abs(ahead) > TOLERANCE:
        raise probes.Refusal(
            f"this machine's clock is {ahead} s ahead of {server}", "set it: TLS checks dates"
        )
    return f"within {abs(ahead)} s of {server}"


def dns(network: probes.Network, host: str, port: int) -> str:
    return f"{host} is {network.resolve(host, port)[0]}"


def tcp(network: probes.Network, host: str, port: int) -> str:
    network.dial(host, port).close()
    return f"{host}:{port} accepts"


def tls(
    network: probes.Network,
    host: str,
    port: int,
    trusted: Mapping[str, str],
    present: Callable[[ssl.SSLContext], object] | None = None,
) -> str:
    """`present` gives the TLS context a client certificate, as in probes.secure."""
    stream, root, days = probes.secure(network, host, port, trusted, present)
    stream.close()
    soon = f"; it ends in {days} days" if days < SOON else ""
    return f"chain, name and dates of {host} verified by {root}{soon}"


def walk_id2(
    network: probes.Network, who: Id2, extra: Sequence[Path | str], args: argparse.Namespace
) -> list[Finding]:
    """Checks for an ID², as far as the iTLS endpoint's port, since an authentication costs; id2.md 1.6, 6."""
    host = who.host or f"{who.product_key}.itls.cn-shanghai.aliyuncs.com"
    port = ITLS_PORT if who.port in (None, *TLS_PORTS) else who.port
    found = along(("DNS", lambda: id2_host(network, host, port)), ("TCP", lambda: tcp(network, host, port)))
    if found[-1].ok:
        found.append(Finding("iTLS", None, BURNED if who.id2 else ASKED_FOR, BOARD))
    return found


def id2_host(network: probes.Network, host: str, port: int) -> str:
    if ".iot-as-mqtt." in host or ".mqtt.iothub." in host:
        raise probes.Refusal(f"{host} speaks TLS, not iTLS", "burn the host that the console shows for ID²")
    return dns(network, host, port)
