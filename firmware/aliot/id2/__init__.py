"""ID²: an identity that is an ID and a secret key in a secure element (id2.md). The kind `id2`.

Opt-in: nothing of it is loaded unless a board's record asks for it. The contract of a secure element, which a
driver of a security chip fills in (id2.md 1, 9.1, 10.1); its key is of type AES_128 or AES_256:

    is_provisioned()     whether there is an identity
    get_id()             the ID: 24 upper-case hex digits, as bytes; 48 F where there is none yet
    ecb_encrypt(data)    a multiple of 16 bytes under the key, AES-ECB without padding
    ecb_decrypt(data)    the reverse
    store(id, key)       only where an identity may come over the air: keep the first and only one (AES by
                         the key's size), whole or not at all, before returning; CredentialError when there
                         is one already or this is none

What an application can do with an identity is here too; aliot.id2.codes says how.
"""

from array import array
from time import time

from aliot import load, record
from aliot.credentials import Credential
from aliot.errors import AliotError, CredentialError
from aliot.id2.codes import (
    decrypt,
    derive_key,
    device_code,
    encrypt,
    get_secret,
    verify_server,
)  # for applications
from aliot.sign import hmac_hex
from cryptolib import aes
from esp32 import NVS


class SoftwareElement:
    """A key in flash that software reads: demo grade unless flash encryption guards it (id2.md 7.8, 9.1).

    `fields` are those of a record in flash (aliot.record); CredentialError when they are not an AES-128 or
    AES-256 identity.
    """

    def __init__(self, fields):
        id = fields.get(record.ID2, b"")
        key = fields.get(record.ID2_KEY, b"")
        kind = fields.get(record.ID2_KEY_TYPE, b"")
        if (
            len(key) not in (16, 32)  # for the others of id2.md 1.1 stock firmware has no cipher
            or kind != b"AES_%d" % (8 * len(key))
            or len(id) != 24
            or id.strip(b"0123456789ABCDEF")
            or not id.strip(b"F")
        ):
            raise CredentialError("ID2 needs 24 hex digits and an AES_128 or AES_256 key, not %s" % kind)
        self.id = id
        self.key = key

    def fields(self):
        """The identity as fields of a record."""
        return {
            record.ID2: self.id,
            record.ID2_KEY: self.key,
            record.ID2_KEY_TYPE: b"AES_%d" % (8 * len(self.key)),
        }

    def is_provisioned(self):
        return len(self.key) > 0

    def get_id(self):
        return self.id

    def ecb_encrypt(self, data):
        return aes(self.key, 1).encrypt(data)

    def ecb_decrypt(self, data):
        return aes(self.key, 1).decrypt(data)


class Quota:
    """How often a device may do what costs: `limit` times in any 24 hours, across resets (id2.md 1.4, 1.6).

    So in any calendar day of any time zone. In NVS lies a blob under `key`: the last times, u32 LE each. Where the
    clock stands behind what is kept (it was never set, or was wrong), what is kept counts from now on, so that the
    limit holds but no wait is longer than a day. Without NVS it counts until the next reset.
    """

    def __init__(self, key, limit):
        self.key = key
        self.limit = limit
        data = bytearray(4 * limit)
        try:
            size = NVS("aliot").get_blob(key, data)
        except OSError:
            size = 0
        self.times = array("I", data[: size // 4 * 4])

    def check(self):
        """The time in seconds; AliotError `id2.quota`, to be tried later, when none is left."""
        now = int(time())
        times = array("I")
        for at in self.times:
            if now < at + 86400:
                times.append(min(now, at))
        self.times = times
        if len(times) >= self.limit:
            raise AliotError(
                "%d in 24 hours, the next in %d s" % (self.limit, times[-self.limit] + 86400 - now),
                "id2.quota",
                "later",
            )
        return now

    def spend(self):
        """Count one, before it is made; raises as `check` does."""
        now = self.check()
        self.times.append(now)
        try:
            nvs = NVS("aliot")
            nvs.set_blob(self.key, self.times)
            nvs.commit()
        except OSError:
            pass


class Id2(Credential):
    """ProductKey, DeviceName, and a secure element that has an identity or can be given one.

    `element` is the secure element, `provisioning` (aliot.id2.provisioning) what asks for the identity of an
    empty one, `quota` counts authentications. The DeviceName is free, and registered by the platform at the
    first connect; with the product's white list on it has to be one that is registered (id2.md 6).
    """

    provisioning = None

    def __init__(self, product_key, device_name, client_id="", instance=""):
        super().__init__(product_key, device_name)
        self.client_id = client_id or device_name
        self.instance = instance
        self.quota = Quota("id2.logins", 10)

    def locate(self, settings):
        """Of hosts only the public instance's of cn-shanghai is public (id2.md 3); the ports of TLS stand for 1883.

        CredentialError where none is named elsewhere, or one of TLS is.
        """
        if not settings.host and not settings.instance and settings.region in ("", "cn-shanghai"):
            settings.host = self.product_key + ".itls.cn-shanghai.aliyuncs.com"
        if not settings.host or "mqtt" in settings.host:
            raise CredentialError("the host of iTLS is not public here: set it", "endpoint")
        if settings.port in (0, 443, 8883):
            settings.port = 1883

    def open(self, host, port, roots, timeout):
        """An open stream of aliot.transport.itls; `roots` have no part in it."""
        return load("transport.itls").connect(self, host, port, timeout)

    def login(self, timestamp, sign_method):
        """(client id, its settings, password) of CONNECT (id2.md 6).

        Without a clock the SDKs' constant serves. The password is made as for any device, of any secret: the
        platform does not check it.
        """
        timestamp = timestamp or 2524608000000
        settings = "securemode=8,signmethod=%s,timestamp=%s,authtype=id2" % (sign_method, timestamp)
        if self.instance:
            settings += ",instanceId=" + self.instance
        signed = "clientId%sdeviceName%sproductKey%stimestamp%s" % (
            self.client_id,
            self.device_name,
            self.product_key,
            timestamp,
        )
        return self.client_id, settings, hmac_hex(sign_method, "any-value-works", signed)


def burned(fields, generation, mac, store):
    """The `Id2` of a burned record's fields; CredentialError names what is missing or wrong.

    Without an ID, the ProductSecret in the record is the token that a first identity is asked with. What only a start
    needs is loaded here, since this module stays.
    """
    text = load("names").text
    made = Id2(
        *load("identities").checked(fields, mac),
        text(fields, record.CLIENT_ID),
        text(fields, record.INSTANCE),
    )
    own = (
        fields
        if record.ID2 in fields or record.ID2_KEY in fields
        else (store or load("store").Store()).issued(generation, made)
    )
    if own:
        made.element = SoftwareElement(own)
    else:
        made.provisioning, made.element = load("id2.provisioning").burned(
            text(fields, record.PRODUCT_SECRET), generation, mac, made, store
        )
        made.provisioning.quota = Quota("id2.requests", 4)
    return made
