"""Boards for campaigns: one burned image for each way in, any number of boards that go by their MAC."""

import itertools
import json
import secrets
from urllib.parse import quote

from tools.emulator.board.boot import Board
from tools.emulator.cloud.process import CloudError
from tools.image import flash_image, identity

INSTANCE, REGION = "iot-06z00abc", "cn-shanghai"
REGISTERED, FREE = "a1BootsReg1", "a1BootsFree"
WAYS = ("https", "mqtt", "regnwl")
# an application that posts nothing, so that a boot ends with "connected"
MAIN = """
from aliot.device import Device
from aliot.wifi import Wifi
device = Device({config!r}, Wifi("boots", "password"))
device.start()
while True:
    device.poll(10)
"""


def config(device_secrets):
    """The cloud.toml of the campaigns' cloud."""
    return {
        "instance": {"kind": "enterprise", "id": INSTANCE, "region": REGION},
        "limits": {"units": 5},
        "product": [
            {
                "product_key": REGISTERED,
                "product_secret": device_secrets[REGISTERED],
                "dynamic_registration": True,
            },
            {
                "product_key": FREE,
                "product_secret": device_secrets[FREE],
                "dynamic_registration": True,
                "preregistration_free": True,
            },
        ],
    }


class Fleet:
    """`board(way)`: a board that was never on, whose device exists in the cloud where it has to."""

    def __init__(self, cloud, secret, folder, interpreter):
        self.cloud, self.secret, self.folder, self.interpreter = cloud, secret, folder, interpreter
        self.endpoint = {"region": REGION, "instance": INSTANCE}  # of what is burned next
        self._images, self._number = {}, itertools.count(1)
        self.boards, self.said = [], []  # every board; every line on any console

    def board(self, way, timeout=15000, ntp=None, image=None, main=None, **options):
        number = next(self._number)
        mac = secrets.token_bytes(4)
        name = (b"\x24\x0a" + mac).hex()
        product = FREE if way == "regnwl" else REGISTERED
        device_secret = None
        if way != "regnwl":
            self.cloud.admin("POST", f"/products/{product}/devices", {"device_names": [name]})
        if way == "device":
            device_secret = self.cloud.device(product, name, secret=True)["device_secret"]
        data = image or self.image(way, timeout, ntp, name, device_secret, main)
        board = Board(
            data,
            mac=":".join(name[i : i + 2] for i in range(0, 12, 2)),
            cloud=self.cloud.run_dir,
            folder=self.folder / f"board{number}",
            interpreter=self.interpreter,
            log=self.said.append,
            **options,
        )
        board.product_key, board.device_name = product, name
        self.boards.append(board)
        return board

    def image(self, way, timeout=15000, ntp=None, name=None, device_secret=None, main=None):
        """The flash of a board burned for that way; per product it is the same for all boards."""
        key = (way, timeout, str(ntp), device_secret, main, str(self.endpoint))
        if key not in self._images:
            program = main or MAIN.format(config={"timeout": timeout, **({"ntp": ntp} if ntp else {})})
            self._images[key] = flash_image.build(
                identity=self.identity(way, name, device_secret),
                roots=[self.cloud.ca_der],
                files={"/main.py": program.encode()},
                generation=1_800_000_000,
            )
        return self._images[key]

    def identity(self, way, name=None, device_secret=None):
        fields = dict(self.endpoint)
        if way == "device":
            fields.update(product_key=REGISTERED, device_name=name, device_secret=device_secret)
        else:
            product = FREE if way == "regnwl" else REGISTERED
            fields.update(product_key=product, product_secret=self.secret[product], method=way)
        path = self.folder / "certificate.json"
        path.write_text(json.dumps(fields))
        return identity.load(path)

    def told(self):
        """The secrets of these boards that a console or the cloud's log has told; there must be none."""
        known = set(self.secret.values())
        for board in self.boards:
            try:
                device = self.cloud.device(board.product_key, board.device_name, secret=True)
            except CloudError:  # a unit that never came as far as its registration
                continue
            known |= {device["device_secret"], *(client["device_token"] for client in device["clients"])}
            known |= {token["token"] for token in device["iot_tokens"]}
        log = (self.cloud.run_dir / "cloud.log").read_text(errors="replace")
        text = "\n".join([*self.said, log, json.dumps(self.cloud.admin("GET", "/log"))])
        return [secret for secret in known if secret and secret in text]

    def registrations(self, board):
        """How often the cloud has issued something to this board's device."""
        found = self.cloud.admin(
            "GET", f"/log?event=registered&pk={board.product_key}&dn={quote(board.device_name)}"
        )
        return sum(event["code"] == 200 for event in found)


def online(board, timeout=90):
    """One boot to "connected"; the `Boot`, which must have got there."""
    boot = board.boot(until="connected", timeout=timeout)
    assert boot.reason == "stopped" and boot.state("connected"), f"{boot.reason}\n" + "\n".join(boot.lines)
    return boot


def comes_back(board):
    """After whatever happened: the next boot ends connected, and the one after does so without registering."""
    online(board)
    boot = online(board)
    assert not boot.state("registering"), "\n".join(boot.lines)
    return boot
