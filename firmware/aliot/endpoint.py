"""Region or instance -> host, port, trusted roots; direct.md 5.1 and 5.2. Pure."""

from aliot import record
from aliot.credentials import text
from aliot.errors import CredentialError

_IOTHUB = ".mqtt.iothub.aliyuncs.com"
_PUBLIC = ("globalsign_r1", "globalsign_r6")  # ports 443 and 1883
_OWN = ("aliyun",)  # port 8883


class Endpoint:
    """Where a device connects.

    host, port: MQTT over TLS; roots: names of the built-in roots that port answers to;
    instance: its id, or "" on the legacy public instance;
    register_host, register_port, register_roots: HTTPS registration.
    """

    def __init__(self, product_key, region="", instance="", host="", port=0, register_host=""):
        region = region or "cn-shanghai"
        if host.endswith(_IOTHUB) and not instance:
            instance = host[: -len(_IOTHUB)]
        for value in (region, instance, host, register_host):
            if not all(["a" <= c <= "z" or "A" <= c <= "Z" or c in "0123456789.-" for c in value]):
                raise CredentialError("'%s' cannot be part of a host name" % value, "endpoint")
        if not isinstance(port, int) or not 0 <= port < 65536:
            raise CredentialError("port %s is not 1 to 65535" % port, "endpoint")
        self.region = region
        self.instance = instance
        if host:
            self.host = host
        elif instance:
            self.host = instance + _IOTHUB
        else:
            self.host = "%s.iot-as-mqtt.%s.aliyuncs.com" % (product_key, region)
        # 8883 is documented for instances of the new kind; for legacy hosts 443 and 1883 are. direct.md 5.1
        self.port = port or (8883 if self.host.endswith(_IOTHUB) else 443)
        self.roots = _OWN if self.port == 8883 else _PUBLIC
        self.register_host = register_host or "iot-auth.%s.aliyuncs.com" % region
        self.register_port = 443
        self.register_roots = _PUBLIC

    @property
    def register_mode(self):
        """securemode of MQTT registration: -2 where an instanceId goes with it, else 2. direct.md 3"""
        return -2 if self.instance else 2


def endpoint(product_key, fields, override=None):
    """The endpoint in a burned record's fields; `override` (a dict, from config.json) goes before it.

    Overriding any of region, instance or host drops what was burned of the other two, so that an old host
    cannot outlive a new region.
    """
    values = {
        "region": text(fields, record.REGION),
        "instance": text(fields, record.INSTANCE),
        "host": text(fields, record.HOST),
        "port": int.from_bytes(fields.get(record.PORT, b"\0\0"), "little"),
        "register_host": text(fields, record.REGISTER_HOST),
    }
    override = override or {}
    if "region" in override or "instance" in override or "host" in override:
        for name in ("instance", "host", "port"):
            values[name] = 0 if name == "port" else ""
    for name in values:
        if name in override:
            values[name] = override[name]
    return Endpoint(product_key, values["region"], values["instance"], values["host"], values["port"],
                    values["register_host"])
