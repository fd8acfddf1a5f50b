"""A new certificate for a board that runs, without losing the old one; what an application calls (firmware/README.md).

The new one is kept in flash as `next` (aliot.x509.slots) and tried at the next connect. The old one stays until the
new one has connected and the platform has named the same device.
"""

from aliot import clock, record
from aliot.x509.loading import pair
from aliot.x509.slots import Slots


def keep_key(device, key):
    """Keep a private key (PKCS#1 DER) until its certificate comes, after resets too.

    It takes the place of a certificate that was offered and has not connected. StoreError when it cannot be kept.
    """
    _keep(device, {record.PRIVATE_KEY: key})
    device.credential.next = None


def waiting_key(device):
    """The private key that waits for its certificate, or None."""
    fields = Slots(device.credential.generation, device.store).read("next")[1]
    return None if record.CERTIFICATE in fields else fields.get(record.PRIVATE_KEY)


def offer(device, certificate, key=None):
    """Keep a new certificate (DER) and its key, by default the one that waits; it goes first at the next connect.

    `device.stop()` lets that come at once. X509Error when they do not belong together, or are out of date by a clock
    that a server has set, and StoreError: then nothing has changed.
    """
    credential = device.credential
    fields = {record.CERTIFICATE: certificate, record.PRIVATE_KEY: key or waiting_key(device) or b""}
    made = pair(fields, "next")
    made.check(clock.utc() if clock.server else None)
    made.generation = _keep(device, fields)
    credential.next = made
    credential.turn = True


def withdraw(device):
    """Forget the certificate or the key that waits in `next`."""
    _keep(device, {})
    device.credential.next = None


def _keep(device, fields):
    """Write the slot; the generation it got is above that of the certificate in use."""
    slots = Slots(device.credential.generation, device.store)
    return slots.keep("next", fields, slots.read("renewed")[0] + 1)
