"""A new certificate for a board that runs, without losing the old one; what an application calls (firmware/README.md).

The new one is kept in flash as `next` (aliot.x509.slots) and tried at the next connect. The old one stays until the
new one has connected and the platform has named the same device. An application keeps this module: what it needs
beside it is loaded for each step of a call and dropped.
"""

from aliot import clock, load, record
from aliot.x509 import clear


def keep_key(device, key):
    """Keep a private key (PKCS#1 DER) until its certificate comes, after resets too.

    It takes the place of a certificate that was offered and has not connected. StoreError when it cannot be kept.
    """
    _keep(device, {record.PRIVATE_KEY: key})
    device.credential.next = None


def waiting_key(device):
    """The private key that waits for its certificate, or None."""
    try:
        fields = _slots(device).read("next")[1]
    finally:
        clear()
    return None if record.CERTIFICATE in fields else fields.get(record.PRIVATE_KEY)


def offer(device, certificate, key=None):
    """Keep a new certificate (DER) and its key, by default the one that waits; it goes first at the next connect.

    `device.stop()` lets that come at once. X509Error when they do not belong together, or are out of date by a clock
    that a server has set, and StoreError: then nothing has changed.
    """
    credential = device.credential
    fields = {record.CERTIFICATE: certificate, record.PRIVATE_KEY: key or waiting_key(device) or b""}
    try:
        made = load("x509.pairs").pair(fields, "next")
        made.check(clock.utc() if clock.server else None)
    finally:
        clear()
    made.generation = _keep(device, fields)
    credential.next = made
    credential.turn = True


def withdraw(device):
    """Forget the certificate or the key that waits in `next`."""
    _keep(device, {})
    device.credential.next = None


def _keep(device, fields):
    """Write the slot; the generation it got is above that of the certificate in use."""
    current = device.credential.current
    try:
        return _slots(device).keep("next", fields, current.generation + 1 if current else 1)
    finally:
        clear()


def _slots(device):
    return load("x509.slots").Slots(device.credential.generation, device.store)
