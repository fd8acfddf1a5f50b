"""Registration with the ProductSecret of the sub-devices' product; gateway.md 5.

It gives out the secret of a sub-device that another gateway has bound, too.
"""

import os
from binascii import hexlify

from aliot import load, record, unload
from aliot.gateway.newcomers import new
from aliot.gateway.pack import collect, pair
from aliot.gateway.items import METHOD
from aliot.gateway.errors import GatewayError
from aliot.gateway.room import make_room
from aliot.log import Secret
from aliot.sign import hmac_hex


def run(gateway, subdevices, strict):
    secrets = products(gateway.device.store)

    def item(name):
        secret = secrets.get(name[0])
        if not secret:
            raise GatewayError("product", "no ProductSecret of " + name[0], "never")
        return proxied(name, secret.reveal(), hexlify(os.urandom(10)).decode())

    return collect(
        gateway,
        new(gateway, subdevices),
        "thing/proxy/provisioning/product_register",
        item,
        30,
        240,
        250,
        b'"params":{"proxieds":[',
        b"]}",
    ) and make_room(gateway.rows, len(gateway.batch))


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
