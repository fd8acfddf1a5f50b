"""RRPC and broadcasts, against a scripted peer."""

from aliot.services import broadcast, rrpc
from aliot.thing.requests import of
from device_peer import NAMES, DevicePeer

HEAP = "256K"
OWN = "/ext/rrpc/%s/" + NAMES + "/user/get"
TABLES = {
    "test_what_asks_for_a_service_is_the_things": [(0,), (1,)],
    "test_answers": [
        ("text", "up", b"up"),
        ("bytes", b"\0\xff", b"\0\xff"),
        ("empty", "", b""),
        ("a dict", {"a": [1]}, {"a": [1]}),
    ],
    "test_a_question_without_a_number_is_dropped": [("x",), ("12x",), ("",), ("1" * 21,), ("+",)],
    "test_words_in_connect": [
        ("", ",_ss=1,ext=1"),
        (",_ss=1", ",_ss=1,ext=1"),
        (",_ss=1,ext=3", ",_ss=1,ext=3"),
    ],
}


def test_answers(name, answer, wire):
    peer = DevicePeer()
    got = []
    rrpc.on(peer, lambda payload: got.append(payload) or answer)
    rrpc.on(peer, lambda payload: got.append(payload) or answer, "user/get")
    assert peer.subscribed == ["rrpc/request/+", OWN % "+"]
    peer.deliver("rrpc/request/1252689832983232000", b"question")
    peer.deliver(OWN % "18446744073709551615", b"\xff")
    peer.wait()
    assert got == [b"question", b"\xff"]
    assert peer.sent == [("rrpc/response/1252689832983232000", wire), (OWN % "18446744073709551615", wire)]


def test_what_asks_for_a_service_is_the_things(thing):
    peer = DevicePeer()
    got = []
    if thing:
        from aliot.thing import Thing

        Thing(peer)
    rrpc.on(peer, got.append)
    rrpc.on(peer, got.append, "thing/service/Reset")
    peer.deliver("rrpc/request/1", {"id": "1", "method": "thing.service.Reset", "params": {}})
    peer.deliver(
        peer.full_topic("/ext/rrpc/2" + peer.full_topic("thing/service/Reset")), {"id": "2", "params": {}}
    )
    peer.deliver("rrpc/request/3", {"method": "own"})
    peer.deliver("rrpc/request/4", b"\xff")
    peer.wait()
    assert len(got) == (2 if thing else 4) and not peer.failures
    assert [message["code"] for topic, message in peer.sent] == ([460, 460] if thing else [])


def test_a_dict_that_json_does_not_hold_is_not_sent():
    peer = DevicePeer()
    answers = [{"a": float("nan")}, {"a": b"x"}, {"a": peer}, {1: 2}]
    rrpc.on(peer, lambda payload: answers.pop())
    for number in range(4):
        peer.deliver("rrpc/request/%d" % number, b"")
    peer.wait()
    assert not peer.sent and [type(problem) for problem in peer.failures] == [ValueError] * 4


def test_none_is_no_answer_and_a_handler_that_raises_answers_nothing():
    peer = DevicePeer()
    rrpc.on(peer, lambda payload: None)
    rrpc.on(peer, lambda payload: payload.none, "user/get")
    peer.deliver("rrpc/request/1", b"")
    peer.deliver(OWN % 1, b"")
    peer.wait()
    assert not peer.sent and len(peer.failures) == 1


def test_a_question_without_a_number_is_dropped(number):
    peer = DevicePeer()
    got = []
    rrpc.on(peer, got.append)
    rrpc.on(peer, got.append, "user/get")
    peer.deliver("rrpc/request/" + number, b"")
    peer.deliver(OWN % number, b"")
    peer.wait()
    assert not got and not peer.sent and not peer.failures


def test_words_in_connect(before, after):
    peer = DevicePeer()
    peer.extra = before
    rrpc.on(peer, str)
    assert peer.extra == before
    rrpc.on(peer, str, "user/get")
    rrpc.on(peer, str, "user/set")
    of(peer)
    assert peer.extra == after


def test_broadcasts():
    peer = DevicePeer()
    got = []
    broadcast.on(peer, lambda payload: got.append(("all", payload)))
    broadcast.on(peer, lambda payload: got.append(("news", payload)), "news")
    assert peer.subscribed == ["/broadcast/a1ThingPk01/news"]
    peer.deliver("broadcast/request/5523564324", b"one")
    peer.deliver("/broadcast/a1ThingPk01/news", b"\xfftwo")
    peer.deliver("/broadcast/a1ThingPk01/sport", b"three")
    peer.wait()
    assert got == [("all", b"one"), ("news", b"\xfftwo")]
