"""Settings that go before the burned endpoint. Pure.

Imported when config.json has an `endpoint`, or the record chooses how to ask where to connect.
"""

from aliot import part
from aliot.endpoint import Endpoint
from aliot.errors import CredentialError
from micropython import const

NAMES = ("region", "instance", "host", "register_host", "port")
ASKING = ("auth", "bootstrap")  # settings of aliot.guide
_AUTH = const(28)  # tags of aliot.record
_BOOTSTRAP = const(29)


def endpoint(product_key, values, fields, override):
    """The endpoint of a burned record's `fields`; `values` as for `applied`, `override` may be None."""
    override = override or {}
    values = applied(values, override)
    if _AUTH in fields or _BOOTSTRAP in fields or "auth" in override or "bootstrap" in override:
        return part("guide.choose").guided(product_key, values, fields, override)
    return Endpoint(product_key, *values)


def applied(values, override):
    """`values` in the order of NAMES, with what `override` says of them.

    Overriding any of region, instance or host drops what was burned of instance, host and port, so that an
    old host cannot outlive a new region; X.509 has a host of its own in each region, and its port is the same
    everywhere. CredentialError names a setting that cannot be one.
    """
    if not isinstance(override, dict) or [name for name in override if name not in NAMES + ASKING]:
        raise CredentialError("endpoint in the settings takes " + ", ".join(NAMES + ASKING))
    values = list(values)
    if "region" in override or "instance" in override or "host" in override:
        own = values[2].startswith("x509.itls.")
        values[1] = values[2] = ""
        if own:
            values[2] = "x509.itls.%s.aliyuncs.com" % (override.get("region") or values[0] or "cn-shanghai")
        else:
            values[4] = 0
    for at, name in enumerate(NAMES):
        if name in override:
            value = values[at] = override[name]
            kind = int if name == "port" else str
            if not isinstance(value, kind) or name == "port" and not 0 < value < 65536:
                raise CredentialError(name + " in the settings cannot be one")
    return values
