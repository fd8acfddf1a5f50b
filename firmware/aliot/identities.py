"""Records -> credentials: what was burned and what was issued, checked.

A kind of identity that is not here is a module of its own, named as the record names it (`aliot.x509`), with a
function `burned(fields, generation, mac, store)`; it is imported only when a board's record asks for it.
"""

from aliot import load, names, record
from aliot.credentials import DeviceCertificate, ProductCertificate
from aliot.errors import CredentialError
from aliot.names import text


def burned(fields, generation, mac, store):
    """The credential that a burned record's fields name, of that generation; CredentialError when it names none.

    `mac` (6 bytes) gives the DeviceName where none is burned. A kind may look into `store` for what was issued.
    """
    if record.KEY_BLOCK in fields:
        return load("efuse").burned(fields, mac)
    kind = text(fields, record.KIND)
    if kind == "device":
        return device_certificate(*checked(fields, mac), text(fields, record.DEVICE_SECRET))
    if kind == "product":
        method = text(fields, record.METHOD) or "https"
        if method not in ("https", "mqtt", "regnwl"):
            raise CredentialError("unknown method '%s'" % method)
        return ProductCertificate(
            *checked(fields, mac),
            names.check_secret("ProductSecret", text(fields, record.PRODUCT_SECRET)),
            method,
        )
    try:
        return load(names.check("kind", kind, 1, 12, "")).burned(fields, generation, mac, store)
    except ImportError:
        raise CredentialError("unknown kind '%s'" % kind)


def issued(fields, product_key, device_name):
    """The credential in an issued record's fields, for the identity that it was issued to."""
    if record.DEVICE_TOKEN in fields:
        return load("token").issued(
            product_key, device_name, text(fields, record.CLIENT_ID), text(fields, record.DEVICE_TOKEN)
        )
    return device_certificate(product_key, device_name, text(fields, record.DEVICE_SECRET))


def device_certificate(product_key, device_name, device_secret):
    return DeviceCertificate(
        names.check_product_key(product_key),
        names.check_device_name(device_name),
        names.check_secret("DeviceSecret", device_secret),
    )


def checked(fields, mac):
    """ProductKey and DeviceName of a burned record's fields; CredentialError when they cannot be."""
    return names.check_product_key(text(fields, record.PRODUCT_KEY)), names.check_device_name(
        name_of(fields, mac)
    )


def name_of(fields, mac):
    """The burned DeviceName, else the MAC: 12 lower-case hex digits, or upper case or with colons as burned."""
    if record.DEVICE_NAME in fields:
        return text(fields, record.DEVICE_NAME)
    rule = text(fields, record.NAME_RULE)
    name = mac.hex(*(":",) if rule.endswith(":") else ())
    return name.upper() if rule.startswith("M") else name
