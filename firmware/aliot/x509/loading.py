"""What a start needs: the certificates and the identity out of flash."""

from aliot import load, record
from aliot.x509 import X509Error
from aliot.x509.pairs import pair
from aliot.x509.slots import Slots


def loaded(made, fields, store):
    """`made`, an X509Certificate, with its pairs and its identity; X509Error when no pair can be used."""
    names = load("names")  # here: a renewal needs the rest of this unit, and not the names
    made.client_id = names.text(fields, record.CLIENT_ID)
    # 2 KB, held once
    own = {tag: fields.pop(tag) for tag in (record.CERTIFICATE, record.PRIVATE_KEY) if tag in fields}
    slots = Slots(made.generation, store)
    made.current = _kept(slots, "renewed")
    made.next = _kept(slots, "next")
    if made.current and made.next and made.next.generation <= made.current.generation:
        made.next = None
    if not made.current:
        try:
            made.current = pair(own, "burned")
        except X509Error:
            if not made.next:
                raise
    found = slots.read("issued")[1]
    if found:
        made.product_key = names.check_product_key(names.text(found, record.PRODUCT_KEY))
        made.device_name = names.check_device_name(names.text(found, record.DEVICE_NAME))
    return made


def _kept(slots, slot):
    """The pair in a slot; None when there is none, or a key that waits, or what is no pair."""
    generation, found = slots.read(slot)
    try:
        return pair(found, slot, generation) if record.CERTIFICATE in found else None
    except X509Error:
        return None
