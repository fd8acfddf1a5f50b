"""What can be burned and what can be issued: one small class each, validated; secrets print masked.

A way in that is not here is a module of its own, named as the record names it (`aliot.x509`), with a
function `burned(fields, mac)`; it is imported only when a board's record asks for it.

A credential offers: product_key, device_name, TRANSPORT (the module in aliot.transport that carries it),
REGISTER (the module in aliot.registration that completes it, or None when it can connect as it is) and
`fields()`, what a record of it holds.
"""

import binascii

from aliot import record
from aliot.errors import CredentialError
from aliot.log import Secret

_NAME_SIGNS = "-_@.:"


class DeviceCertificate:
    """ProductKey, DeviceName, DeviceSecret: burned, or issued by registration. direct.md 1.1"""

    TRANSPORT = "tls"
    REGISTER = None

    def __init__(self, product_key, device_name, device_secret):
        self.product_key = _token("ProductKey", product_key, 20)
        self.device_name = _name(device_name)
        self.device_secret = Secret(_secret("DeviceSecret", device_secret, 64))

    def fields(self):
        return {record.DEVICE_SECRET: self.device_secret.reveal().encode()}


class ClientToken:
    """What preregistration-free registration issues: ClientID and DeviceToken. direct.md 4"""

    TRANSPORT = "tls"
    REGISTER = None

    def __init__(self, product_key, device_name, client_id, device_token):
        self.product_key = product_key
        self.device_name = device_name
        self.client_id = _secret("ClientID", client_id, 128)
        if "|" in client_id:
            raise CredentialError("ClientID holds a |")
        self.device_token = Secret(_secret("DeviceToken", device_token, 256))

    def fields(self):
        return {record.CLIENT_ID: self.client_id.encode(), record.DEVICE_TOKEN: self.device_token.reveal().encode()}


class ProductCertificate:
    """ProductKey, ProductSecret and a DeviceName: what registration starts from. direct.md 2 to 4"""

    TRANSPORT = "tls"
    _REGISTER = {"https": "https", "mqtt": "mqtt", "regnwl": "mqtt"}

    def __init__(self, product_key, device_name, product_secret, method="https"):
        self.product_key = _token("ProductKey", product_key, 20)
        self.device_name = _name(device_name)
        self.product_secret = Secret(_secret("ProductSecret", product_secret, 64))
        self.method = method
        self.REGISTER = self._REGISTER.get(method)
        if self.REGISTER is None:
            raise CredentialError("registration method %s is not https, mqtt or regnwl" % method)


def burned(fields, mac):
    """The credential that a burned record's fields name; `mac` (6 bytes) gives the DeviceName where none is burned.

    CredentialError names what is missing or wrong.
    """
    way = text(fields, record.WAY, "device")
    if way == "device":
        return DeviceCertificate(text(fields, record.PRODUCT_KEY), device_name(fields, mac),
                                 text(fields, record.DEVICE_SECRET))
    if way == "product":
        return ProductCertificate(text(fields, record.PRODUCT_KEY), device_name(fields, mac),
                                  text(fields, record.PRODUCT_SECRET), text(fields, record.METHOD, "https"))
    try:
        module = __import__("aliot." + _token("way", way, 12), None, None, ("burned",))
    except ImportError:
        raise CredentialError("this firmware has no way '%s'" % way)
    return module.burned(fields, mac)


def issued(fields, product_key, device_name):
    """The credential in an issued record's fields, for the identity that it was issued to."""
    if record.DEVICE_TOKEN in fields:
        return ClientToken(product_key, device_name, text(fields, record.CLIENT_ID),
                           text(fields, record.DEVICE_TOKEN))
    return DeviceCertificate(product_key, device_name, text(fields, record.DEVICE_SECRET))


def device_name(fields, mac):
    """The burned DeviceName, else the MAC: 12 lower-case hex digits, or upper case or with colons as burned."""
    name = text(fields, record.DEVICE_NAME)
    if name:
        return name
    rule = text(fields, record.NAME_RULE, "mac")
    digits = binascii.hexlify(mac).decode()
    if rule.endswith(":"):
        digits = ":".join([digits[i : i + 2] for i in range(0, 12, 2)])
    return digits.upper() if rule.startswith("MAC") else digits


def text(fields, tag, default=""):
    """A field as str; `default` where the record does not have it."""
    try:
        return fields[tag].decode() if tag in fields else default
    except UnicodeError:
        raise CredentialError("field %d is not text" % tag)


def _name(name):
    rest = name
    for sign in _NAME_SIGNS:
        rest = rest.replace(sign, "")
    if not 4 <= len(name) <= 32 or (rest and not _alphanumeric(rest)):
        raise CredentialError("DeviceName '%s' is not 4 to 32 letters, digits and - _ @ . :" % name)
    return name


def _token(what, value, limit):
    if not 0 < len(value) <= limit or not _alphanumeric(value):
        raise CredentialError("%s is not 1 to %d letters and digits" % (what, limit))
    return value


def _secret(what, value, limit):
    if not 0 < len(value) <= limit or not all([" " < c < "\x7f" for c in value]):
        raise CredentialError("%s is not 1 to %d printable characters" % (what, limit))
    return value


def _alphanumeric(value):
    return all(["a" <= c <= "z" or "A" <= c <= "Z" or "0" <= c <= "9" for c in value])
