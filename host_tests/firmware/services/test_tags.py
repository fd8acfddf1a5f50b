"""Tags and raw data, against a scripted peer."""

from aliot.services import tags
from aliot.services.raw import Raw
from device_peer import NAMES, DevicePeer, raised

HEAP = "256K"
UPDATE, DELETE = "thing/deviceinfo/update", "thing/deviceinfo/delete"
DOWN, UP = "thing/model/down_raw", "thing/model/up_raw"
RRPC = "/ext/rrpc/7/sys/" + NAMES + "/" + DOWN
TABLES = {
    "test_tags_that_cannot_be": [
        ("no name", {"": "1"}),
        ("a digit first", {"1a": "1"}),
        ("a hyphen", {"a-b": "1"}),
        ("a long name", {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": "1"}),
        ("no text for a name", {5: "1"}),
        ("a blank", {"a": "1 2"}),
        ("a quote", {"a": '"'}),
        ("empty", {"a": ""}),
        ("a number", {"a": 5}),
        ("none at all", {}),
    ],
    "test_refusals": [(460, "never"), (6100, "never"), (500, "later")],
}


def test_tags_go_as_the_document_has_them():
    peer = DevicePeer(lambda topic, message: (200, {}))
    tags.start(peer)
    assert peer.extra == ",_ss=1"
    tags.update(peer, {"Temperature": "36.8", "_room_1": "\u53a8\u623f-A_b.2"})
    tags.delete(peer, "Temperature", "floor")
    topic, message = peer.sent[0]
    assert topic == UPDATE and message["method"] == "thing.deviceinfo.update"
    pairs = [(one["attrKey"], one["attrValue"]) for one in message["params"]]
    assert sorted(pairs) == [("Temperature", "36.8"), ("_room_1", "\u53a8\u623f-A_b.2")]
    topic, message = peer.sent[1]
    assert topic == DELETE and message["params"] == [{"attrKey": "Temperature"}, {"attrKey": "floor"}]


def test_tags_that_cannot_be(name, values):
    peer = DevicePeer(lambda topic, message: (200, {}))
    assert raised(tags.update, peer, values).code == "thing.460" and not peer.sent
    if values and name not in ("a blank", "a quote", "empty", "a number"):
        assert raised(tags.delete, peer, *values).code == "thing.460" and not peer.sent


def test_too_many_tags():
    peer = DevicePeer(lambda topic, message: (200, {}))
    names = ["t%d" % number for number in range(201)]
    assert raised(tags.delete, peer, *names).code == "thing.460"
    tags.delete(peer, *names[:200])


def test_refusals(code, retry):
    peer = DevicePeer(lambda topic, message: (code, {}))
    problem = raised(tags.update, peer, {"a": "1"})
    assert problem.number == code and problem.retry == retry


def test_silence_and_no_connection():
    peer = DevicePeer()
    assert raised(tags.update, peer, {"a": "1"}, 500).code == "thing.silent" and peer.ms <= 502
    peer.client = None
    assert raised(tags.update, peer, {"a": "1"}).code == "offline"


def test_raw_data_goes_up_and_comes_down():
    peer = DevicePeer(lambda topic, message: [(UP + "_reply", b"\x01\xff")] if topic == UP else None)
    got = []
    raw = Raw(peer, lambda payload: got.append(payload) or b"ok\xfe")
    assert peer.subscribed == [UP + "_reply", DOWN] and peer.extra == ",_ss=1,ext=1"
    raw.post(b"\0\0\x22\x33")
    assert raw.request(b"\0") == b"\x01\xff"
    peer.deliver(DOWN, b"\x05")
    peer.deliver(RRPC, b"\x06")
    peer.wait()
    assert got == [b"\x05", b"\x06"]
    assert peer.sent[:2] == [(UP, b"\0\0\x22\x33"), (UP, b"\0")]
    assert peer.sent[2:] == [(DOWN + "_reply", b"ok\xfe"), (RRPC, b"ok\xfe")]


def test_raw_data_that_nobody_waits_for_or_answers():
    peer = DevicePeer()
    raw = Raw(peer)
    peer.deliver(UP + "_reply", b"late")
    peer.deliver(DOWN, b"\x05")
    peer.wait()
    assert not raw.found and not peer.sent and not peer.failures
    assert raised(raw.request, b"x", 500).code == "thing.silent"
    Raw(peer, lambda payload: None)
    peer.deliver(DOWN, b"\x05")
    peer.wait()
    assert len(peer.sent) == 1
