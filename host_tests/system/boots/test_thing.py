"""A Thing with a model of 20 properties and an outbox of 20 messages in a board's heap, however it is registered.

A first boot, and outages after kicks with 20 messages kept in each, of which none is lost.
"""

import json

import pytest

from host_tests.support.fleet import KINDS, MICROPYTHON, Direct, printed
from tools.image import tsl

# a board that registers for a token holds it too: a Thing comes after that, as the guide has it
AFTER = {"regnwl"}
SPECS = {"min": "-100", "max": "1000", "step": "0.1"}
PROPERTIES = [
    {
        "identifier": f"Property{number:02}",
        "accessMode": "rw",
        "dataType": {"type": "double", "specs": SPECS},
    }
    for number in range(20)
]
MODEL = tsl.build(json.dumps({"properties": PROPERTIES}).encode()).data
BEGIN = """
import json
from aliot.device import Device
device = Device({"ssid": "boots", "password": "password", "timeout": 15000})
"""
START = "device.start()\n"
REGISTER = START + "while device.credential.method:\n    device.poll(0)\n"
THING = """
from aliot.thing import Outbox, Thing
thing = Thing(device, "/model.json", Outbox(20, 4096))
thing.property("Property00")(lambda value: None)
"""
MAIN = """
while not thing.poll(20):
    pass
thing.post({"Property%02d" % place: place + 0.5 for place in range(20)})
number = 0
while True:
    while len(thing.outbox) or not device.connected:
        thing.poll(20)
    print(json.dumps({"app": "delivered", "last": number, "dropped": thing.outbox.dropped}))
    while thing.poll(20):
        pass
    for _ in range(20):
        number += 1
        thing.post(Property01=number)
    print(json.dumps({"app": "kept", "waiting": len(thing.outbox)}))
"""


class ThingFleet(Direct):
    """Boards that have the model's table."""

    def image(self, burned=None, program=None, files=None, **more):
        return super().image(burned, program, {"/model.json": MODEL, **(files or {})}, **more)


FLEET = ThingFleet


@MICROPYTHON
@pytest.mark.parametrize("kind", ["device", *KINDS])
def test_a_first_boot_and_two_outages(fleet, cloud, kind):
    parts = (REGISTER, THING) if kind in AFTER else (THING, START)
    board = fleet.board(kind, main="".join([BEGIN, *parts, MAIN]), heap="112K")
    board.start()
    board.wait_line('"delivered"', 60)
    assert len(cloud.device(board.product_key, board.device_name)["properties"]) == 20
    for last in (20, 40):
        cloud.act(board.product_key, board.device_name, "kick")
        board.wait_line('"waiting": 20', 60)
        board.wait_line(f'"last": {last}', 60)
    assert not board.run.state("error") and {line["dropped"] for line in printed(board, "delivered")} == {0}
    assert values(cloud, board) == list(range(1, 41))


def values(cloud, board):
    """The values of Property01 after the first post in the order in which they came first, as history or alone."""
    found = cloud.admin("GET", f"/messages?direction=up&pk={board.product_key}&dn={board.device_name}")
    posts = [json.loads(one["payload"])["params"] for one in found if one["topic"].endswith("/post")]
    points = []
    for post in posts:
        points += [post] if isinstance(post, dict) else post[0]["properties"]
    return list(dict.fromkeys(point["Property01"]["value"] for point in points))[1:]
