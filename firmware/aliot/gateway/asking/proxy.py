"""Registration with the ProductSecret of the sub-devices' product; gateway.md 5.

It gives out the secret of a sub-device that another gateway has bound, too.
"""

import os
from binascii import hexlify

from aliot import load, record, unload
from aliot.gateway.asking.items import METHOD, pair
from aliot.gateway.asking.register import Register
from aliot.gateway.errors import GatewayError
from aliot.gateway.replies import number, pairs
from aliot.log import Secret
from aliot.sign import hmac_hex


def ask(gateway, subdevices, strict):
    return ProxyRegister(gateway, products(gateway.device.store)).next(subdevices)


def products(store):
    """{ProductKey: Secret or None} of the products that were burned for this gateway's sub-devices."""
    try:
        store = store or load("store").Store()
        lines = store.burned()[1].get(record.SUB_PRODUCTS, b"").decode().split("\n")
    finally:
        store = None
        unload("store", "record")
    found = {}
    for line in lines:
        words = line.split()
        if words:
            found[words[0]] = Secret(words[1]) if len(words) > 1 else None
    return found


def proxied(name, product_secret, random, method=METHOD):
    """The item of a sub-device that its product's ProductSecret speaks for."""
    proof = hmac_hex(method, product_secret, "deviceName%sproductKey%srandom%s" % (name[1], name[0], random))
    return '%s,"random":"%s","signMethod":"%s","sign":"%s"}' % (pair(name)[:-1], random, method, proof)


class ProxyRegister(Register):
    TAIL = "thing/proxy/provisioning/product_register"
    HEAD = b'"params":{"proxieds":['
    END = b"]}"
    LONGEST = 240

    def __init__(self, gateway, secrets):
        super().__init__(gateway)
        self.secrets = secrets
        self.codes = {}

    def item(self, name):
        secret = self.secrets.get(name[0])
        if not secret:
            raise GatewayError("product", "no ProductSecret of " + name[0], "never")
        return proxied(name, secret.reveal(), hexlify(os.urandom(10)).decode())

    def took(self, batch, data):
        if not isinstance(data, dict):
            return batch
        self.codes.clear()
        for name, item in pairs(data.get("failures")):
            problem = item.get("errorDetail")
            if isinstance(problem, dict):
                self.codes[name] = number(problem.get("code"))
        return self.issued(batch, data.get("successes"))

    def fail(self, name, code, message=""):
        super().fail(name, self.codes.get(name, code) if code == "absent" else code, message)
