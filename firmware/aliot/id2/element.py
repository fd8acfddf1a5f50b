"""Where an ID² identity lives: the contract of a secure element, and one in software (id2.md 1, 9.1, 10)."""

from aliot.errors import CredentialError
from cryptolib import aes

# tags of a record (aliot.record)
ID = 24  # 24 upper-case hex digits
KEY = 25
KEY_TYPE = 26  # b"AES_128", b"AES_256"

_SIZES = {b"AES_128": 16, b"AES_256": 32}  # the other types of id2.md 1.1 have no cipher in stock firmware


class SecureElement:
    """What ID² and iTLS ask of the place that holds the key; a driver of a security chip fills it in.

    The key is of type AES_128 or AES_256; for another the driver raises CredentialError.

    is_provisioned()     whether there is an identity
    get_id()             the ID: 24 upper-case hex digits, as bytes
    ecb_encrypt(blocks)  a multiple of 16 bytes under the key, AES-ECB without padding
    ecb_decrypt(blocks)  the reverse
    store(id, key)       only where an identity may come over the air: keep the first and only one (AES by
                         the key's size), whole or not at all, before returning; CredentialError when there
                         is one already or this is none
    """


class SoftwareElement(SecureElement):
    """A key in flash that software reads: demo grade unless flash encryption guards it (id2.md 7.8, 9.1).

    `fields` are those of a record in flash (aliot.record); CredentialError when they are not an AES-128 or
    AES-256 identity.
    """

    def __init__(self, fields):
        identity = fields.get(ID, b"")
        key = fields.get(KEY, b"")
        kind = fields.get(KEY_TYPE, b"none")
        if (
            len(key) != _SIZES.get(kind)
            or len(identity) != 24
            or identity.strip(b"0123456789ABCDEF")
            or not identity.strip(b"F")
        ):
            raise CredentialError("ID2 needs 24 hex digits and an AES_128 or AES_256 key, not %s" % kind)
        self._id = identity
        self._key = key
        self._type = kind

    def fields(self):
        """The identity as fields of a record."""
        return {ID: self._id, KEY: self._key, KEY_TYPE: self._type}

    def is_provisioned(self):
        return True

    def get_id(self):
        return self._id

    def ecb_encrypt(self, blocks):
        return aes(self._key, 1).encrypt(blocks)

    def ecb_decrypt(self, blocks):
        return aes(self._key, 1).decrypt(blocks)
