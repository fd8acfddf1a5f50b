"""A private CA at the emulated cloud, and boards burned with what it issues; as x509.md 1 to 4 go."""

from host_tests.support.fleet import REGION, Fleet
from tools.ca import association, authority, issue
from tools.certificates import pem

PRODUCT, CA_NAME = "a1X509Board", "Factory_CA"
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


def register_ca(cloud, ca, certificate, name=CA_NAME):
    """Registers a CA, unlocked, with its certificate's file, as in the console."""
    proof = ca.verification(cloud.admin("GET", "/registration_code")["code"])
    asked = {
        "name": name,
        "certificate": certificate.read_text(),
        "certificate_file": "ca.cer",
        "verification": pem("CERTIFICATE", proof).decode(),
        "verification_file": "verify.cer",
    }
    cloud.admin("POST", "/cas", asked)


class PrivateCa:
    """A CA in a folder, registered as in the console; `issue(name)` for a device that exists and is associated."""

    def __init__(self, cloud, folder, name=CA_NAME, registered=True):
        self.cloud, self.folder, self.name = cloud, folder, name
        folder.mkdir(parents=True, exist_ok=True)
        authority.create(folder / "ca", name, b"a passphrase for tests", cost=CHEAP)
        self.ca = authority.Authority(folder / "ca").unlock(b"a passphrase for tests")
        if registered:
            self.register()

    def register(self):
        register_ca(self.cloud, self.ca, self.folder / "ca/ca.cer", self.name)

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


class X509Fleet(Fleet):
    """`board(issued)`: a board burned with an issued certificate, whose application posts nothing."""

    @staticmethod
    def config():
        products = [{"product_key": key, "auth": "x509"} for key in (PRODUCT, "a1X509Other")]
        return {**Fleet.config(), "product": products}

    def certified(self, made, **fields):
        """The Identity of an `Issued`, by way of its files."""
        return self.loaded(fields, certificate=made.certificate_pem, private_key=made.key_pem)

    def burned(self, made, config=None, timeout=15000, more="", again="pass", files=None):
        """The flash of such a board; its application may look inside the firmware."""
        program = MAIN.format(config={"timeout": timeout, **(config or {})}, more=more, again=again)
        return self.image(self.certified(made, region=REGION), self.inside(program), files)

    def board(self, made, options=None, **image):
        return self.add(self.burned(made, **image), made.product_key, made.device_name, **(options or {}))
