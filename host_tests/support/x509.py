"""A maker with a CA of its own at the emulated cloud, and boards burned with what it issues; as x509.md 1 to 4 go."""

import itertools
import json

from tools.ca import association, authority, issue
from tools.ca.keys import pem
from tools.emulator.board.boot import Board
from tools.image import flash_image, identity, release

PRODUCT, CA_NAME = "a1X509Board", "Factory_CA"
INSTANCE, REGION = "iot-06z00abc", "cn-shanghai"
CHEAP = 2**10  # scrypt
# an application that posts nothing; what comes after start() and before the loop is put in
MAIN = """
import json
from aliot.device import Device
from aliot.wifi import Wifi
device = Device({config!r}, Wifi("factory", "password"))
device.subscribe("user/get", lambda topic, payload: print(json.dumps({{"got": payload.decode()}})))
device.start()
{more}
while True:
    device.poll(10)
    {again}
"""


def config():
    """The cloud.toml of these tests."""
    return {
        "instance": {"kind": "enterprise", "id": INSTANCE, "region": REGION},
        "product": [{"product_key": PRODUCT, "auth": "x509"}, {"product_key": "a1X509Other", "auth": "x509"}],
    }


class Factory:
    """One CA, registered as in the console, in a folder; `board(name)` for a device that exists and is associated."""

    def __init__(self, cloud, folder, name=CA_NAME, registered=True):
        self.cloud, self.folder, self.name = cloud, folder, name
        folder.mkdir(parents=True, exist_ok=True)
        authority.create(folder / "ca", name, b"a passphrase for tests", cost=CHEAP)
        self.ca = authority.Authority(folder / "ca").unlock(b"a passphrase for tests")
        self._number = itertools.count(1)
        if registered:
            self.register()

    def register(self):
        code = self.cloud.admin("GET", "/registration_code")["code"]
        proof = pem("CERTIFICATE", self.ca.verification(code)).decode()
        self.cloud.admin(
            "POST",
            "/cas",
            {
                "name": self.name,
                "certificate": (self.folder / "ca/ca.cer").read_text(),
                "verification": proof,
            },
        )

    def issue(self, name, product=PRODUCT, associated=True, **more):
        """An `Issued`; the device exists then, and with `associated` the cloud knows whose certificate it is."""
        if not any(device["device_name"] == name for device in self.cloud.admin("GET", "/devices")):
            self.cloud.admin("POST", f"/products/{product}/devices", {"device_names": [name]})
        made = issue.issue(self.ca, product, name, **more)
        if associated:
            self.associate((product, name, made.serial))
        return made

    def associate(self, *rows):
        piece = association.Piece(rows[0][0], 1, rows)
        self.cloud.admin("POST", f"/cas/{self.name}/association", {"csv": association.render(piece).decode()})

    def image(self, made, config=None, timeout=15000, more="", again="pass", files=None, sources=False):
        """The flash of a board with an issued certificate, burned by way of its JSON file.

        Its application may look inside the firmware, whose names are those of the sources with `sources`.
        """
        stem = self.folder / f"board{next(self._number)}"
        stem.with_suffix(".cer").write_bytes(made.certificate_pem)
        stem.with_suffix(".key").write_bytes(made.key_pem)
        stem.with_suffix(".json").write_text(
            json.dumps(
                {
                    "certificate": stem.with_suffix(".cer").name,
                    "private_key": stem.with_suffix(".key").name,
                    "region": REGION,
                }
            )
        )
        settings = {"timeout": timeout, **(config or {})}
        program = MAIN.format(config=settings, more=more, again=again)
        program = program if sources else release.build().shortened(program)
        return flash_image.build(
            identity=identity.load(stem.with_suffix(".json")),
            roots=[self.cloud.ca_der],
            files={"/main.py": program.encode(), **(files or {})},
            generation=1_800_000_000,
        )

    def board(self, made, interpreter=None, options=None, **image):
        return Board(
            self.image(made, sources=interpreter == "cpython", **image),
            cloud=self.cloud.run_dir,
            interpreter=interpreter,
            folder=self.folder / f"flash{next(self._number)}",
            **(options or {}),
        )


def names(boot):
    return [state["aliot"] for state in boot.states]


def online(board, timeout=90):
    """One boot to "connected"; the `Boot`, which must have got there."""
    boot = board.boot(until="connected", timeout=timeout)
    assert boot.reason == "stopped" and boot.state("connected"), f"{boot.reason}\n" + "\n".join(boot.lines)
    return boot
