"""Dynamic registration: what all methods have in common; direct.md 2 and 3.

A method is a module of this package with `register(credential, endpoint, sign_method, timeout)`, which returns what was
issued, or raises, and stores nothing; and with `complete(device)`, which keeps that. All of it is imported for the
registration and dropped.
"""

import os

from aliot import load, unload
from aliot.errors import CredentialError, RegistrationError
from aliot.sign import canonical
from micropython import const

_HIGHEST = const(999999)  # of a code


def keep(device, register):
    """Call a method's register() for a device, keep what is issued, return its credential as read back from flash.

    RegistrationError, LinkError or StoreError otherwise.
    """
    credential = device.credential
    try:
        made = register(credential, device.endpoint, device.sign_method, device.timeout)
        store = device.store or load("store").Store()
        fields = store.save(device.generation, credential, made)
        device.state("stored", store.health)
        return load("registration.kept").issued(fields, credential.product_key, credential.device_name)
    finally:
        unload("registration.kept")


def random():
    """A fresh text for one registration."""
    return os.urandom(8).hex()


def signature(credential, nonce, sign_method):
    """The signature of a registration under the ProductSecret; direct.md 2.2 and 3."""
    fields = {"deviceName": credential.device_name, "productKey": credential.product_key, "random": nonce}
    return credential.product_secret.sign(sign_method, canonical(fields))


def parse(data):
    """A JSON object out of an answer's bytes; RegistrationError for anything else."""
    try:
        return load("registration.kept").parse(data)  # not before: TLS needs the memory
    except ValueError as problem:
        raise RegistrationError("the answer " + str(problem))


def number(value):
    """A code of the platform, which may come as text; -1 for what is none."""
    try:
        found = -1 if isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return -1
    return found if 0 <= found <= _HIGHEST else -1


def issued(found, credential):
    """The credential in an answer's fields; RegistrationError when it is incomplete or for another device."""
    whose = credential.product_key, credential.device_name
    if (found.get("productKey"), found.get("deviceName")) != whose:
        raise RegistrationError("for another device")
    try:
        if credential.method == "regnwl":
            return load("token").issued(*whose, found.get("clientId"), found.get("deviceToken"))
        return load("registration.kept").device_certificate(*whose, found.get("deviceSecret"))
    except (CredentialError, TypeError, AttributeError):
        raise RegistrationError("no usable credential")
