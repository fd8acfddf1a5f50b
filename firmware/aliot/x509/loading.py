"""What a start needs: the certificates and the identity out of flash.

aliot.x509.pairs is loaded when all is read: what reads flash and what reads certificates need not share the memory.
"""

from aliot import load, record
from aliot.x509 import X509Error
from aliot.x509.slots import Slots


def loaded(made, fields, store):
    """`made`, an X509Certificate, with its pairs and its identity; X509Error when no pair can be used."""
    names = load("names")
    made.client_id = names.text(fields, record.CLIENT_ID)
    # 2 KB, held once
    own = {tag: fields.pop(tag) for tag in (record.CERTIFICATE, record.PRIVATE_KEY) if tag in fields}
    slots = Slots(made.generation, store)
    renewed, later, found = [slots.read(name) for name in ("renewed", "next", "issued")]
    made.current = _kept(renewed, "renewed")
    made.next = _kept(later, "next")
    if made.current and made.next and made.next.generation <= made.current.generation:
        made.next = None
    if not made.current:
        try:
            made.current = load("x509.pairs").pair(own, "burned")
        except X509Error:
            if not made.next:
                raise
    if found[0]:
        made.product_key = names.check_product_key(names.text(found[1], record.PRODUCT_KEY))
        made.device_name = names.check_device_name(names.text(found[1], record.DEVICE_NAME))
    return made


def _kept(kept, slot):
    """The pair in what a slot has; None when there is none, or a key that waits, or what is no pair."""
    generation, fields = kept
    try:
        return load("x509.pairs").pair(fields, slot, generation) if record.CERTIFICATE in fields else None
    except X509Error:
        return None
