"""What can be burned and what can be issued: one small class each, validated; secrets print masked.

A way in that is not here is a module of its own, named as the record names it (`aliot.x509`), with a
function `burned(fields, mac)`; it is imported only when a board's record asks for it.

A credential has product_key, device_name, TRANSPORT (the module in aliot.transport that carries it),
REGISTER (the module in aliot.registration that completes it, None when it can connect as it is); when it
can be issued, `fields()`: what a record of it holds; when its CONNECT is not the usual one, `login()`; and
when there is more to do after it than to wait for CONNACK, `join()`.
"""

from binascii import hexlify

from aliot import part
from aliot.errors import CredentialError
from aliot.log import Secret
from micropython import const

# Tags of aliot.record: an attribute of another module would be bytes at each use.
_WAY = const(1)
_PRODUCT_KEY = const(2)
_DEVICE_NAME = const(3)
_DEVICE_SECRET = const(4)
_PRODUCT_SECRET = const(5)
_NAME_RULE = const(6)
_METHOD = const(7)
_CLIENT_ID = const(11)
_DEVICE_TOKEN = const(12)


class Identity:
    """Who a device is, and how it connects; the base of all credentials."""

    TRANSPORT = "tls"
    REGISTER = None

    def __init__(self, product_key, device_name):
        self.product_key = sound("ProductKey", product_key, 1, 20, "")
        self.device_name = sound("DeviceName", device_name, 4, 32, "-_@.:")


class DeviceCertificate(Identity):
    """ProductKey, DeviceName, DeviceSecret: burned, or issued by registration. direct.md 1.1"""

    def __init__(self, product_key, device_name, device_secret):
        super().__init__(product_key, device_name)
        self.device_secret = Secret(sound("DeviceSecret", device_secret, 1, 64))

    def fields(self):
        return {_DEVICE_SECRET: self.device_secret.reveal().encode()}


class ProductCertificate(Identity):
    """ProductKey, ProductSecret and a DeviceName: what registration starts from. direct.md 2 to 4"""

    def __init__(self, product_key, device_name, product_secret, method="https"):
        super().__init__(product_key, device_name)
        self.product_secret = Secret(sound("ProductSecret", product_secret, 1, 64))
        if method not in ("https", "mqtt", "regnwl"):
            raise CredentialError("unknown method '%s'" % method)
        self.method = method
        self.REGISTER = "https" if method == "https" else "mqtt"


def burned(fields, mac):
    """The credential that a burned record's fields name; `mac` (6 bytes) gives the DeviceName where none is burned.

    What is no tag, fields[0], is the record's generation.
    CredentialError names what is missing or wrong.
    """
    way = text(fields, _WAY)
    key = text(fields, _PRODUCT_KEY)
    if way == "device":
        return DeviceCertificate(key, device_name(fields, mac), text(fields, _DEVICE_SECRET))
    if way == "product":
        return ProductCertificate(key, device_name(fields, mac), text(fields, _PRODUCT_SECRET),
                                  text(fields, _METHOD) or "https")
    try:
        return part(sound("way", way, 1, 12, "")).burned(fields, mac)
    except ImportError:
        raise CredentialError("unknown way '%s'" % way)


def issued(fields, product_key, device_name):
    """The credential in an issued record's fields, for the identity that it was issued to."""
    if _DEVICE_TOKEN in fields:
        return part("token").ClientToken(product_key, device_name, text(fields, _CLIENT_ID),
                                         text(fields, _DEVICE_TOKEN))
    return DeviceCertificate(product_key, device_name, text(fields, _DEVICE_SECRET))


def device_name(fields, mac):
    """The burned DeviceName, else the MAC: 12 lower-case hex digits, or upper case or with colons as burned."""
    rule = text(fields, _NAME_RULE)
    name = text(fields, _DEVICE_NAME) or hexlify(mac, *(":",) if rule.endswith(":") else ()).decode()
    return name.upper() if rule.startswith("M") and _DEVICE_NAME not in fields else name


def text(fields, tag):
    """A field as str, "" where the record does not have it."""
    try:
        return fields.get(tag, b"").decode()
    except UnicodeError:
        raise CredentialError("field %d is not text" % tag)


def sound(what, value, least, most, signs=None):
    """`value` itself if it has least to most letters, digits and `signs` (None: printable characters without blank)."""
    for c in value:
        if not ("a" <= c <= "z" or "A" <= c <= "Z" or "0" <= c <= "9" or
                (" " < c < "\x7f" if signs is None else c in signs)):
            least = 1000
    if not least <= len(value) <= most:
        raise CredentialError(what + " is missing or wrong")
    return value
