"""Region or instance -> host, port, trusted roots; direct.md 5.1 and 5.2. Pure."""

from aliot import record
from aliot.credentials import sound, text
from aliot.errors import CredentialError

_IOTHUB = ".mqtt.iothub.aliyuncs.com"
_PUBLIC = ("globalsign_r1", "globalsign_r6")  # what ports 443 and 1883 chain to; 8883 has the platform's own


class Endpoint:
    """Where a device connects.

    host, port, roots     MQTT over TLS, and the names of the built-in roots that this port answers to
    instance              its id, "" on the legacy public instance
    register_host, register_roots     HTTPS registration, port 443
    register_mode         securemode of MQTT registration: -2 where an instanceId goes with it, else 2; direct.md 3
    """

    register_roots = _PUBLIC

    def __init__(self, product_key, region="", instance="", host="", port=0, register_host=""):
        if host.endswith(_IOTHUB):
            instance = host[: -len(_IOTHUB)]
        elif instance and not host:
            host = instance + _IOTHUB
        region = region or "cn-shanghai"
        self.instance = instance
        self.register_mode = -2 if instance else 2
        self.host = sound("host", host or "%s.iot-as-mqtt.%s.aliyuncs.com" % (product_key, region), 1, 128, ".-")
        # 8883 is documented for instances of the new kind; for legacy hosts 443 and 1883 are. direct.md 5.1
        self.port = port or (8883 if host.endswith(_IOTHUB) else 443)
        self.roots = ("aliyun",) if self.port == 8883 else _PUBLIC
        self.register_host = sound("register_host", register_host or "iot-auth.%s.aliyuncs.com" % region, 1, 128, ".-")


def endpoint(product_key, fields, override):
    """The endpoint in a burned record's fields; `override` (a dict, from config.json) goes before it.

    Overriding any of region, instance or host drops what was burned of instance, host and port, so that an
    old host cannot outlive a new region.
    """
    values = [text(fields, tag) for tag in (record.REGION, record.INSTANCE, record.HOST)]
    values += [int.from_bytes(fields.get(record.PORT, b""), "little"), text(fields, record.REGISTER_HOST)]
    if "region" in override or "instance" in override or "host" in override:
        values[1:4] = ["", "", 0]
    for at, name in enumerate(("region", "instance", "host", "port", "register_host")):
        if name in override:
            value = values[at] = override[name]
            if not isinstance(value, int if at == 3 else str) or at == 3 and not 0 < value < 65536:
                raise CredentialError(name + " in the settings cannot be one")
    return Endpoint(product_key, *values)
