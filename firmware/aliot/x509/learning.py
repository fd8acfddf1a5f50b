"""What a connection needs on which the platform says who this device is; x509.md 4 and 10."""

import json

from aliot import part
from aliot.credentials import Identity
from aliot.errors import AliotError, CredentialError, ProtocolError
from aliot.transport import Deadline
from aliot.x509 import X509Error
from micropython import const

_WAY = const(1)  # tags of aliot.record
_CERTIFICATE = const(20)
_PRIVATE_KEY = const(21)
_PUSH = const(5000)  # ms to wait for the identity; x509.md 10


class Said(Identity):
    """What the platform said, as the store keeps it."""

    def fields(self):
        return {_WAY: b"x509"}


def pushed(credential, payload):
    """The identity in a push; ProtocolError when it is none, and the alarm when it is another one than is known."""
    try:
        found = json.loads(payload)
        said = Said(found["productKey"], found["deviceName"])
    except (AliotError, ValueError, KeyError, TypeError, AttributeError, RuntimeError):
        raise ProtocolError("the identity that was pushed is none")
    known = credential.product_key, credential.device_name
    if known[0] and (said.product_key, said.device_name) != known:
        raise part("x509.failing").changed(credential, said)
    credential.said = said


def learn(credential, device, client):
    """Wait for the push, and keep what is new: the identity, and that the next certificate is in use now.

    X509Error when none came in time and it is needed; StoreError when no medium keeps it. A push of another
    identity raises where it is handled.
    """
    device.feed()
    limit = Deadline(min(device.config.get("push", _PUSH), device.timeout))
    while not credential.said and limit.left():
        client.poll(limit.left())
    said = credential.said
    new = credential.trying is not credential.current
    if not said and (new or not credential.product_key):
        raise X509Error("no identity within the deadline", "x509.push", "now")
    if not credential.product_key:
        try:
            device.store.save(credential.generation, said, said)
        except CredentialError:
            pass  # what was kept and read back is no secret
        device.state("stored", device.store.health)
        device.product_key = credential.product_key = said.product_key
        device.device_name = credential.device_name = said.device_name
    if new:
        _take_over(credential)
    credential.asking = False


def _take_over(credential):
    pair = credential.trying
    fields = {_CERTIFICATE: pair.certificate, _PRIVATE_KEY: pair.key}
    part("x509.slots").Slots(credential.generation).keep("renewed", fields, pair.generation)
    pair.slot = "renewed"
    credential.current = pair
    credential.next = None
