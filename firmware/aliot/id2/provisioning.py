"""One-time provisioning: an empty device proves the product secret and receives ID and key (id2.md 1.4)."""

from binascii import a2b_base64, hexlify
from hashlib import sha256

from aliot.credentials import text
from aliot.errors import CredentialError
from aliot.id2.codes import pad, unpad
from aliot.id2.element import ID, KEY, KEY_TYPE, SoftwareElement
from aliot.id2.quota import Quota
from aliot.record import PRODUCT_SECRET
from aliot.store import Nvs, Store, _owner
from cryptolib import aes

_SIZES = {1: 16, 3: 32}  # key type: key size; the other types have no cipher in stock firmware


class EmptyElement(SoftwareElement):
    """A software element that can be given its first identity.

    `keep(element)` writes the `fields()` of a new identity in one atomic step and reads them back, or raises.
    """

    def __init__(self, keep):
        self._keep = keep
        self._id = None

    def is_provisioned(self):
        return self._id is not None

    def store(self, identity, key):
        new = SoftwareElement({ID: identity, KEY: key, KEY_TYPE: b"AES_%d" % (8 * len(key))})
        if self._id:
            raise CredentialError("there is an ID2 identity already")
        self._keep(new)
        SoftwareElement.__init__(self, new.fields())


class Identities(Store):
    """What a store keeps as issued, read as an identity."""

    def issued(self, generation, credential):
        found = self._load("issued", _owner(generation, credential))
        return SoftwareElement(found[1]) if found else None

    def save(self, generation, credential, made):
        try:
            Store.save(self, generation, credential, made)
        except CredentialError:  # what was kept and read back is no certificate
            pass


class Provisioning:
    """What asks for the first identity of a device.

    `product_secret` is the product's provisioning token, `fingerprint` 1 to 128 bytes that only this device
    has; `attempts` (aliot.id2.quota) is told before each request. CredentialError when the token is none,
    or of another type than AES-128 or AES-256.
    """

    def __init__(self, product_secret, fingerprint):
        token = product_secret.encode()
        if len(token) < 32 or token[0] not in b"ix" or token[1] not in b"12":
            raise CredentialError("the ProductSecret is not one that provisions ID2")
        self._type = token[2] - 48
        try:
            self._key = token[3:19] if token[1] == 49 else a2b_base64(token[8:])
        except ValueError:
            self._key = b""
        if self._type not in _SIZES or len(self._key) not in (16, 32):
            raise CredentialError(
                "the ProductSecret provisions key type %d, not AES-128 (1) or AES-256 (3)" % self._type
            )
        self._fingerprint = fingerprint

    def request(self, rng):
        """The bytes that ask for an identity; each request may cost a licence."""
        self.attempts.spend()
        self._session = rng(16)
        report = bytes((self._type,)) + self._session + self._fingerprint
        return (
            b"\x00\x00\x01\x00"
            + sha256(self._key).digest()
            + sha256(report).digest()
            + aes(self._key, 1).encrypt(pad(report))
        )

    def accept(self, response, element):
        """Store the identity in a response in `element`; ValueError when it is not the answer to the request.

        The published client does not check the padding; here it is checked.
        """
        identity = response[1:25]
        key = response[25:-32]
        if response[:1] != bytes((self._type,)) or len(key) != _SIZES[self._type] + 16:
            raise ValueError("provisioning response of another type or length")
        key = unpad(aes(self._session, 1).decrypt(key))
        if len(key) != _SIZES[self._type] or unpad(aes(key, 1).decrypt(response[-32:])) != identity:
            raise ValueError("provisioning response whose key does not fit its ID")
        element.store(identity, key)


def burned(fields, mac, credential, store=None):
    """(`Provisioning`, element) of a record that has a ProductSecret; the fingerprint is the MAC (inferred).

    The element is what the store has kept for `credential`, or an empty one that it will keep.
    """
    asks = Provisioning(text(fields, PRODUCT_SECRET), hexlify(mac).upper())
    asks.attempts = Quota(Nvs(), "id2.requests", 4)
    store = store or Identities()
    generation = store.burned()[0]
    element = store.issued(generation, credential) or EmptyElement(
        lambda made: store.save(generation, credential, made)
    )
    return asks, element
