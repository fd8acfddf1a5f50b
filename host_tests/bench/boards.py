"""One emulated cloud for the bench, and boards that run aliot or a bare umqtt.simple script against it."""

import hashlib
import hmac
import itertools
import json
import secrets
import tempfile
from pathlib import Path

from tools.emulator.board.boot import Board
from tools.emulator.cloud.process import Cloud
from tools.image import flash_image, identity

FOLDER = Path(__file__).resolve().parent / "board"
INSTANCE, REGION = "iot-06z00abc", "cn-shanghai"
HOST, PORT = f"{INSTANCE}.mqtt.iothub.aliyuncs.com", 8883
REGISTERED, FREE = "a1BenchReg1", "a1BenchFree"
UNIQUE = "bench-unique"  # the device whose secret is burned
WAYS = {
    "unique": "unique certificate",
    "https": "registers by HTTPS",
    "mqtt": "registers by MQTT",
    "regnwl": "preregistration-free",
}
WIFI = {"ssid": "bench", "password": "password"}
GENERATION = 1_800_000_000


class Stage:
    """`with Stage() as stage`: a cloud, and boards of any way whose devices exist there."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="aliot-bench-")
        self.folder = Path(self._folder.name)
        self.secrets = {
            REGISTERED: secrets.token_hex(8),
            FREE: secrets.token_hex(8),
            UNIQUE: secrets.token_hex(16),
        }
        self.cloud = Cloud(self._config(), self.folder / "cloud")
        self._images, self._number = {}, itertools.count(1)

    def __enter__(self):
        self.cloud.start()
        return self

    def __exit__(self, *_):
        self.cloud.stop()
        self._folder.cleanup()

    def _config(self):
        return {
            "instance": {"kind": "enterprise", "id": INSTANCE, "region": REGION},
            "limits": {"units": 5},
            "product": [
                {
                    "product_key": REGISTERED,
                    "product_secret": self.secrets[REGISTERED],
                    "dynamic_registration": True,
                    "device": [{"device_name": UNIQUE, "device_secret": self.secrets[UNIQUE]}],
                },
                {
                    "product_key": FREE,
                    "product_secret": self.secrets[FREE],
                    "dynamic_registration": True,
                    "preregistration_free": True,
                },
            ],
        }

    # --- boards

    def board(self, way, files=None, wrong=False, **options):
        """A board that was never on. Per product it goes by its MAC, and its device exists where it has to.

        `files` replace files of the image, `wrong` burns a secret that the cloud does not know.
        """
        number = next(self._number)
        name = f"240ac4{secrets.token_hex(3)}"
        if way in ("https", "mqtt"):
            self.cloud.admin("POST", f"/products/{REGISTERED}/devices", {"device_names": [name]})
        key = (way, wrong, *sorted((files or {}).items()))
        if key not in self._images:
            self._images[key] = flash_image.build(
                identity=self._identity(way, wrong),
                roots=[self.cloud.ca_der],
                config=WIFI,
                generation=GENERATION,
                files=files,
            )
        board = self._started(self._images[key], name, number, options)
        board.product_key = FREE if way == "regnwl" else REGISTERED
        board.device_name = UNIQUE if way == "unique" else name
        return board

    def bare(self, style, tail, files=None, **options):
        """A board without aliot: its main.py is the script of that style, then `tail`."""
        text = self._names() + (FOLDER / f"{style}.py").read_text() + tail
        image = flash_image.build(
            roots=[self.cloud.ca_der],
            with_firmware=False,
            files={"/main.py": text.encode(), "/boot.py": b"", **(files or {})},
        )
        return self._started(image, f"240ac4{secrets.token_hex(3)}", next(self._number), options)

    def _started(self, image, name, number, options):
        mac = ":".join(name[at : at + 2] for at in range(0, 12, 2))
        return Board(
            image, mac=mac, cloud=self.cloud.run_dir, folder=self.folder / f"board{number}", **options
        )

    def _identity(self, way, wrong):
        key = FREE if way == "regnwl" else REGISTERED
        fields = {"region": REGION, "instance": INSTANCE, "product_key": key}
        if way == "unique":
            fields.update(device_name=UNIQUE, device_secret="0" * 32 if wrong else self.secrets[UNIQUE])
        else:
            fields.update(product_secret="0" * 16 if wrong else self.secrets[key], method=way)
        path = self.folder / f"{way}.json"
        path.write_text(json.dumps(fields))
        return identity.load(path)

    def _names(self):
        """The constants that a script begins with: where it connects and as whom. direct.md 1.1, 1.2."""
        signed = f"clientId{UNIQUE}deviceName{UNIQUE}productKey{REGISTERED}"
        password = hmac.new(self.secrets[UNIQUE].encode(), signed.encode(), hashlib.sha256).hexdigest()
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
    from tools.image.device_files import compile_module

    return {f"/{name}.mpy": compile_module((FOLDER / f"{name}.py").read_bytes(), f"{name}.py")}
