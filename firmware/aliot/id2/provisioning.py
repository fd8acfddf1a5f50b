"""One-time provisioning: an empty device proves the product secret and receives ID and key (id2.md 1.4)."""

from binascii import a2b_base64, hexlify
from hashlib import sha256

from aliot.credentials import text
from aliot.errors import CredentialError
from aliot.id2 import Quota, SoftwareElement
from aliot.id2.keys import pad, unpad
from aliot.store import Nvs, Store, _owner
from cryptolib import aes
from micropython import const

_PRODUCT_SECRET = const(5)  # tags of aliot.record
_ID = const(24)
_KEY = const(25)
_KEY_TYPE = const(26)


class EmptyElement(SoftwareElement):
    """A software element that can be given its first identity.

    `keep(element)` writes the `fields()` of a new identity in one atomic step and reads them back, or raises.
    """

    id = b"F" * 48  # id2.md 4.2
    key = b""

    def __init__(self, keep):
        self.keep = keep

    def store(self, id, key):
        new = SoftwareElement({_ID: id, _KEY: key, _KEY_TYPE: b"AES_%d" % (8 * len(key))})
        if self.key:
            raise CredentialError("there is an ID2 identity already")
        self.keep(new)
        SoftwareElement.__init__(self, new.fields())


class Provisioning:
    """What asks for the first identity of a device.

    `secret` is the product's provisioning token, `fingerprint` 1 to 128 bytes that only this device has;
    `attempts` (aliot.id2.Quota) is told before each request. CredentialError when the token is none, or of
    another type than AES-128 or AES-256.
    """

    def __init__(self, secret, fingerprint):
        secret = secret.encode()
        kind = secret[2:3]
        try:
            key = a2b_base64(secret[8:]) if secret[1:2] == b"2" else secret[3:19]
        except ValueError:
            key = b""
        if (
            len(secret) < 32
            or secret[:2] not in (b"i1", b"i2", b"x1", b"x2")
            or kind not in b"13"
            or len(key) not in (16, 32)
        ):
            raise CredentialError("the ProductSecret does not provision an AES_128 or AES_256 identity")
        self.type = int(kind)
        self.key = key
        self.fingerprint = fingerprint

    def request(self, rng):
        """The bytes that ask for an identity; each request may cost a licence."""
        self.attempts.spend()
        self.session = rng(16)
        data = bytes((self.type,)) + self.session + self.fingerprint
        return (
            b"\0\0\1\0"
            + sha256(self.key).digest()
            + sha256(data).digest()
            + aes(self.key, 1).encrypt(pad(data))
        )

    def accept(self, response, element):
        """Store the identity in a response in `element`; ValueError when it is not the answer to the request.

        The published client does not check the padding; here it is checked.
        """
        size = 8 * self.type + 8  # of the key: types 1 and 3
        if len(response) == size + 73 and response[0] == self.type:
            id = response[1:25]
            key = unpad(aes(self.session, 1).decrypt(response[25:-32]))
            if len(key) == size and unpad(aes(key, 1).decrypt(response[-32:])) == id:
                element.store(id, key)
                return
        raise ValueError("provisioning")


def burned(fields, mac, credential, store=None):
    """(`Provisioning`, element) of a record that has a ProductSecret; the fingerprint is the MAC (inferred).

    The element is what the store has kept for `credential`, or an empty one that it will keep.
    """
    asks = Provisioning(text(fields, _PRODUCT_SECRET), hexlify(mac).upper())
    asks.attempts = Quota(Nvs(), "id2.requests", 4)
    store = store or Store()
    generation = store.burned()[0]

    def keep(made):
        try:
            store.save(generation, credential, made)
        except CredentialError:  # what was kept and read back is no certificate
            pass

    found = store._load("issued", _owner(generation, credential))
    return asks, SoftwareElement(found[1]) if found else EmptyElement(keep)
