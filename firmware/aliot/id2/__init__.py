"""ID²: an identity that is an ID and a secret key in a secure element, over iTLS (id2.md). The way in `id2`.

Opt-in: nothing of it is loaded unless a board's record asks for it.
"""

from aliot import part, record
from aliot.credentials import Identity, device_name, text
from aliot.id2.element import ID, KEY, SoftwareElement
from aliot.id2.quota import Quota
from aliot.sign import hmac_hex
from aliot.store import Nvs


class Id2(Identity):
    """ProductKey, DeviceName, and a secure element that has an identity or can be given one.

    `element` is the secure element, `provisioning` (aliot.id2.provisioning) what asks for the identity of an
    empty one, `quota` counts authentications. The DeviceName is free, and registered by the platform at the
    first connect; with the product's white list on it has to be one that is registered (id2.md 6).
    """

    TRANSPORT = "itls"
    provisioning = None

    def __init__(self, product_key, device_name, client_id="", instance=""):
        super().__init__(product_key, device_name)
        self.client_id = client_id or device_name
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
    name = device_name(fields, mac)
    made = Id2(
        text(fields, record.PRODUCT_KEY), name, text(fields, record.CLIENT_ID), text(fields, record.INSTANCE)
    )
    if ID in fields or KEY in fields:
        made.element = SoftwareElement(fields)
    else:
        made.provisioning, made.element = part("id2.provisioning").burned(fields, mac, made)
    if not made.instance and fields.get(record.REGION, b"cn-shanghai") == b"cn-shanghai":
        fields.setdefault(record.HOST, made.product_key.encode() + b".itls.cn-shanghai.aliyuncs.com")
    fields.setdefault(record.PORT, b"\x5b\x07")  # 1883
    return made
