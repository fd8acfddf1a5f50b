"""Region or instance -> host, port, trusted roots; direct.md 5.1 and 5.2. Pure."""

from aliot import part
from aliot.credentials import sound, text
from micropython import const

_REGION = const(8)  # tags of aliot.record
_INSTANCE = const(9)
_HOST = const(10)
_PORT = const(15)
_REGISTER_HOST = const(16)
_AUTH = const(28)
_BOOTSTRAP = const(29)
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

    def __init__(self, product_key, region="", instance="", host="", register_host="", port=0):
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
        self.register_host = sound("host", register_host or "iot-auth.%s.aliyuncs.com" % region, 1, 128, ".-")


def endpoint(product_key, fields, override=None):
    """The endpoint in a burned record's fields; `override` (aliot.override) goes before it."""
    values = [text(fields, tag) for tag in (_REGION, _INSTANCE, _HOST, _REGISTER_HOST)]
    values.append(int.from_bytes(fields.get(_PORT, b""), "little"))
    if override or _AUTH in fields or _BOOTSTRAP in fields:
        return part("override").endpoint(product_key, values, fields, override)
    return Endpoint(product_key, *values)
