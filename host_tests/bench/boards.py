"""One emulated cloud for the bench, and boards that run aliot or a bare umqtt.simple script against it."""

import secrets
from pathlib import Path

from host_tests.bench import umqtt_scripts
from host_tests.support.cloud.client import sign
from host_tests.support.fleet import INSTANCE, REGION, Fleet, mac_of
from tools.image.device_files import compile_module

FOLDER = Path(__file__).resolve().parent / "board"
HOST, PORT = f"{INSTANCE}.mqtt.iothub.aliyuncs.com", 8883
REGISTERED, FREE = "a1BenchReg1", "a1BenchFree"
UNIQUE = "bench-unique"  # the device whose secret is burned
KINDS = {
    "unique": "unique certificate",
    "https": "registers by HTTPS",
    "mqtt": "registers by MQTT",
    "regnwl": "preregistration-free",
}
WIFI = {"ssid": "bench", "password": "password"}
SECRETS = {
    REGISTERED: secrets.token_hex(8),
    FREE: secrets.token_hex(8),
    UNIQUE: secrets.token_hex(16),
}


class BenchFleet(Fleet):
    """`with BenchFleet.started() as fleet`: a cloud, and boards of any kind whose devices exist there."""

    @staticmethod
    def config():
        unique = {"device_name": UNIQUE, "device_secret": SECRETS[UNIQUE]}
        products = [
            {"product_key": key, "product_secret": SECRETS[key], "dynamic_registration": True}
            for key in (REGISTERED, FREE)
        ]
        products[0]["device"] = [unique]
        products[1]["preregistration_free"] = True
        return {**Fleet.config(), "limits": {"units": 5}, "product": products}

    # --- boards

    def board(self, kind, files=None, wrong=False, **options):
        """A board that was never on. Per product it goes by its MAC, and its device exists where it has to.

        `files` replace files of the image, `wrong` burns a secret that the cloud does not know.
        """
        name, product = f"240ac4{secrets.token_hex(3)}", FREE if kind == "regnwl" else REGISTERED
        if kind in ("https", "mqtt"):
            self.device(product, name)
        image = self.image(self._identity(kind, wrong), files=files, config=WIFI)
        return self.add(image, product, UNIQUE if kind == "unique" else name, mac_of(name), **options)

    def bare(self, style, tail, files=None, **options):
        """A board without aliot: its main.py is the script of that style, then `tail`."""
        text = self._names() + umqtt_scripts.STYLES[style] + tail
        files = {"/boot.py": b"", **(files or {})}
        return self.add(self.image(None, text, files, with_firmware=False), **options)

    def _identity(self, kind, wrong):
        key = FREE if kind == "regnwl" else REGISTERED
        fields = {"region": REGION, "instance": INSTANCE, "product_key": key}
        if kind == "unique":
            fields.update(device_name=UNIQUE, device_secret="0" * 32 if wrong else SECRETS[UNIQUE])
        else:
            fields.update(product_secret="0" * 16 if wrong else SECRETS[key], method=kind)
        return self.loaded(fields)

    def _names(self):
        """The constants that a script begins with: where it connects and as whom. direct.md 1.1, 1.2."""
        password = sign(SECRETS[UNIQUE], f"clientId{UNIQUE}deviceName{UNIQUE}productKey{REGISTERED}")
        names = {
            "HOST": HOST,
            "PORT": PORT,
            "CLIENT_ID": f"{UNIQUE}|securemode=2,signmethod=hmacsha256|",
            "USER": f"{UNIQUE}&{REGISTERED}",
            "PASSWORD": password,
            "ROOT": f"/roots/{self.cloud.ca_der.name}",
            "TOPIC": f"/{REGISTERED}/{UNIQUE}/user/bench".encode(),
        }
        return "".join(f"{name} = {value!r}\n" for name, value in names.items())

    # --- what the cloud saw

    def suites(self):
        """The TLS versions and cipher suites of all handshakes so far."""
        return sorted(
            {
                f"{event['version']} {event['cipher']}"
                for event in self.cloud.admin("GET", "/log")
                if event["event"] == "handshake"
            }
        )


def device_module(name):
    """{path: bytes} of a module in the folder `board`, compiled, for a flash image."""
    return {f"/{name}.mpy": compile_module((FOLDER / f"{name}.py").read_bytes(), f"{name}.py")}
