"""Region or instance -> host, port, trusted roots; direct.md 5.1 and 5.2. Pure."""

from aliot import record
from aliot.credentials import sound, text
from aliot.errors import AliotError, CredentialError

_IOTHUB = ".mqtt.iothub.aliyuncs.com"
_PUBLIC = ("globalsign_r1", "globalsign_r6")  # what ports 443 and 1883 chain to; 8883 has the platform's own


class Endpoint:
    """Where a device connects.

    host, port, roots     MQTT over TLS, and the names of the built-in roots that this port answers to
    instance              its id, "" on the legacy public instance
    register_host, register_port, register_roots     HTTPS registration
    register_mode         securemode of MQTT registration: -2 where an instanceId goes with it, else 2; direct.md 3
    """

    register_port = 443
    register_roots = _PUBLIC

    def __init__(self, product_key, region="", instance="", host="", port=0, register_host=""):
        try:
            for value in (region, instance, host, register_host):
                sound("a part of the host name", value, 0, 100, ".-")
            valid = 0 <= port < 65536
        except (AliotError, TypeError):
            valid = False
        if not valid:
            raise CredentialError("region, instance, host or port cannot be one", "endpoint")
        region = region or "cn-shanghai"
        if host.endswith(_IOTHUB):
            instance = host[: -len(_IOTHUB)]
        self.instance = instance
        self.register_mode = -2 if instance else 2
        self.host = host or (instance + _IOTHUB if instance else
                             "%s.iot-as-mqtt.%s.aliyuncs.com" % (product_key, region))
        # 8883 is documented for instances of the new kind; for legacy hosts 443 and 1883 are. direct.md 5.1
        self.port = port or (8883 if self.host.endswith(_IOTHUB) else 443)
        self.roots = ("aliyun",) if self.port == 8883 else _PUBLIC
        self.register_host = register_host or "iot-auth.%s.aliyuncs.com" % region


def endpoint(product_key, fields, override):
    """The endpoint in a burned record's fields; `override` (a dict, from config.json) goes before it.

    Overriding any of region, instance or host drops what was burned of instance, host and port, so that an
    old host cannot outlive a new region.
    """
    values = []
    moved = "region" in override or "instance" in override or "host" in override
    for name, tag in (("region", record.REGION), ("instance", record.INSTANCE), ("host", record.HOST), ("port", 0),
                      ("register_host", record.REGISTER_HOST)):
        value = text(fields, tag) if tag else int.from_bytes(fields.get(record.PORT, b"\0\0"), "little")
        if moved and name in ("instance", "host", "port"):
            value = "" if tag else 0
        values.append(override.get(name, value))
    return Endpoint(product_key, *values)
