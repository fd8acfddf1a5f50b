"""Boards with the thing model and the platform's services; the test calls them, one expression after the other."""

import json
import secrets
from pathlib import Path

from host_tests.support.cloud.thing import TSL
from host_tests.support.fleet import INSTANCE, REGION, Fleet
from tools.image import tsl

THINGS, RAW = "a1Things001", "a1RawData01"  # with a model; with a script
SCRIPT = Path(__file__).parent.parent / "system/things/raw_script.py"
# a heap with room for what evaluates expressions; the bounds of 112 KB are measured on applications without it
HEAP = "144K"
# an application that evaluates what comes on user/do, and polls `served`; its clocks go ahead by pass_time()
MAIN = """
import json
import time
import machine
ticks, ahead = time.ticks_ms, 0
time.ticks_ms = lambda: (ticks() + ahead) % (time.ticks_add(0, -1) + 1)
def pass_time(seconds):
    global ahead
    ahead += seconds * 1000
    at = time.gmtime(time.time() + seconds)
    machine.RTC().datetime((at[0], at[1], at[2], at[6], at[3], at[4], at[5], 0))
from aliot.device import Device
from aliot.errors import AliotError
def report(**what):
    print(json.dumps(what))
asked = []
device = Device({{"ssid": "site", "password": "password", "timeout": 15000}})
device.start()
device.subscribe("user/do", lambda topic, payload: asked.append(payload.decode()), 1)
{prepare}
def main():
    while not served.poll(20):
        pass
    report(app="ready")
    while True:
        if not served.poll(20):
            pass_time(10)  # the waits before a connect
        if asked:
            try:
                value = eval(asked.pop(0))
            except AliotError as problem:
                value = problem.code
            report(app="did", value=value)
{run}
"""


class ThingFleet(Fleet):
    """`board(prepare)`: what makes `served`, the Thing or the service whose poll serves all of them."""

    @staticmethod
    def config():
        products = [{"product_key": THINGS}, {"product_key": RAW, "script": str(SCRIPT)}]
        return {**Fleet.config(), "product": products, "timing": {"broadcast_seconds": 0}}

    def board(self, prepare, product=THINGS, run="main()", files=None, heap=HEAP, **options):
        """A board that was never on, with an identity of its own; `run` starts the application's main()."""
        name = "thing-" + secrets.token_hex(6)
        fields = {"product_key": product, "device_name": name, "region": REGION, "instance": INSTANCE}
        burned = self.loaded({**fields, "device_secret": self.device(product, name)})
        if product == THINGS:
            self.cloud.admin("POST", f"/products/{THINGS}/tsl", TSL)
            files = {"/model.json": tsl.build(json.dumps(TSL).encode()).data, **(files or {})}
        program = MAIN.format(prepare=prepare, run=run)
        return self.add(self.image(burned, program, files), product, name, heap=heap, **options)

    def do(self, board, expression):
        """What the application's `expression` is, the code of the AliotError that it raises."""
        topic = f"/{board.product_key}/{board.device_name}/user/do"
        self.cloud.admin("POST", "/publish", {"topic": topic, "payload": expression, "qos": 1})
        return json.loads(board.wait_line('"did"'))["value"]

    def call(self, board, action, **parameters):
        """`Data` of a call of the cloud's API on that board's device."""
        named = {"ProductKey": board.product_key, "DeviceName": board.device_name}
        return self.cloud.call(action, **named, **parameters)

    def act(self, board, action, body):
        return self.cloud.act(board.product_key, board.device_name, action, body)

    def value(self, board, identifier):
        """The current value of a property."""
        return self.cloud.device(board.product_key, board.device_name)["properties"].get(identifier)

    def points(self, board, identifier):
        """[(time in ms, value)] of a property, in the order of their times."""
        found, start = [], 0
        while start is not None:
            page = self.call(board, "QueryDevicePropertyData", Identifier=identifier, StartTime=start)
            found += [(one["Time"], one["Value"]) for one in page["List"]["PropertyInfo"]]
            start = page["NextTime"]
        return found

    def messages(self, board, tail, direction="up"):
        """The messages of the device on topics that end so, as they came."""
        query = f"/messages?direction={direction}&pk={board.product_key}&dn={board.device_name}"
        return [one for one in self.cloud.admin("GET", query) if one["topic"].endswith(tail)]
