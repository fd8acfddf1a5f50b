"""A new certificate for a board that runs, without losing the old one; what an application calls (firmware/README.md).

The new one is kept in flash as `next` (aliot.x509.slots) and tried at the next connect. The old one stays until the
new one has connected and the platform has named the same device.
"""

from aliot import clock
from aliot.x509.loading import pair
from aliot.x509.slots import Slots
from micropython import const

_CERTIFICATE = const(20)  # tags of aliot.record
_PRIVATE_KEY = const(21)


def keep_key(device, key):
    """Keep a private key (PKCS#1 DER) until its certificate comes, after resets too.

    It takes the place of a certificate that was offered and has not connected. StoreError when it cannot be kept.
    """
    credential = device.credential
    _keep(credential, {_PRIVATE_KEY: key})
    credential.next = None


def waiting_key(device):
    """The private key that waits for its certificate, or None."""
    fields = Slots(device.credential.generation).read("next")[1]
    return None if _CERTIFICATE in fields else fields.get(_PRIVATE_KEY)


def offer(device, certificate, key=None):
    """Keep a new certificate (DER) and its key, by default the one that waits; it goes first at the next connect.

    `device.stop()` lets that come at once. X509Error when they do not belong together, or are out of date by a clock
    that a server has set, and StoreError: then nothing has changed.
    """
    credential = device.credential
    fields = {_CERTIFICATE: certificate, _PRIVATE_KEY: key or waiting_key(device) or b""}
    made = pair(fields, "next")
    made.check(clock.now() if device.server else None)
    made.generation = _keep(credential, fields)
    credential.next = made
    credential.turn = True


def withdraw(device):
    """Forget the certificate or the key that waits in `next`."""
    credential = device.credential
    _keep(credential, {})
    credential.next = None


def _keep(credential, fields):
    """Write the slot; the generation it got is above that of the certificate in use."""
    slots = Slots(credential.generation)
    return slots.keep("next", fields, slots.read("renewed")[0] + 1)
