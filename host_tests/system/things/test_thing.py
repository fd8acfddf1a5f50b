"""Each call of a Thing on an emulated board, against the emulated cloud."""

import json

from host_tests.support.fleet import until
from host_tests.support.things import THINGS, ThingFleet

FLEET = ThingFleet
THING = """
from aliot.services import rrpc
from aliot.thing import Thing, ThingError
served = thing = Thing(device, "/model.json")
@thing.property("Count")
def count(value):
    if value == 13:
        raise ThingError(100013, "unlucky")
@thing.property("Label")
def label(value):
    return value[:3]
@thing.service("Reset")
def reset(delay):
    return {"accepted": delay < 10}
@thing.service("Weigh")
def weigh():
    return {"weight": 2.5}
"""


def test_each_call_of_a_thing(fleet, cloud):
    board = fleet.board(THING)
    fleet.call(board, "SetDeviceDesiredProperty", Items={"Count": 7}, Versions={})
    board.start()
    board.wait_line('"ready"')
    desired_is_applied(fleet, board)
    posts_and_events(fleet, board)
    sets_and_gets(fleet, board)
    services(fleet, board)
    history(fleet, board)
    assert not board.run.state("error"), board.run.lines


def desired_is_applied(fleet, board):
    until(board, lambda: fleet.value(board, "Count") == 7)
    desired = fleet.call(board, "QueryDeviceDesiredProperty")["List"]["DesiredPropertyInfo"]
    assert desired == []


def posts_and_events(fleet, board):
    assert fleet.do(board, "thing.post(Temp=21.5, Switch=True)") is True
    until(board, lambda: (fleet.value(board, "Temp"), fleet.value(board, "Switch")) == (21.5, 1))
    assert fleet.do(board, "thing.post(Temp=200)") == "thing.6307"
    assert fleet.do(board, 'thing.event("alarm", errorCode="E1", level=3)') is True
    assert until(board, lambda: events(fleet, board)) == [{"errorCode": "E1", "level": 3}]


def events(fleet, board):
    found = fleet.call(board, "QueryDeviceEventData", Identifier="alarm")["List"]["EventInfo"]
    return [one["OutputData"] for one in found]


def sets_and_gets(fleet, board):
    def set_to(**values):
        return fleet.act(board, "property", {"params": values, "wait": 20})["reply"]["code"]

    assert [set_to(Label="abcdef"), set_to(Count=13), set_to(Switch=0)] == [200, 100013, 460]
    until(board, lambda: fleet.value(board, "Label") == "abc")
    found = fleet.act(board, "property/get", {"params": ["Count", "Label"], "wait": 20})["reply"]
    assert (found["code"], found["data"]) == (200, {"Count": 7, "Label": "abc"})


def services(fleet, board):
    """Asynchronous, and synchronous by both ways of RRPC."""
    found = fleet.act(board, "service/Reset", {"params": {"delay": 5}, "wait": 20})["reply"]
    assert (found["code"], found["data"]) == (200, {"accepted": 1})
    weighed = [fleet.call(board, "InvokeThingService", Identifier="Weigh", Args={})["Result"]]
    fleet.do(board, '[rrpc.on(device, lambda payload: b"pong", "user/get"), device.stop()]')
    board.wait_for("connected")
    weighed.append(fleet.call(board, "InvokeThingService", Identifier="Weigh", Args={})["Result"])
    assert weighed == [{"weight": 2.5}] * 2
    asked = [one["topic"] for one in fleet.cloud.admin("GET", f"/messages?direction=down&pk={THINGS}")]
    names = f"/sys/{THINGS}/{board.device_name}"
    own = [one for one in asked if board.device_name in one and "rrpc" in one]
    assert own[0].startswith(f"{names}/rrpc/request/") and own[1].endswith(f"{names}/thing/service/Weigh")


def history(fleet, board):
    """What is posted while the device is offline arrives with its times, the newest value again as the current one."""
    posts = "thing.post(Count=1), thing.post(Count=2), thing.event('alarm', errorCode='E2')"
    assert fleet.do(board, f"[device.stop(), {posts}]") == [None, False, False, False]
    until(board, lambda: fleet.value(board, "Count") == 2)
    assert [value for _, value in fleet.points(board, "Count")] == [7, 1, 2, 2]
    assert events(fleet, board)[-1] == {"errorCode": "E2"}
    assert fleet.do(board, "[len(thing.outbox), thing.outbox.dropped]") == [0, 0]
    [sent] = fleet.messages(board, "property/history/post")
    [item] = json.loads(sent["payload"])["params"]
    assert [one["Count"]["value"] for one in item["properties"]] == [1, 2] and len(item["events"]) == 1
