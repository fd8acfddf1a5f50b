"""Boards that are gateways: products of gateways and of sub-devices, and a gateway's application."""

import itertools
import json
import secrets

from host_tests.support.fleet import INSTANCE, REGION, Fleet, until

GATEWAYS, SENSORS, OFF = "a1GateWays1", "a1Sensors01", "a1SwitchOff"
PRODUCT_SECRET, GATEWAY_SECRET = secrets.token_hex(8), secrets.token_hex(8)
# an application that does the lines of a test and then serves; PREPARE stands before the first connect
MAIN = """
import json
from aliot.device import Device
from aliot.errors import AliotError
KEY = {sensors!r}
def sub(*numbers):
    return [(KEY, "sensor-%04d" % number) for number in numbers]
def report(**what):
    print(json.dumps(what))
def refusals(failed):
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
    report(app="failed", code=problem.code, detail=problem.detail, advice=problem.advice)
report(app="done", stored=gateway.stored, online=gateway.online)
while True:
    gateway.poll(50)
{serve}
"""


def gateway_config(switches=None, limits=None, count=8, extra=()):
    """The cloud.toml: `count` sensors that exist, and gateways that are made as they are needed."""
    names = [{"device_name": sensor(number)} for number in range(count)]
    return {
        **Fleet.config(),
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


def becomes(fleet, number, status, seconds=30):
    until(fleet.boards[-1], lambda: fleet.status(number) == status, seconds)


class GatewayFleet(Fleet):
    """`board(steps)`: a gateway whose application does the lines of a test."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.secrets |= {PRODUCT_SECRET, GATEWAY_SECRET}

    @staticmethod
    def config():
        return gateway_config(count=400)

    def board(
        self, steps, prepare="", serve="", timeout=10000, payload=None, kind="device", burned=None, **options
    ):
        """A board that was never on, with an identity of that kind, whose application does `steps`.

        `burned`: (ProductKey, DeviceName, Identity) of one that exists and has no secret of ours.
        """
        product, name, burned = burned or (GATEWAYS, *self._burned(kind))
        program = MAIN.format(
            sensors=SENSORS,
            timeout=timeout,
            payload=payload,
            prepare=prepare,
            steps=_indented(steps),
            serve=_indented(serve or "pass"),
        )
        return self.add(self.image(burned, program), product, name, **options)

    def _burned(self, kind):
        """(DeviceName, Identity) of a new gateway with a secret."""
        name = "gw-" + secrets.token_hex(6)
        fields = {"product_key": GATEWAYS, "device_name": name, "region": REGION, "instance": INSTANCE}
        device_secret = self.device(GATEWAYS, name)
        if kind == "device":
            fields["device_secret"] = device_secret
        else:
            fields.update(product_secret=GATEWAY_SECRET, method=kind)
        fields["sub_products"] = [{"product_key": SENSORS, "product_secret": PRODUCT_SECRET}]
        return name, self.loaded(fields)

    def status(self, number):
        return self.cloud.device(SENSORS, sensor(number))["status"]

    def asked(self, board, stage):
        """The codes that the cloud has answered with to a gateway's requests of that kind."""
        found = self.cloud.admin("GET", f"/log?event=gateway%20request&dn={board.device_name}&stage={stage}")
        return [event["code"] for event in found]

    def known(self):
        """Those of the sub-devices too that have ever been on."""
        known = super().known()
        for device in self.cloud.admin("GET", "/devices"):
            if device["status"] != "inactive":
                known |= self.issued(device["product_key"], device["device_name"])
        return known


def _indented(text):
    return "\n".join("    " + line for line in text.strip("\n").split("\n"))
