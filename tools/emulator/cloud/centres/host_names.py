"""Host names of the centres: which region one belongs to, and where a device is sent (direct.md 5.1, 6)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.emulator.cloud.config import Config

AUTH = re.compile(r"iot-auth\.([a-z0-9\-]+)\.aliyuncs\.com")
MQTT = re.compile(r"(?:[a-z0-9]+\.)?iot-as-mqtt\.([a-z0-9\-]+)\.aliyuncs\.com")
GLOBAL_AUTH_HOST = "iot-auth-global.aliyuncs.com"
GLOBAL = "global"


def auth_centre(host: str) -> str | None:
    """The region whose HTTPS authentication `host` is, `GLOBAL`, or None."""
    host = host.lower()
    found = AUTH.fullmatch(host)
    return found[1] if found else GLOBAL if host == GLOBAL_AUTH_HOST else None


def mqtt_centre(host: str | None) -> str | None:
    """The region whose MQTT endpoint `host` is, or None for a name that has no region."""
    found = MQTT.fullmatch((host or "").lower())
    return found and found[1]


def auth_host(region: str) -> str:
    return f"iot-auth.{region}.aliyuncs.com"


def mqtt_host(region: str, product_key: str | None = None) -> str:
    """The MQTT endpoint of a region, or that of a product there."""
    host = f"iot-as-mqtt.{region}.aliyuncs.com"
    return f"{product_key}.{host}" if product_key else host


def mqtt_hosts(config: Config, product_key: str) -> set[str]:
    """All names by which devices of a product may reach MQTT here."""
    if config.kind == "enterprise":
        own = {f"{config.instance_id}.mqtt.iothub.aliyuncs.com"}
    else:
        own = {mqtt_host(region, product_key) for region in config.centres}
    return own | {mqtt_host(region) for region in config.centres}


def served(regions: Iterable[str]) -> set[str]:
    """The names that a server certificate must cover to stand for `regions`."""
    return {
        GLOBAL_AUTH_HOST,
        *map(auth_host, regions),
        *map(mqtt_host, regions),
        *(mqtt_host(region, "*") for region in regions),
    }
