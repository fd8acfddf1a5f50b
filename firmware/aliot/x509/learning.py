"""What a connection needs on which the platform says who this device is; x509.md 4.2 and 10."""

import json

from aliot import feed, load, names
from aliot.credentials import Credential
from aliot.errors import AliotError, ProtocolError
from aliot.ticks import Deadline
from aliot.x509 import X509Error


def pushed(credential, payload):
    """Take the identity in a push as `named`; as `fault` what is wrong: ProtocolError when it is none, the alarm when
    it is another one than is known."""
    known = credential.product_key, credential.device_name
    try:
        found = json.loads(payload)
        named = Credential(found["productKey"], found["deviceName"])
        if known == (named.product_key, named.device_name):
            credential.named = named
            return
        names.check_product_key(named.product_key)
        names.check_device_name(named.device_name)
    except (AliotError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, MemoryError):
        credential.fault = ProtocolError("the identity that was pushed is none")
        return
    if known[0]:
        credential.fault = load("x509.failing").changed(credential, named)
    else:
        credential.named = named


def learn(credential, device, client):
    """Wait for the push. X509Error when none came in time and it is needed; what is wrong with one that came."""
    feed()
    limit = Deadline(min(device.push, device.timeout))  # x509.md 10
    while not credential.named and limit.left():
        client.poll(limit.left())
        if credential.fault:
            raise credential.fault
    if not credential.named and (credential.trying is not credential.current or not credential.product_key):
        raise X509Error("no identity within the deadline", "x509.push", "now")
