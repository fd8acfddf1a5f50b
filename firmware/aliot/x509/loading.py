"""What a start needs: the certificates out of flash, looked at before anything connects with them."""

from aliot import names, record
from aliot.names import text
from aliot.x509 import Pair, X509Error, der
from aliot.x509.slots import Slots


def loaded(made, fields, store):
    """`made`, an X509Certificate, with its pairs and its identity; X509Error when no pair can be used."""
    made.client_id = text(fields, record.CLIENT_ID)
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
        made.product_key = names.check_product_key(text(found, record.PRODUCT_KEY))
        made.device_name = names.check_device_name(text(found, record.DEVICE_NAME))
    return made


def _kept(slots, slot):
    """The pair in a slot; None when there is none, or a key that waits, or what is no pair."""
    generation, found = slots.read(slot)
    try:
        return pair(found, slot, generation) if record.CERTIFICATE in found else None
    except X509Error:
        return None


def pair(fields, slot, generation=0):
    """The `Pair` in a record's fields; X509Error when they cannot be used."""
    made = Pair()
    made.certificate = fields.get(record.CERTIFICATE)
    made.key = fields.get(record.PRIVATE_KEY)
    made.slot = slot
    made.generation = generation
    what = "certificate"
    try:
        if not made.certificate or not made.key:
            raise X509Error("no certificate" if not made.certificate else "no private key")
        made.serial, made.begins, made.ends, made.expires, *public = der.certificate(made.certificate)
        what = "private key"
        if der.private_key(made.key) != tuple(public):
            raise X509Error("the key does not belong to certificate %s" % made.serial, "x509.mismatch")
    except (ValueError, IndexError) as problem:
        raise X509Error("%s: %s" % (what, problem), "x509.malformed")
    return made
