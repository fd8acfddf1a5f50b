"""What a gateway writes about one sub-device: the JSON of an item, signed where it has to be. Pure."""

import json

from aliot.sign import hmac_hex

METHOD = "hmacSha256"


def pair(name):
    """Of (ProductKey, DeviceName), for requests without a sign. gateway.md 4, 6.2, 8.3"""
    return '{"productKey":"%s","deviceName":"%s"}' % name


def signed(name, secret, client_id=None, timestamp=None, method=METHOD, more=""):
    """Of a sub-device that proves itself with its DeviceSecret; gateway.md 6.1 and 8.1.

    What is None is neither sent nor signed; `more` is sent only.
    """
    proof = _optional("clientId", client_id) + "deviceName%sproductKey%s" % (name[1], name[0])
    proof = hmac_hex(method, secret, proof + _optional("timestamp", timestamp))
    if client_id is not None:
        more += ',"clientId":"%s"' % client_id
    if timestamp is not None:
        more += ',"timestamp":"%s"' % timestamp
    return '%s%s,"sign":"%s"}' % (pair(name)[:-1], more, proof)


def proxied(name, product_secret, random, method=METHOD):
    """Of a sub-device that its product's ProductSecret speaks for; gateway.md 5."""
    proof = hmac_hex(method, product_secret, "deviceName%sproductKey%srandom%s" % (name[1], name[0], random))
    return '%s,"random":"%s","signMethod":"%s","sign":"%s"}' % (pair(name)[:-1], random, method, proof)


def _optional(label, value):
    return "" if value is None else label + str(value)


# What comes back.


def parsed(payload):
    """A JSON object as a dict, None where the payload is something else."""
    try:
        found = json.loads(payload)
    except (ValueError, TypeError, RuntimeError, MemoryError):
        return None
    return found if isinstance(found, dict) else None


def number(value):
    """A code, which may come as text (gateway.md 2); -1 for what is none."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return -1


def pairs(value):
    """[((ProductKey, DeviceName), item)] of a list of items, or of one; what is no item is left out."""
    found = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            name = (item.get("productKey"), item.get("deviceName"))
            if isinstance(name[0], str) and isinstance(name[1], str):
                found.append((name, item))
    return found
