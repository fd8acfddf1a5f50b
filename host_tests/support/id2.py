"""Boards with an ID², and boards that ask for one; and the sessions of the protocol's vectors."""

import json
import secrets

from host_tests.support.fleet import Fleet, reaches
from host_tests.support.paths import VECTORS

BURNED, EMPTY, LISTED = "a1Id2Burned", "a1Id2Empty0", "a1Id2Listed"
PATIENCE = 30  # seconds for a boot
HEAP = "124K"  # of a board: its C heap need not hold TLS, and iTLS is Python
TOKEN = "i11abcdefghijklmnop0123456789ABC"  # the provisioning token of the product EMPTY
# an application that posts nothing; {first} is run before the device starts, {each} at each turn
MAIN = """
from aliot.device import Device
from aliot.wifi import Wifi
device = Device({{"timeout": 5000}}, Wifi("boots", "password"))
device.start()
{first}
while True:
    device.poll(20)
{each}
"""


def id2_config(**switches):
    """The cloud.toml of a cloud with products that authenticate by ID²."""
    products = [{"product_key": key, "auth": "id2"} for key in (BURNED, EMPTY, LISTED)]
    products[1]["product_secret"] = TOKEN
    products[2]["whitelist"] = True
    return {
        "instance": {"kind": "public", "region": "cn-shanghai"},
        "switches": switches,
        "product": products,
    }


class Id2Fleet(Fleet):
    """`board(identity)`: a board with an ID² burned, or one that asks for its own."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.secrets |= {TOKEN}

    config = staticmethod(id2_config)

    def identity(self, product=BURNED, key_type="AES_128"):
        """A new identity of the platform's: {"id2", "id2_key", "id2_type"}."""
        made = self.cloud.admin(
            "POST", f"/products/{product}/identities", {"count": 1, "id2_type": key_type}
        )[0]
        found = self.cloud.admin("GET", f"/identities/{made['id2']}?secret=1")
        self.secrets.add(found["id2_key"])
        return {name: found[name] for name in ("id2", "id2_key", "id2_type")}

    def board(self, fields=None, product=BURNED, name=None, first="", each="", heap=HEAP, **options):
        """A board with an identity burned, or with `fields` None one that asks for its identity."""
        name = name or "unit-" + secrets.token_hex(6)
        if fields is None:
            product, fields = EMPTY, {"product_secret": TOKEN}
        burned = self.loaded({"way": "id2", "product_key": product, "device_name": name, **fields})
        program = MAIN.format(first=first, each="\n".join(f"    {line}" for line in each.splitlines()))
        return self.add(self.image(burned, self.inside(program)), product, name, heap=heap, **options)

    def known(self):
        identities = self.cloud.admin("GET", "/identities?secret=1")
        return super().known() | {one["id2_key"] for one in identities}


def ends(board, state):
    """One boot to that state; its line."""
    return reaches(board, state, PATIENCE).state(state)


def session(name):
    """What the client drew, and what the server sent, in hex."""
    rows = json.loads((VECTORS / "vectors_id2.json").read_text())["itls"]["transcripts"]
    row = next(row for row in rows if row["name"] == name)
    sent = [r for r in row["records"] if r["direction"] == "client_to_server"]
    received = [r["record_hex"] for r in row["records"] if r["direction"] == "server_to_client"]
    hellos = [r["record_hex"][22:86] for r in sent if r["message"] == "ClientHello"]
    given = row["inputs"]
    return {
        "product_key": given["product_key"],
        "id2": given["id2"],
        "key": given["id2_key_hex"],
        "draws": [
            hellos[0],
            given["device_random_ascii"],
            hellos[1],
            *(r["iv_hex"] for r in sent if "iv_hex" in r),
        ],
        "received": "".join(received),
        "connect": next(r["plaintext_hex"] for r in sent if r["content_type"] == 23),
    }
