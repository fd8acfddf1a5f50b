"""What a start needs: the certificates out of flash, looked at before anything connects with them."""

from aliot.credentials import Identity, sound, text
from aliot.x509 import Pair, X509Error, der
from aliot.x509.slots import Slots
from micropython import const

_PRODUCT_KEY = const(2)  # tags of aliot.record
_DEVICE_NAME = const(3)
_REGION = const(8)
_HOST = const(10)
_CLIENT_ID = const(11)
_PORT = const(15)
_CERTIFICATE = const(20)
_PRIVATE_KEY = const(21)


def load(made, fields):
    """`made`, an X509Certificate, with its pairs and its identity; X509Error when no pair is sound."""
    region = sound("region", text(fields, _REGION) or "cn-shanghai", 1, 30, "-")
    fields.setdefault(_HOST, b"x509.itls.%s.aliyuncs.com" % region.encode())
    fields.setdefault(_PORT, b"\x5b\x07")  # 1883
    made.client_id = text(fields, _CLIENT_ID)
    own = {tag: fields.pop(tag) for tag in (_CERTIFICATE, _PRIVATE_KEY) if tag in fields}  # 2 KB, held once
    slots = Slots(made.generation)
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
        whose = Identity(text(found, _PRODUCT_KEY), text(found, _DEVICE_NAME))
        made.product_key, made.device_name = whose.product_key, whose.device_name
    return made


def _kept(slots, slot):
    """The pair in a slot; None when there is none, or a key that waits, or what is no pair."""
    generation, found = slots.read(slot)
    try:
        return pair(found, slot, generation) if _CERTIFICATE in found else None
    except X509Error:
        return None


def pair(fields, slot, generation=0):
    """The `Pair` in a record's fields; X509Error when they cannot be used."""
    made = Pair()
    made.certificate = fields.get(_CERTIFICATE)
    made.key = fields.get(_PRIVATE_KEY)
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
