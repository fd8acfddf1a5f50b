"""The platform's regions, host names and ports, and which port of an emulated cloud stands for each; direct.md 5.1."""

import fnmatch
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.errors import UserError

REGIONS = (
    "cn-shanghai",
    "cn-beijing",
    "cn-shenzhen",
    "ap-southeast-1",
    "ap-northeast-1",
    "us-west-1",
    "us-east-1",
    "eu-central-1",
)

TIME_SERVERS = (
    "ntp.aliyun.com",
    *(f"ntp{number}.aliyun.com" for number in range(1, 8)),
    "pool.ntp.org",
    "*.pool.ntp.org",
    "time.pool.aliyun.com",
    "time.google.com",
    "time.cloudflare.com",
)
_MQTT = {1883: "mqtt_tls", 443: "mqtt_tls", 8883: "mqtt_tls"}
# name (`*` is one label) -> {port of the platform: port's name in ready.json}; the first that fits counts
PLATFORM = {
    "x509.itls.cn-shanghai.aliyuncs.com": {1883: "x509"},
    "*.itls.cn-shanghai.aliyuncs.com": {1883: "itls"},
    "*.mqtt.iothub.aliyuncs.com": _MQTT,
    **{f"*.iot-as-mqtt.{region}.aliyuncs.com": _MQTT for region in REGIONS},
    **{f"iot-as-mqtt.{region}.aliyuncs.com": _MQTT for region in REGIONS},
    **{f"*.itls.{region}.aliyuncs.com": {1883: "itls"} for region in REGIONS[1:]},
    **{f"iot-auth.{region}.aliyuncs.com": {443: "https"} for region in REGIONS},
    "iot-auth-global.aliyuncs.com": {443: "https"},
    **{f"iotx-ota.oss-{region}.aliyuncs.com": {443: "https"} for region in REGIONS},
    **{name: {123: "ntp"} for name in TIME_SERVERS},
}


def text(
    cloud: Path | str | None = None, hosts: Mapping[str, Mapping[int, tuple[str, int]]] | None = None
) -> str:
    """The lines that the board's `socket` reads: address, name, then port=host:port for each route.

    `cloud` is a cloud's run directory, `hosts` {name: {port: (host, port)}} what
    else there is. The addresses are of a range that is never routed.
    """
    routes = dict(hosts or {})
    if cloud is not None:
        ports = _ports(Path(cloud))
        for name, known in PLATFORM.items():
            routes.setdefault(
                name,
                {
                    port: ("127.0.0.1", found)
                    for port, service in known.items()
                    if (found := ports.get(service))
                },
            )
    return "".join(_line(number, name, known) for number, (name, known) in enumerate(routes.items()))


def table(cloud: Path | str) -> Callable[[str, int], tuple[str, int] | None]:
    """A function of (host, port): the emulated cloud's (address, port), or None where nothing listens."""
    ports = _ports(Path(cloud))

    def find(host, port):
        found = ports.get(services(host).get(port))
        return ("127.0.0.1", found) if found else None

    return find


def services(host: str) -> dict[int, str]:
    """{port of the platform: port's name in ready.json} of a host name; empty where it is not the platform's."""
    for name, known in PLATFORM.items():
        if fnmatch.fnmatchcase(host, name) and host.count(".") == name.count("."):
            return known
    return {}


def _line(number, name, known):
    pairs = " ".join(f"{port}={host}:{at}" for port, (host, at) in known.items())
    return f"198.18.{number // 250}.{number % 250 + 1} {name} {pairs}\n"


def _ports(folder):
    try:
        return json.loads((folder / "ready.json").read_text())["ports"]
    except (OSError, ValueError, KeyError):
        raise UserError(
            f"no emulated cloud runs in '{folder}' (no ready.json): start one with "
            f"'python -m tools cloud --run-dir {folder}'"
        ) from None
