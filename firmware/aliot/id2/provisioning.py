"""One-time provisioning: an empty device proves the product secret and receives ID and key (id2.md 1.4)."""

from binascii import a2b_base64

from aliot import load, unload
from aliot.errors import CredentialError
from aliot.id2 import SoftwareElement
from aliot.id2.codes import digest, digits, unwrap, wrap


class EmptyElement(SoftwareElement):
    """A software element that can be given its first identity.

    `keep(element)` writes the `fields()` of a new identity in one atomic step and reads them back, or raises.
    """

    id = b"F" * 48  # id2.md 4.2
    key = b""

    def __init__(self, keep):
        self.keep = keep

    def store(self, id, key):
        made = EmptyElement(None)
        made.id = id
        made.key = key
        made = SoftwareElement(made.fields())  # which refuses what is no identity
        if self.key:
            raise CredentialError("there is an ID2 identity already")
        self.keep(made)
        self.id = id
        self.key = key


class Provisioning:
    """What asks for the first identity of a device.

    `secret` is the product's provisioning token, `fingerprint` 1 to 128 bytes that only this device has;
    `quota` (aliot.id2.Quota) is told before each request. CredentialError when the token is none, or of
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
            or secret[0] not in b"ix"
            or secret[1] not in b"12"
            or kind not in b"13"
            or len(key) not in (16, 32)
        ):
            raise CredentialError("the ProductSecret provisions no AES_128 or AES_256 identity")
        self.type = int(kind)
        self.key = key
        self.fingerprint = fingerprint

    def request(self, rng):
        """The bytes that ask for an identity; each request may cost a licence."""
        self.quota.spend()
        self.session = rng(16)
        data = bytes((self.type,)) + self.session + self.fingerprint
        return b"\0\0\1\0" + digest(self.key) + digest(data) + wrap(self.key, data)

    def accept(self, response, element):
        """Store the identity in a response in `element`; ValueError when it is not the answer to the request.

        The published client does not check the padding; here it is checked.
        """
        size = 8 * self.type + 8  # of the key: types 1 and 3
        if len(response) == size + 73 and response[0] == self.type:
            id = response[1:25]
            key = unwrap(self.session, response[25:-32])
            if len(key) == size and unwrap(key, response[-32:]) == id:
                element.store(id, key)
                return
        raise ValueError("provisioning")


def burned(secret, generation, mac, credential, store):
    """(`Provisioning`, element) of a burned record whose ProductSecret is `secret`.

    The fingerprint is the MAC (inferred). The element is empty, and `store` keeps what it is given for `credential`.
    """

    def keep(element):
        (store or load("store").Store()).save(generation, credential, element)
        unload("store", "record")

    return Provisioning(secret, digits(mac)), EmptyElement(keep)
