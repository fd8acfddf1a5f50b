"""A site for tests: products of gateways and of sub-devices, and boards with a gateway's application."""

import itertools
import json
import secrets
import time

from tools.emulator.board.boot import Board
from tools.image import flash_image, identity

GATEWAYS, SENSORS, OFF = "a1GateWays1", "a1Sensors01", "a1SwitchOff"
INSTANCE, REGION = "iot-06z00abc", "cn-shanghai"
PRODUCT_SECRET, GATEWAY_SECRET = secrets.token_hex(8), secrets.token_hex(8)
# an application that does the lines of a test and then serves; PREPARE stands before the first connect
MAIN = """
import json
from aliot.device import Device
from aliot.errors import AliotError
KEY = {sensors!r}
def sub(*numbers):
    return [(KEY, "sensor-%04d" % number) for number in numbers]
def say(**what):
    print(json.dumps(what))
def told(failed):
    return sorted([[name[1], code] for name, code, message in failed])
device = Device({{"ssid": "site", "password": "password", "timeout": 15000}})
device.start()
from aliot.gateway import Gateway, GatewayError
gateway = Gateway(device, timeout={timeout}, spread=0, payload={payload})
{prepare}
while not gateway.poll(20):
    pass
try:
{steps}
except AliotError as problem:
    say(app="failed", code=problem.code, detail=problem.detail, advice=problem.advice)
say(app="done", stored=gateway.stored, online=gateway.online)
while True:
    gateway.poll(50)
{serve}
"""


def config(switches=None, limits=None, count=8, extra=()):
    """The cloud.toml: `count` sensors that exist, and gateways that are made as they are needed."""
    names = [{"device_name": sensor(number)} for number in range(count)]
    return {
        "instance": {"kind": "enterprise", "id": INSTANCE, "region": REGION},
        "product": [
            {
                "product_key": GATEWAYS,
                "node": "gateway",
                "product_secret": GATEWAY_SECRET,
                "dynamic_registration": True,
            },
            {
                "product_key": SENSORS,
                "product_secret": PRODUCT_SECRET,
                "node": "subdevice",
                "dynamic_registration": True,
                "device": names,
            },
            {"product_key": OFF, "node": "subdevice", "device": [{"device_name": "sensor-off"}]},
            *extra,
        ],
        "switches": switches or {},
        "limits": limits or {},
    }


def sensor(number):
    return f"sensor-{number:04}"


def names(*numbers):
    return [{"product_key": SENSORS, "device_name": sensor(number)} for number in numbers]


_unused = itertools.count()


def fresh(count):
    """Numbers of sensors that no test has used."""
    return [next(_unused) for _ in range(count)]


def done(board, timeout=60):
    """What the application said when it had done its steps."""
    return json.loads(board.wait_line('"done"', timeout))


def becomes(site, number, status, seconds=30):
    ends = time.monotonic() + seconds
    while site.status(number) != status:
        assert time.monotonic() < ends, site.boards[-1].run.lines[-20:]
        time.sleep(0.02)


class Site:
    """Boards of one interpreter that are gateways of one cloud."""

    def __init__(self, cloud, folder, interpreter=None):
        self.cloud, self.folder, self.interpreter = cloud, folder, interpreter
        self._number = itertools.count(1)
        self.boards, self.said = [], []

    def gateway(
        self, steps, prepare="", serve="", timeout=10000, payload=None, way="device", burned=None, **options
    ):
        """A board that was never on, burned in that way, whose application does `steps`.

        `burned`: (DeviceName, Identity) of one that exists and has no secret of ours.
        """
        name, who = burned or self._burned(way)
        main = MAIN.format(
            sensors=SENSORS,
            timeout=timeout,
            payload=payload,
            prepare=prepare,
            steps=_indented(steps),
            serve=_indented(serve or "pass"),
        )
        image = flash_image.build(
            identity=who,
            roots=[self.cloud.ca_der],
            files={"/main.py": main.encode()},
            generation=1_800_000_000,
        )
        board = Board(
            image,
            cloud=self.cloud.run_dir,
            folder=self.folder / f"board{next(self._number)}",
            interpreter=self.interpreter,
            log=self.said.append,
            **options,
        )
        board.name = name
        self.boards.append(board)
        return board

    def _burned(self, way):
        """(DeviceName, Identity) of a new gateway with a secret."""
        name = "gw-" + secrets.token_hex(6)
        self.cloud.admin("POST", f"/products/{GATEWAYS}/devices", {"device_names": [name]})
        fields = {"product_key": GATEWAYS, "device_name": name, "region": REGION, "instance": INSTANCE}
        if way == "device":
            fields["device_secret"] = self.cloud.device(GATEWAYS, name, secret=True)["device_secret"]
        else:
            fields.update(product_secret=GATEWAY_SECRET, method=way)
        fields["sub_products"] = [{"product_key": SENSORS, "product_secret": PRODUCT_SECRET}]
        return name, identity.parse(fields)

    def status(self, number):
        return self.cloud.device(SENSORS, sensor(number))["status"]

    def asked(self, board, stage):
        """The codes that the cloud has answered with to a gateway's requests of that kind."""
        found = self.cloud.admin("GET", f"/log?event=gateway%20request&dn={board.name}&stage={stage}")
        return [event["code"] for event in found]

    def told(self):
        """The secrets that a console or the cloud's log has told; there must be none."""
        known = {PRODUCT_SECRET, GATEWAY_SECRET}
        for device in self.cloud.admin("GET", "/devices"):
            if device["product_key"] != GATEWAYS and device["status"] == "inactive":
                continue
            known.add(
                self.cloud.device(device["product_key"], device["device_name"], secret=True)["device_secret"]
            )
        text = "\n".join([*self.said, json.dumps(self.cloud.admin("GET", "/log"))])
        return [secret for secret in known if secret and secret in text]


def _indented(text):
    return "\n".join("    " + line for line in text.strip("\n").split("\n"))
