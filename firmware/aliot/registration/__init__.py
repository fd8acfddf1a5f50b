"""Dynamic registration: what both ways have in common; direct.md 2 and 3.

A method is a module of this package with `register(credential, endpoint, sign_method, timeout)`, which
returns what was issued, or raises; it stores nothing. It is imported for the registration and dropped.
"""

import json
import os
from binascii import hexlify

from aliot import part
from aliot.credentials import DeviceCertificate
from aliot.errors import CredentialError, RegistrationError
from aliot.sign import canonical, hmac_hex


def random():
    """A fresh text for one registration."""
    return hexlify(os.urandom(8)).decode()


def signature(credential, nonce, sign_method):
    """The signature of a registration under the ProductSecret; direct.md 2.2 and 3."""
    fields = {"deviceName": credential.device_name, "productKey": credential.product_key, "random": nonce}
    return hmac_hex(sign_method, credential.product_secret.reveal(), canonical(fields))


def parse(data):
    """A JSON object out of an answer's bytes; RegistrationError for anything else."""
    try:
        found = json.loads(data)
    except (ValueError, RuntimeError):
        found = None
    # MicroPython's json takes an object that is cut before its last bracket for a whole one.
    if not isinstance(found, dict) or data.count(b"{") != data.count(b"}"):
        raise RegistrationError("not a JSON object")
    return found


def issued(found, credential):
    """The credential in an answer's fields; RegistrationError when it is incomplete or for another device."""
    whose = credential.product_key, credential.device_name
    if (found.get("productKey"), found.get("deviceName")) != whose:
        raise RegistrationError("for another device")
    try:
        if credential.method == "regnwl":
            return part("token").ClientToken(*whose, found.get("clientId"), found.get("deviceToken"))
        return DeviceCertificate(*whose, found.get("deviceSecret"))
    except (CredentialError, TypeError, AttributeError):
        raise RegistrationError("no usable credential")
