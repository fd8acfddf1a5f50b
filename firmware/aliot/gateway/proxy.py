"""Registration with the ProductSecret of the sub-devices' product; gateway.md 5. Imported when asked for.

It gives out the secret of a sub-device that another gateway has bound, too.
"""

import os
from binascii import hexlify

from aliot.credentials import text
from aliot.gateway.codes import GatewayError
from aliot.gateway.items import number, pairs, proxied
from aliot.gateway.jobs import Register
from aliot.log import Secret
from micropython import const

_SUB_PRODUCTS = const(
    17
)  # the field of the burned record: a line per product, `ProductKey` or `ProductKey ProductSecret`


def products(store):
    """{ProductKey: Secret or None} of the products that were burned for this gateway's sub-devices."""
    found = {}
    for line in text(store.burned()[1], _SUB_PRODUCTS).split("\n"):
        words = line.split()
        if words:
            found[words[0]] = Secret(words[1]) if len(words) > 1 else None
    return found


class ProxyRegister(Register):
    TAIL = "thing/proxy/provisioning/product_register"
    HEAD = '"params":{"proxieds":['
    END = b"]}"

    def __init__(self, gateway, secrets):
        super().__init__(gateway)
        self.secrets = secrets
        self.codes = {}

    def item(self, name):
        secret = self.secrets.get(name[0])
        if not secret:
            raise GatewayError("product", "no ProductSecret of " + name[0])
        return proxied(name, secret.reveal(), hexlify(os.urandom(10)).decode())

    def took(self, batch, data):
        if not isinstance(data, dict):
            return batch
        for name, item in pairs(data.get("failures")):
            problem = item.get("errorDetail")
            if isinstance(problem, dict):
                self.codes[name] = number(problem.get("code"))
        return self.kept(batch, data.get("successes"))

    def _failed(self, name, code, message, failed):
        if code == "absent":
            code = self.codes.get(name, code)
        super()._failed(name, code, message, failed)
