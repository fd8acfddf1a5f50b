"""Boards with an ID², and boards that ask for one, against an emulated cloud."""

import itertools
import json
import secrets

from tools.emulator.board.boot import Board
from tools.image import flash_image, identity, release

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


def config(**switches):
    """The cloud.toml of a cloud with products that authenticate by ID²."""
    products = [{"product_key": key, "auth": "id2"} for key in (BURNED, EMPTY, LISTED)]
    products[1]["product_secret"] = TOKEN
    products[2]["whitelist"] = True
    return {
        "instance": {"kind": "public", "region": "cn-shanghai"},
        "switches": switches,
        "product": products,
    }


class Units:
    """`board(...)`: a board that was never on, on one of the two interpreters."""

    def __init__(self, cloud, folder, interpreter):
        self.cloud, self.folder, self.interpreter = cloud, folder, interpreter
        self.number = itertools.count(1)
        self.boards, self.said, self.secrets = [], [], {TOKEN}

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
        number = next(self.number)
        name = name or "unit-" + secrets.token_hex(6)
        certificate = self.folder / "certificate.json"
        values = {"way": "id2", "product_key": EMPTY if fields is None else product, "device_name": name}
        certificate.write_text(json.dumps(values | ({"product_secret": TOKEN} if fields is None else fields)))
        program = MAIN.format(first=first, each="\n".join(f"    {line}" for line in each.splitlines()))
        if self.interpreter != "cpython":  # which runs the sources
            program = release.build().shortened(program)
        image = flash_image.build(
            identity=identity.load(certificate),
            files={"/main.py": program.encode()},
            generation=1_800_000_000,
        )
        made = Board(
            image,
            mac="24:0a:" + secrets.token_bytes(4).hex(":"),
            cloud=self.cloud.run_dir,
            heap=heap,
            folder=self.folder / f"board{number}",
            interpreter=self.interpreter,
            log=self.said.append,
            **options,
        )
        made.product_key, made.device_name = values["product_key"], name
        self.boards.append(made)
        return made

    def told(self):
        """The secrets that a console or the cloud's log has told; there must be none."""
        known = self.secrets | {
            one["id2_key"] for one in self.cloud.admin("GET", "/identities?secret=1") if one["id2_key"]
        }
        log = (self.cloud.run_dir / "cloud.log").read_text(errors="replace")
        text = "\n".join([*self.said, log, json.dumps(self.cloud.admin("GET", "/log"))])
        return [secret for secret in known if secret in text]


def online(board):
    """One boot to "connected"; the `Boot`, which must have got there."""
    boot = board.boot(until="connected", timeout=PATIENCE)
    assert boot.reason == "stopped" and boot.state("connected"), f"{boot.reason}\n" + "\n".join(boot.lines)
    return boot


def ends(board, state):
    """One boot to that state; its line."""
    boot = board.boot(until=state, timeout=PATIENCE)
    assert boot.reason == "stopped", f"{boot.reason}\n" + "\n".join(boot.lines)
    return boot.state(state)
