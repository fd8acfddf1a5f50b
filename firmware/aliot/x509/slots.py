"""What an X.509 board keeps in flash beside its burned record, each on both media (aliot.store).

    issued    who it is: ProductKey and DeviceName, as the platform said
    renewed   certificate and key that took the place of the burned ones, once they had connected
    next      certificate and key that are to be tried, or a key that waits for its certificate

All belong to one burned generation; of another one they are never used. `next` counts while its generation is
above that of `renewed`, so that one write of `renewed`, on whichever medium it comes to an end, is the switch.
"""

from aliot import load, record
from aliot.errors import StoreError
from aliot.store import Store


class Slots(Store):
    """The records of the board whose burned record has this generation, on another Store's media if one is given."""

    def __init__(self, generation, store=None):
        super().__init__(store and store.media)
        self.generation = generation

    def read(self, name):
        """(generation, fields) of a slot, healed; (0, {}) when there is none of this burn."""
        found = self.newest(name, self._mine())
        return found[:2] if found else (0, {})

    def keep(self, name, fields, generation=0):
        """Write a slot to both media, each read back; returns the generation it got, at least the one given.

        StoreError when no medium has a good copy. A medium that failed is named in `health`.
        """
        newest = self.after(name, generation or self.generation)
        wanted = self._mine()
        wanted.update(fields)
        data = record.encode(record.ISSUED, newest, wanted)
        for medium in self.media:
            self.write(name, data, medium)
        if "ok" not in self.health.values():
            problem = StoreError(str(self.health))
            problem.health = self.health
            raise problem
        return newest

    def _mine(self):
        return {record.KIND: b"x509", record.FOR_GENERATION: self.generation.to_bytes(4, "little")}


def take_over(credential, store):
    """Keep that the certificate which was tried is in use now. StoreError when no medium keeps it."""
    pair = credential.trying
    fields = {record.CERTIFICATE: pair.certificate, record.PRIVATE_KEY: pair.key}
    Slots(credential.generation, store).keep("renewed", fields, pair.generation)
    pair.slot = "renewed"
    credential.current = pair
    credential.next = None


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
