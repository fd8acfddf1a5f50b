"""Who a device is when it connects: a class for each kind of credential; secrets print masked.

What a kind does in its own way is a method here with a default. Kinds that few boards have are in modules of
their own (aliot.token, aliot.x509, aliot.id2); aliot.identities makes credentials out of records.
"""

from aliot import record
from aliot.log import Secret
from aliot.sign import canonical


class Credential:
    """Who a device is, and how it connects; the base of all.

    `method` is how it is registered first ("https", "mqtt", "regnwl"), None when it can connect as it is.
    """

    method = None

    def __init__(self, product_key, device_name):
        self.product_key = product_key
        self.device_name = device_name

    def fields(self):
        """{tag: value} of what a record of it holds beside its owner."""
        return {}

    def locate(self, settings):
        """Name host and port in `settings` (aliot.settings) where nobody has; most kinds have none of their own."""

    def open(self, host, port, roots, timeout):
        """An open stream (aliot.transport) to host:port within `timeout` ms; `roots` names those to trust."""
        from aliot.transport import (
            tls,
        )  # here: the rest of this module is pure, and the tools on the host import it

        return tls.connect(self, host, port, roots, timeout)

    def present(self, context):
        """Give the TLS context a client certificate, and return whether it has one; most kinds have none."""

    def join(self, device, client):
        """Make the MQTT connection on an open stream; whether a session was present."""
        return client.connect(device.clean)


class DeviceCertificate(Credential):
    """ProductKey, DeviceName, DeviceSecret: burned, or issued by registration. direct.md 1.1"""

    def __init__(self, product_key, device_name, device_secret):
        super().__init__(product_key, device_name)
        self.device_secret = Secret(device_secret)

    def fields(self):
        return {record.DEVICE_SECRET: self.device_secret.reveal().encode()}

    def login(self, timestamp, sign_method):
        """(client id, its settings, password) of CONNECT; per-device connects are securemode 2 everywhere."""
        name = self.device_name
        settings = "securemode=2,signmethod=" + sign_method
        signed = {"clientId": name, "deviceName": name, "productKey": self.product_key}
        if timestamp is not None:
            settings += ",timestamp=%s" % timestamp
            signed["timestamp"] = timestamp
        return name, settings, self.device_secret.sign(sign_method, canonical(signed))


class ProductCertificate(Credential):
    """ProductKey, ProductSecret and a DeviceName: what registration starts from. direct.md 2 to 4"""

    def __init__(self, product_key, device_name, product_secret, method):
        super().__init__(product_key, device_name)
        self.product_secret = Secret(product_secret)
        self.method = method
