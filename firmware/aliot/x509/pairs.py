"""A certificate and its key out of a record's fields, looked at before anything connects with them. Pure."""

from aliot import record
from aliot.x509 import Pair, X509Error, der


def choose(made, kept):
    """Give `made`, an X509Certificate, the pairs to try, out of [(slot, generation, fields)], newest first.

    What is no pair is passed over; X509Error when none is left.
    """
    while kept:
        slot, generation, fields = kept.pop(0)
        try:
            found = pair(fields, slot, generation)
        except X509Error as problem:
            if not kept and not made.next:
                raise problem
            continue
        if slot != "next":
            made.current = found
            return
        made.next = found


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
