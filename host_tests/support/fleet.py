"""A cloud and boards: identities are burned, boards boot on one of the two interpreters, and their lines are read.

`Fleet` is the base. `Direct` has boards that connect by themselves with a secret; the fleets of the other kinds
are in `gateways.py`, `x509.py` and `id2.py`. The fixtures `cloud`, `fleet` and `board` are in host_tests/conftest.py.
"""

import itertools
import json
import secrets
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from tools.emulator.board.boot import Board
from tools.emulator.cloud.process import Cloud, CloudError
from tools.image import flash_image, identity, release

INSTANCE, REGION = "iot-06z00abc", "cn-shanghai"
GENERATION = 1_800_000_000  # of what is burned
IMAGES = 16  # flash images that a fleet keeps
# for a test of a fleet that the MicroPython interpreter alone runs
MICROPYTHON = pytest.mark.parametrize("interpreter", [None], ids=["micropython"])


@contextmanager
def running(config, **options):
    """A cloud in a folder of its own, which ends with it; `config` is a cloud.toml, as text or as a dict."""
    with tempfile.TemporaryDirectory(prefix="aliot-cloud-") as folder:
        with Cloud(config, Path(folder) / "cloud", **options) as cloud:
            yield cloud


def mac_of(name):
    """The MAC that a board goes by whose DeviceName is that MAC in hex."""
    return ":".join(name[at : at + 2] for at in range(0, 12, 2))


class Fleet:
    """Boards of one cloud, or of none, on one interpreter (what `Board` takes for it)."""

    def __init__(self, cloud, folder, interpreter=None):
        self.cloud, self.folder, self.interpreter = cloud, Path(folder), interpreter
        self.folder.mkdir(parents=True, exist_ok=True)
        self.boards, self.lines, self.secrets = (
            [],
            [],
            set(),
        )  # every board, each line of a console, what is known
        self._images, self._number = {}, itertools.count(1)

    @staticmethod
    def config():
        """The cloud.toml that such a fleet needs."""
        return {"instance": {"kind": "enterprise", "id": INSTANCE, "region": REGION}}

    @classmethod
    @contextmanager
    def started(cls):
        """A fleet and its cloud, outside of pytest."""
        with running(cls.config()) as cloud:
            yield cls(cloud, cloud.run_dir.parent / "boards")

    # --- what is burned

    def device(self, product_key, name):
        """Makes a device in the cloud; its DeviceSecret."""
        self.cloud.admin("POST", f"/products/{product_key}/devices", {"device_names": [name]})
        return self.cloud.device(product_key, name, secret=True)["device_secret"]

    def loaded(self, fields, **files):
        """The Identity of a JSON file with these fields; `files` are bytes of files beside it, field by field."""
        folder = self.folder / f"identity{next(self._number)}"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        path = folder / "identity.json"
        path.write_text(json.dumps({**fields, **{name: name for name in files}}))
        return identity.load(path)

    def image(self, burned=None, program=None, files=None, **more):
        """The flash of a board burned with an Identity, or with None; `program` is the text of its main.py."""
        files = {**({} if program is None else {"/main.py": program.encode()}), **(files or {})}
        key = repr((burned and burned.to_record(GENERATION), files, more))
        found = self._images.get(key)
        if found is None:
            if len(self._images) >= IMAGES:
                self._images.clear()
            roots = [self.cloud.ca_der] if self.cloud else ()
            found = self._images[key] = flash_image.build(
                identity=burned, roots=roots, files=files, generation=GENERATION, **more
            )
        return found

    def inside(self, program):
        """A program that uses names of the firmware's inside: as the release has them, where it runs the release."""
        return program if self.interpreter == "cpython" else release.build().shortened(program)

    # --- boards

    def add(self, image, product_key=None, device_name=None, mac=None, **options):
        """A board that was never on, with that flash; it goes by a MAC of its own."""
        board = Board(
            image,
            mac=mac or "24:0a:" + secrets.token_bytes(4).hex(":"),
            **{
                "cloud": self.cloud and self.cloud.run_dir,
                "folder": self.folder / f"board{next(self._number)}",
                "interpreter": self.interpreter,
                "log": self.lines.append,
                **options,
            },
        )
        board.product_key, board.device_name = product_key, device_name
        self.boards.append(board)
        return board

    def off(self):
        """Ends the power of all boards."""
        for board in self.boards:
            if board.on:
                board.power_off()

    # --- what must not be printed

    def known(self):
        """The secrets of these boards: those burned, and those that the cloud has issued."""
        known = set(self.secrets)
        for board in self.boards:
            known |= self.issued(board.product_key, board.device_name) if board.device_name else set()
        return known

    def issued(self, product_key, device_name):
        """All secrets of one device in the cloud."""
        try:
            device = self.cloud.device(product_key, device_name, secret=True)
        except CloudError:  # it was deleted, or never came as far as its registration
            return set()
        tokens = {client["device_token"] for client in device["clients"]}
        return {device["device_secret"], *tokens, *(token["token"] for token in device["iot_tokens"])}

    def leaked(self):
        """The secrets that a console or the cloud's log has shown; there must be none."""
        log = (self.cloud.run_dir / "cloud.log").read_text(errors="replace")
        text = "\n".join([*self.lines, log, json.dumps(self.cloud.admin("GET", "/log"))])
        return [secret for secret in self.known() if secret and secret in text]


