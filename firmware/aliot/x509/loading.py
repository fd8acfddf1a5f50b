"""What a start reads of flash beside the burned record: the slots, and the identity in one of them."""

from aliot import load, record
from aliot.x509.slots import Slots


def kept(made, fields, store):
    """Certificates to look at, newest first: [(slot, generation, fields)]; the identity goes into `made`.

    `made` is an X509Certificate, `fields` are those of the burned record: the certificate is taken out of them.
    CredentialError when what was issued is none.
    """
    names = load("names")
    made.client_id = names.text(fields, record.CLIENT_ID)
    burned = {tag: fields.pop(tag) for tag in (record.CERTIFICATE, record.PRIVATE_KEY) if tag in fields}
    slots = Slots(made.generation, store)
    found = slots.read("issued")[1]
    if found:
        made.product_key = names.check_product_key(names.text(found, record.PRODUCT_KEY))
        made.device_name = names.check_device_name(names.text(found, record.DEVICE_NAME))
    found = None
    kept = [("burned", 0, burned)]
    for slot in ("renewed", "next"):
        generation, found = slots.read(slot)
        if record.CERTIFICATE in found and generation > kept[0][1]:
            kept.insert(0, (slot, generation, found))
    return kept
