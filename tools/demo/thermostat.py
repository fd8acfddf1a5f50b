"""A thermostat's day: a value set and a service called, an event, an outage told afterwards, a wish for its return."""

import json
import time

from tools.demo.scene import PATIENCE, Stage, text
from tools.errors import UserError
from tools.firmware import FOLDER
from tools.image import tsl

PRODUCT_KEY, DEVICE_NAME = "a1DemoThing", "thermostat"
DEVICE_SECRET = text(32)
NAME = (PRODUCT_KEY, DEVICE_NAME)
SCENE = "a thermostat with the thing model"
SET, BOOST, WISH = 19, 6, 16  # degrees
KEPT = 8  # posts that the outage lasts: each half a degree warmer than the one before
PERIOD = 250  # ms between two posts: the day has to pass quickly
WIFI = {"ssid": "demo", "password": text(12)}

_DEGREES = {"type": "double", "specs": {"min": "-40", "max": "80", "step": "0.1"}}
MODEL = {
    "properties": [
        {"identifier": "Temperature", "accessMode": "r", "dataType": _DEGREES},
        {"identifier": "Target", "accessMode": "rw", "dataType": _DEGREES},
    ],
    "events": [
        {
            "identifier": "Warm",
            "type": "info",
            "outputData": [{"identifier": "Temperature", "dataType": _DEGREES}],
        }
    ],
    "services": [
        {
            "identifier": "Boost",
            "callType": "sync",
            "inputData": [{"identifier": "degrees", "dataType": _DEGREES}],
            "outputData": [{"identifier": "target", "dataType": _DEGREES}],
        }
    ],
}
PRODUCTS = [
    {
        "product_key": PRODUCT_KEY,
        "device": [{"device_name": DEVICE_NAME, "device_secret": DEVICE_SECRET}],
    }
]


def play(stage: Stage) -> None:
    """The scene of this page: the application is firmware/examples/thing.py."""
    stage.title("A thermostat's day, with the thing model")
    stage.cloud.admin("POST", f"/products/{PRODUCT_KEY}/tsl", MODEL)
    board = stage.burn(
        {"product_key": PRODUCT_KEY, "device_name": DEVICE_NAME, "device_secret": DEVICE_SECRET},
        "thermostat",
        files={
            "/main.py": (FOLDER / "examples" / "thing.py").read_bytes(),
            "/model.json": tsl.build(json.dumps(MODEL).encode()).data,
        },
        config={**WIFI, "period": PERIOD},
        memory="1.26",
    )
    board.access_point(WIFI["ssid"], WIFI["password"])
    stage.run(SCENE, board, "first", NAME, lambda: _day(stage, board, _Server(stage.cloud)))
    _call(stage, "SetDeviceDesiredProperty", Items={"Target": WISH})
    stage.report("desired", f"Target {WISH}, while the board is off: the cloud keeps it as a wish")
    stage.run(SCENE, board, "second", NAME, lambda: _return(stage, board))


def _day(stage, board, server):
    stage.line(board, '"sent": 1')
    stage.report("posted", "Temperature and Target, checked against the model on the board and in the cloud")
    _call(stage, "SetDeviceProperty", Items={"Target": SET})
    stage.line(board, f'"target", "value": {SET}')
    reply = server.next("/thing/downlink/reply/message")
    stage.report(
        "set", f"Target {SET} by the cloud: the board answers {reply['code']}, and posts the new value"
    )
    warm = server.next("/thing/event/Warm/post")
    stage.report("event", f"Warm, Temperature {warm['value']['Temperature']:g}")
    result = _call(stage, "InvokeThingService", Identifier="Boost", Args={"degrees": BOOST})["Result"]
    stage.report(
        "service", f"Boost by {BOOST} degrees, synchronous: the board returns target {result['target']:g}"
    )
    _outage(stage, board, server)


def _outage(stage, board, server):
    board.access_point()
    stage.until(board, "offline")
    felt = []
    while len(felt) < KEPT:
        felt.append(json.loads(stage.line(board, '"posted"'))["temperature"])
    stage.report("outage", f"Wi-Fi is gone; {KEPT} posts wait in the outbox, each with its time")
    board.access_point(WIFI["ssid"], WIFI["password"])
    stage.until(board, "connected")
    arrived = []
    while felt[-1] not in (value for value, _ in arrived):
        point = server.next("/thing/event/property/history/post")["items"]["Temperature"]
        arrived.append((point["value"], point["time"]))
    values, times = zip(*arrived[-KEPT:])
    if list(values) != felt or list(times) != sorted(set(times)):
        raise UserError(f"the demo failed: the board felt {felt}, and its history has {arrived}")
    stage.report("history", f"{KEPT} posts of the outage, in order and with their times: none is lost")


def _return(stage, board):
    stage.line(board, f'"target", "value": {WISH}')
    ends = time.monotonic() + PATIENCE
    while _call(stage, "QueryDeviceDesiredProperty")["List"]["DesiredPropertyInfo"]:
        if time.monotonic() > ends:
            raise UserError("the demo failed: the desired value stays in the cloud")
        stage.pause()
    stage.report("desired", f"the board has asked, taken Target {WISH}, and cleared the wish in its version")


def _call(stage, action, **parameters):
    """`Data` of a call of the cloud's API on the thermostat."""
    return stage.cloud.call(action, ProductKey=PRODUCT_KEY, DeviceName=DEVICE_NAME, **parameters)


class _Server:
    """What a business server has heard of this device: `next(tail)` is the next message on a topic of its own."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.heard = {}  # tail of a topic: the number of its last message

    def next(self, tail):
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            topic = f"/{PRODUCT_KEY}/{DEVICE_NAME}{tail}"
            found = self.cloud.server_messages(self.heard.get(tail, 0), wait=1, topic=topic)
            if found:
                self.heard[tail] = found[0]["seq"]
                return found[0]["body"]
        raise UserError(f"the demo failed: nothing came on {tail} in {PATIENCE} seconds")