# --- boards that connect by themselves with a secret

REGISTERED, FREE = "a1BootsReg1", "a1BootsFree"
PRODUCT_SECRETS = {key: secrets.token_hex(8) for key in (REGISTERED, FREE)}
KINDS = ("https", "mqtt", "regnwl")
# an application that posts nothing, so that a boot ends with "connected"
MAIN = """
from aliot.device import Device
from aliot.wifi import Wifi
device = Device({config!r}, Wifi("boots", "password"))
device.start()
while True:
    device.poll(10)
"""


class Direct(Fleet):
    """`board(kind)`: its device exists in the cloud where it has to; per product it goes by its MAC."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.secrets |= set(PRODUCT_SECRETS.values())
        self.endpoint = {"region": REGION, "instance": INSTANCE}  # of what is burned next

    @staticmethod
    def config():
        products = [
            {"product_key": key, "product_secret": secret, "dynamic_registration": True}
            for key, secret in PRODUCT_SECRETS.items()
        ]
        products[1]["preregistration_free"] = True
        return {**Fleet.config(), "limits": {"units": 5}, "product": products}

    def board(self, kind, timeout=15000, ntp=None, image=None, main=None, **options):
        """A board of that kind: "device", or how it registers, one of KINDS."""
        name, product = "240a" + secrets.token_hex(4), FREE if kind == "regnwl" else REGISTERED
        device_secret = None if kind == "regnwl" else self.device(product, name)
        if not image:
            program = main or MAIN.format(config={"timeout": timeout, **({"ntp": ntp} if ntp else {})})
            image = self.image(self.identity(kind, name, device_secret), program)
        return self.add(image, product, name, mac_of(name), **options)

    def identity(self, kind, name=None, device_secret=None):
        """What is burned for that kind; the name and its secret are a device's, per product it has none."""
        product = FREE if kind == "regnwl" else REGISTERED
        if kind == "device":
            own = {"device_name": name, "device_secret": device_secret}
        else:
            own = {"product_secret": PRODUCT_SECRETS[product], "method": kind}
        return self.loaded({**self.endpoint, "product_key": product, **own})

    def registrations(self, board):
        """How often the cloud has issued something to this board's device."""
        found = self.cloud.admin(
            "GET", f"/log?event=registered&pk={board.product_key}&dn={quote(board.device_name)}"
        )
        return sum(event["code"] == 200 for event in found)


# --- what a board prints


def until(board, holds, seconds=30):
    """Waits until `holds()` is true, and returns what it is; what the board printed last when it does not become so."""
    ends = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < ends, "\n".join(board.run.lines[-20:])
        time.sleep(0.02)  # a cloud and a board in other processes have no event to wait for
    return found


def reaches(board, state, timeout=90):
    """One boot to that state; the `Boot`, which must have got there."""
    boot = board.boot(until=state, timeout=timeout)
    assert boot.reason == "stopped" and boot.state(state), f"{boot.reason}\n" + "\n".join(boot.lines)
    return boot


def online(board, timeout=90):
    """One boot to "connected"; the `Boot`."""
    return reaches(board, "connected", timeout)


def comes_back(board):
    """After whatever happened: the next boot ends connected, and the one after does so without registering."""
    online(board)
    boot = online(board)
    assert not boot.state("registering"), "\n".join(boot.lines)
    return boot


def names(boot):
    """The states of a boot, in order."""
    return [state["aliot"] for state in boot.states]


def printed(board, app):
    """The lines of JSON that an application has printed as `app`."""
    lines = [json.loads(line) for line in board.run.lines if line.startswith("{")]
    return [line for line in lines if line.get("app") == app]
