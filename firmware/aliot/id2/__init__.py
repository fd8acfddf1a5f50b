"""ID²: an identity that is an ID and a secret key in a secure element, over iTLS (id2.md). The way in `id2`.

Opt-in: nothing of it is loaded unless a board's record asks for it. The contract of a secure element, which a
driver of a security chip fills in (id2.md 1, 9.1, 10); its key is of type AES_128 or AES_256:

    is_provisioned()     whether there is an identity
    get_id()             the ID: 24 upper-case hex digits, as bytes; 48 F where there is none yet
    ecb_encrypt(blocks)  a multiple of 16 bytes under the key, AES-ECB without padding
    ecb_decrypt(blocks)  the reverse
    store(id, key)       only where an identity may come over the air: keep the first and only one (AES by
                         the key's size), whole or not at all, before returning; CredentialError when there
                         is one already or this is none
"""

import struct
import time

from aliot import forget, part
from aliot.credentials import Identity, device_name, text
from aliot.errors import AliotError, CredentialError
from aliot.sign import hmac_hex
from aliot.store import Nvs
from cryptolib import aes
from micropython import const

_PRODUCT_KEY = const(2)  # tags of aliot.record
_REGION = const(8)
_INSTANCE = const(9)
_HOST = const(10)
_CLIENT_ID = const(11)
_PORT = const(15)
_ID = const(24)  # 24 upper-case hex digits
_KEY = const(25)
_KEY_TYPE = const(26)  # b"AES_128", b"AES_256"


class SoftwareElement:
    """A key in flash that software reads: demo grade unless flash encryption guards it (id2.md 7.8, 9.1).

    `fields` are those of a record in flash (aliot.record); CredentialError when they are not an AES-128 or
    AES-256 identity.
    """

    def __init__(self, fields):
        id, key, kind = [fields.get(tag, b"") for tag in (_ID, _KEY, _KEY_TYPE)]
        if (
            kind not in (b"AES_128", b"AES_256")  # for the others of id2.md 1.1 stock firmware has no cipher
            or kind != b"AES_%d" % (8 * len(key))
            or len(id) != 24
            or id.strip(b"0123456789ABCDEF")
            or not id.strip(b"F")
        ):
            raise CredentialError("ID2 needs 24 hex digits and an AES_128 or AES_256 key, not %s" % kind)
        self.id = id
        self.key = key

    def fields(self):
        """The identity as fields of a _"""
        return {_ID: self.id, _KEY: self.key, _KEY_TYPE: b"AES_%d" % (8 * len(self.key))}

    def is_provisioned(self):
        return len(self.key) > 0

    def get_id(self):
        return self.id

    def ecb_encrypt(self, blocks):
        return aes(self.key, 1).encrypt(blocks)

    def ecb_decrypt(self, blocks):
        return aes(self.key, 1).decrypt(blocks)


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
        self.times = struct.unpack_from("<%dI" % (len(data) // 4), data)

    def check(self):
        """The time in seconds; AliotError `id2.quota`, to be tried later, when none is left."""
        now = int(self.clock())
        self.times = [min(now, at) for at in self.times if now < at + 86400]
        if len(self.times) >= self.limit:
            wait = self.times[-self.limit] + 86400 - now
            raise AliotError("%d in 24 hours, the next in %d s" % (self.limit, wait), "id2.quota", "later")
        return now

    def spend(self):
        """Count one, before it is made; raises as `check` does."""
        now = self.check()
        self.times += [now]
        try:
            self.nvs.write(self.key, struct.pack("<%dI" % len(self.times), *self.times))
        except OSError:
            pass


class Id2(Identity):
    """ProductKey, DeviceName, and a secure element that has an identity or can be given one.

    `element` is the secure element, `provisioning` (aliot.id2.provisioning) what asks for the identity of an
    empty one, `quota` counts authentications. The DeviceName is free, and registered by the platform at the
    first connect; with the product's white list on it has to be one that is registered (id2.md 6).
    """

    TRANSPORT = "itls"
    provisioning = None

    def __init__(self, product_key, name, client_id="", instance=""):
        super().__init__(product_key, name)
        self.client_id = client_id or name
        self.instance = instance
        self.quota = Quota(Nvs(), "id2.logins", 10)

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


def burned(fields, mac):
    """The `Id2` of a burned record's fields; CredentialError names what is missing or wrong.

    Without an ID, the ProductSecret in the record is the token that a first identity is asked with. Host and
    port, where nobody burned them, are put into `fields`: a host only for the public instance of cn-shanghai,
    since no other is public.
    """
    key, client, instance = [text(fields, tag) for tag in (_PRODUCT_KEY, _CLIENT_ID, _INSTANCE)]
    made = Id2(key, device_name(fields, mac), client, instance)
    if _ID in fields or _KEY in fields:
        made.element = SoftwareElement(fields)
    else:
        made.provisioning, made.element = part("id2.provisioning").burned(fields, mac, made)
        if made.element.is_provisioned():
            made.provisioning = None
            globals().pop("provisioning", None)  # the package's own name for it
            forget("id2.provisioning")
    if not instance and fields.get(_REGION, b"cn-shanghai") == b"cn-shanghai":
        fields.setdefault(_HOST, key.encode() + b".itls.cn-shanghai.aliyuncs.com")
    fields.setdefault(_PORT, b"\x5b\x07")  # 1883
    return made
