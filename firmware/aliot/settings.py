"""The settings of a board: /config.json, and before what was burned its `endpoint`. Pure but for `read`.

RULES and ENDPOINT say what each may be; the tools on the host check a file by this very table. A setting that
breaks its rule is named, and the default, or what was burned, serves.
"""

from aliot import load, names, objects, record
from aliot.endpoint import Endpoint
from aliot.errors import CredentialError
from aliot.names import text

FILE = "/config.json"
LARGEST = 4096  # bytes of the file
# name: (kind, or type, or all that it may be; least; most); which characters is in `_right`
RULES = {
    "ssid": ("text", 1, 32),
    "ssid_hex": ("hex", 2, 64),  # of an access point whose name is not UTF-8
    "password": ("password", 0, 64),
    "endpoint": (dict, 0, 0),
    "ntp": ("hosts", 1, 8),
    "keepalive": ("number", 30, 1200),  # s; direct.md 1.6
    "timeout": ("number", 100, 120000),  # ms
    "watchdog": ("number or 0", 8000, 3600000),  # ms
    "clean": (bool, 0, 0),
    "push": ("number", 100, 60000),  # ms
    "every": ("number", 1, 86400),  # s; of main.py and the examples
    "spread": ("number", 0, 600000),  # ms; of gateways
}
ENDPOINT = {
    "region": ("label", 1, 30),
    "instance": ("label", 1, 63),
    "host": ("host", 1, 128),
    "register_host": ("host", 1, 128),
    "port": ("number", 1, 65535),
    "auth": (("mqtt", "https"), 0, 0),
    "bootstrap": (("none", "region", "global"), 0, 0),
}
_IOTHUB = ".mqtt.iothub.aliyuncs.com"


class Settings:
    """What /config.json (a dict) and a burned record's fields say together.

    region, instance, host, register_host ("" where nobody says), port (0), auth, bootstrap
    keepalive, timeout, watchdog, clean, ntp, push     as in RULES
    wrong       names of the settings that break their rule, those of the endpoint as `endpoint.name`
    """

    keepalive = 300
    timeout = 15000
    watchdog = 0
    clean = True
    ntp = ("ntp.aliyun.com", "ntp1.aliyun.com", "pool.ntp.org")
    push = 5000

    def __init__(self, config, fields):
        bad = self.wrong = wrong(config)
        for name in ("keepalive", "timeout", "watchdog", "clean", "ntp", "push"):
            if name in config and name not in bad:
                setattr(self, name, config[name])
        if self.watchdog:
            self.timeout = min(self.timeout, self.watchdog // 2)
        self._burned(fields)
        override = config.get("endpoint")
        if override and "endpoint" not in bad:
            self._override({name: override[name] for name in override if "endpoint." + name not in bad})

    def _burned(self, fields):
        for name, tag in (
            ("region", record.REGION),
            ("instance", record.INSTANCE),
            ("host", record.HOST),
            ("register_host", record.REGISTER_HOST),
        ):
            setattr(self, name, text(fields, tag))
        self.port = int.from_bytes(fields.get(record.PORT, b""), "little")
        self.auth = text(fields, record.AUTH) or "mqtt"
        self.bootstrap = text(fields, record.BOOTSTRAP) or "none"

    def _override(self, override):
        """Any of region, instance and host drops what was burned of instance, host and port: an old host must not
        outlive a new region."""
        if "region" in override or "instance" in override or "host" in override:
            self.instance = self.host = ""
            self.port = 0
        for name in override:
            setattr(self, name, override[name])

    def endpoint(self, credential):
        """The Endpoint of a credential; CredentialError when they do not go together.

        direct.md 5.1: port 8883 is documented for instances of the new kind, 443 and 1883 for legacy hosts.
        """
        credential.locate(self)
        region = self.region or "cn-shanghai"
        host, instance = self.host, self.instance
        if host.endswith(_IOTHUB):
            instance = host[: -len(_IOTHUB)]
        elif instance and not host:
            host = instance + _IOTHUB
        host = names.check_host(host or "%s.iot-as-mqtt.%s.aliyuncs.com" % (credential.product_key, region))
        port = self.port or (8883 if host.endswith(_IOTHUB) else 443)
        register_host = names.check_host(self.register_host or "iot-auth.%s.aliyuncs.com" % region)
        if self.auth == "mqtt" and self.bootstrap == "none":
            return Endpoint(host, port, instance, register_host)
        return load("bootstrap.settings").endpoint(self, credential, host, port, instance, register_host)


def read(path=FILE):
    """(dict, what is wrong) of a board's settings file; ({}, None) when there is none."""
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as problem:
        return {}, None if problem.args[0] == 2 else "cannot be read"
    if len(data) > LARGEST:
        return {}, "has more than %d bytes" % LARGEST
    try:
        return objects.parse(data), None
    except ValueError as problem:
        return {}, str(problem)


def wrong(config):
    """Names of the settings that break their rule; the endpoint's, and what is none of it, as `endpoint.name`."""
    found = [name for name in RULES if name in config and not _right(config[name], *RULES[name])]
    override = config.get("endpoint")
    if isinstance(override, dict):
        for name in override:
            if name not in ENDPOINT or not _right(override[name], *ENDPOINT[name]):
                found.append("endpoint." + name)
    return found


def ssid(config):
    """The access point's name, as text or bytes; "" when none is set."""
    return bytes.fromhex(config["ssid_hex"]) if "ssid_hex" in config else joined(config.get("ssid", ""))


def joined(text):
    """`text` with the halves of a character above U+FFFF as one: MicroPython's json leaves what was escaped as two."""
    return load("rules").joined(text) if _halves(text) else text


def _halves(text):
    return [c for c in text if "\ud800" <= c < "\ue000"]


def _right(value, kind, least, most):
    if isinstance(kind, type):
        return isinstance(value, kind)
    if isinstance(kind, tuple):
        return value in kind
    if kind == "hosts":
        return (
            isinstance(value, list)
            and least <= len(value) <= most
            and all([_right(v, "host", 1, 128) for v in value])
        )
    if kind[:6] == "number":
        return type(value) is int and (least <= value <= most or kind != "number" and not value)
    if not isinstance(value, str):
        return False
    value = joined(value)
    size = len(value)
    try:
        if kind == "hex" or kind == "password" and size == 64:
            if len(bytes.fromhex(value)) * 2 != size:  # it may pass over blanks
                return False
        elif kind == "password":
            least = 8 if value else 0
            most = 63
        elif kind != "text":
            names.check("", value, least, most, "-" if kind == "label" else "-.")
            return value == value.lower()
    except (ValueError, CredentialError):
        return False
    return not _halves(value) and least <= len(value.encode()) <= most
