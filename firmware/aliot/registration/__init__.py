"""Dynamic registration: what both ways have in common; direct.md 2 and 3.

A method is a module of this package with `register(credential, endpoint, sign_method, timeout)`, which
returns what was issued, or raises; it stores nothing. It is imported for the registration and dropped.
"""

import binascii
import json
import os

from aliot.credentials import ClientToken, DeviceCertificate
from aliot.errors import AliotError, RegistrationError
from aliot.sign import canonical, hmac_hex


def random():
    """A fresh text for one registration."""
    return binascii.hexlify(os.urandom(8)).decode()


def signature(credential, nonce, sign_method):
    """The signature of a registration under the ProductSecret; direct.md 2.2 and 3."""
    fields = {"deviceName": credential.device_name, "productKey": credential.product_key, "random": nonce}
    return hmac_hex(sign_method, credential.product_secret.reveal(), canonical(fields))


def parse(data):
    """A JSON object out of an answer's bytes; RegistrationError for anything else."""
    try:
        found = json.loads(data)
    except (ValueError, RuntimeError):
        raise RegistrationError("the answer is not JSON")
    if not isinstance(found, dict):
        raise RegistrationError("the answer is not a JSON object")
    return found


def issued(found, credential):
    """The credential in an answer's fields; RegistrationError when it is incomplete or for another device."""
    if found.get("productKey") != credential.product_key or found.get("deviceName") != credential.device_name:
        raise RegistrationError("the answer is for another device")
    names = ("clientId", "deviceToken") if credential.method == "regnwl" else ("deviceSecret",)
    values = [found.get(name) for name in names]
    if not all([isinstance(value, str) for value in values]):
        raise RegistrationError("the answer has no " + " and ".join(names))
    kind = ClientToken if credential.method == "regnwl" else DeviceCertificate
    try:
        return kind(credential.product_key, credential.device_name, *values)
    except AliotError as problem:
        raise RegistrationError("the answer cannot be used: " + problem.detail)
