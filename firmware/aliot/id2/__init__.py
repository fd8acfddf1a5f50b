"""ID²: an identity that is an ID and a secret key in a secure element (id2.md). The kind `id2`.

Opt-in: nothing of it is loaded unless a board's record asks for it. The contract of a secure element, which a
driver of a security chip fills in (id2.md 1, 9.1, 10); its key is of type AES_128 or AES_256:

    is_provisioned()     whether there is an identity
    get_id()             the ID: 24 upper-case hex digits, as bytes; 48 F where there is none yet
    ecb_encrypt(data)    a multiple of 16 bytes under the key, AES-ECB without padding
    ecb_decrypt(data)    the reverse
    store(id, key)       only where an identity may come over the air: keep the first and only one (AES by
                         the key's size), whole or not at all, before returning; CredentialError when there
                         is one already or this is none

aliot.id2.codes is what both sides prove to each other with, and what an application can do with an identity.
"""

import time
from array import array

from aliot import load, names, record
from aliot.credentials import Credential
from aliot.errors import AliotError, CredentialError
from aliot.sign import hmac_hex
from aliot.store import Nvs, owner
from cryptolib import aes


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
        return {record.ID2: self.id, record.ID2_KEY: self.key, record.ID2_KEY_TYPE: b"AES_%d" % (8 * len(self.key))}

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

    So in any calendar day of any time zone. `nvs` reads and writes a blob (aliot.store.Nvs) under `key`: the
    last times, u32 LE each. `clock` gives seconds. Where it stands behind what is kept (it was never set, or
    it was wrong), what is kept counts from now on, so that the limit holds but no wait is longer than a day.
    Without NVS it counts until the next reset.
    """

    def __init__(self, nvs, key, limit, clock=time.time):
        self.nvs = nvs
        self.key = key
        self.limit = limit
        self.clock = clock
        try:
            data = nvs.read(key) or b""
        except OSError:
            data = b""
        self.times = array("I", data[: len(data) // 4 * 4])

    def check(self):
        """The time in seconds; AliotError `id2.quota`, to be tried later, when none is left."""
        now = int(self.clock())
        times = array("I")
        for at in self.times:
            if now < at + 86400:
                times.append(min(now, at))
        self.times = times
        if len(times) >= self.limit:
            wait = times[-self.limit] + 86400 - now
            raise AliotError("%d in 24 hours, the next in %d s" % (self.limit, wait), "id2.quota", "later")
        return now

    def spend(self):
        """Count one, before it is made; raises as `check` does."""
        now = self.check()
        self.times.append(now)
        try:
            self.nvs.write(self.key, bytes(self.times))
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
        self.quota = Quota(Nvs(), "id2.logins", 10)

    def locate(self, settings):
        """Port 1883 is iTLS's; of hosts only the public instance's of cn-shanghai is public (id2.md 3)."""
        if not settings.host and not settings.instance and settings.region in ("", "cn-shanghai"):
            settings.host = self.product_key + ".itls.cn-shanghai.aliyuncs.com"
        settings.port = settings.port or 1883

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

    Without an ID, the ProductSecret in the record is the token that a first identity is asked with.
    """
    from aliot.identities import name_of

    made = Id2(names.check_product_key(names.text(fields, record.PRODUCT_KEY)), names.check_device_name(name_of(fields, mac)),
               names.text(fields, record.CLIENT_ID), names.text(fields, record.INSTANCE))
    found = 0, fields
    if record.ID2 not in fields and record.ID2_KEY not in fields:
        found = store.newest("issued", owner(generation, made))
    if found:
        made.element = SoftwareElement(found[1])
    else:
        made.provisioning, made.element = load("id2.provisioning").burned(
            names.text(fields, record.PRODUCT_SECRET), generation, mac, made, store
        )
        made.provisioning.quota = Quota(Nvs(), "id2.requests", 4)
    return made
