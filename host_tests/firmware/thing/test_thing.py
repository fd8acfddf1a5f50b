"""A Thing: properties, events, services and desired values, against a scripted peer."""

from binascii import crc32

from aliot import clock, crash
from aliot.thing import Thing, ThingError
from peer import Peer

HEAP = "384K"
NOW = 1800000000
POST = "thing/event/property/post"
SET = "thing/service/property/set"
RRPC = "/ext/rrpc/123/sys/a1ThingPk01/dev_0001/thing/service/"
TABLES = {
    "test_what_a_handler_raises_is_the_answer": [
        ("ValueError", 460),
        ("TypeError", 460),
        ("KeyError", 100000),
        ("100042", 100042),
        ("429", 429),
        ("6306", 460),
        ("200", 460),
    ],
    "test_a_service_is_called_every_way": [
        ("async", "thing/service/Reset", "thing/service/Reset_reply"),
        ("rrpc", "rrpc/request/77", "rrpc/response/77"),
        ("ext", "/ext/rrpc/123/sys/a1ThingPk01/dev_0001/thing/service/Reset", None),
    ],
    "test_what_is_no_service_of_this_device": [
        ("thing/service/Other", {"id": "1", "params": {}}, 460),
        ("thing/service/Reset", {"id": "1", "params": {}}, 460),
        ("thing/service/Reset", {"id": "1", "params": {"other": 1}}, 460),
        ("thing/service/Reset", {"id": "1", "params": [1]}, 460),
        ("thing/service/property/set", {"id": "1", "params": [1]}, 460),
        ("thing/service/property/get", {"id": "1", "params": 5}, 460),
        ("thing/service/property/get", {"id": "1", "params": [[], {}, 1]}, 200),
        ("thing/service/property/set", {"id": "1", "params": {"Unknown": 1}}, 460),
        ("rrpc/request/9", {"id": "1", "params": {}}, None),
        ("rrpc/request/9", {"id": "1", "method": 5}, None),
        ("/ext/rrpc/123/sys/a1Other/dev_0001/thing/service/Reset", {"id": "1"}, None),
        ("/ext/rrpc/123", {"id": "1"}, None),
    ],
    "test_what_cannot_be_sent": [
        ("nan",),
        ("inf",),
        ("bytes",),
        ("object",),
        ("key",),
        ("nested",),
        ("cyclic",),
        ("half",),
        ("half name",),
    ],
    "test_times_that_are_none": [(-5,), (1 << 70,), (1.5e12,), ("x",), (True,)],
}


def made(answer=None, connect=True, seconds=NOW):
    """(peer, thing) with a property Switch and a service Reset; what they were given is in thing.got."""
    peer = Peer(answer or (lambda topic, message: (200, {})))
    clock.server = "server" if seconds else None
    clock.utc = lambda: (seconds or 0) + peer.ms // 1000
    thing = Thing(peer)
    thing.got = []

    @thing.property("Switch")
    def switch(value):
        thing.got.append(value)
        if value == "raise":
            raise thing.raised
        return thing.found

    @thing.service("Reset")
    def reset(delay):
        thing.got.append(delay)
        return {"accepted": True}

    thing.found = None
    if connect:
        peer.connect()
        thing.poll(0)
        peer.run(thing, 50)
        peer.sent.clear()
    return peer, thing


def test_a_post_is_the_documents():
    peer, thing = made()
    assert thing.post(Temperature=21.5, On=True) is True
    topic, message = peer.sent[0]
    time = message["params"]["On"]["time"]
    assert topic == POST and NOW * 1000 <= time < NOW * 1000 + 10000
    assert message["params"] == {
        "Temperature": {"value": 21.5, "time": time},
        "On": {"value": 1, "time": time},
    }
    thing.post({"module:level": 3}, time=1660000000000, Other="x")
    assert peer.sent[1][1]["params"]["module:level"] == {"value": 3, "time": 1660000000000}
    assert peer.sent[1][1]["params"]["Other"]["value"] == "x"
    peer.run(thing, 100)
    assert len(thing.outbox) == 0 and len(peer.sent) == 2
    assert thing.get("On") == 1 and thing.get("Nothing") is None


def test_an_event_is_the_documents():
    peer, thing = made()
    thing.event("Overheat", Temperature=90)
    thing.event("module:alarm", {"errorCode": "E1"}, time=1524448722000)
    (topic, one), (other, two) = peer.sent
    assert topic == "thing/event/Overheat/post" and one["method"] == "thing.event.Overheat.post"
    assert one["params"]["value"] == {"Temperature": 90} and one["params"]["time"] >= NOW * 1000
    assert other == "thing/event/module:alarm/post" and two["method"] == "thing.event.module:alarm.post"
    assert two["params"] == {"value": {"errorCode": "E1"}, "time": 1524448722000}


def test_without_a_clock_the_platform_stamps_what_goes_out_at_once():
    peer, thing = made(seconds=0)
    thing.post(Temperature=1)
    thing.event("Overheat", Temperature=90)
    assert peer.sent[0][1]["params"] == {"Temperature": 1}
    assert peer.sent[1][1]["params"] == {"value": {"Temperature": 90}}


def test_a_damaged_model_is_one_line_and_checks_nothing():
    with open("/model.json", "wb") as file:
        file.write(b"TSL2" + bytes(40))
    peer, thing = made()
    thing.path = "/model.json"
    assert thing.post(Switch="on") and thing.post(Other=1) and thing.event("Any", x=1)
    assert [(state, fields["code"]) for state, fields in peer.states if state != "connected"] == [
        ("error", "thing.damaged")
    ]
    assert thing.get("Switch") == "on"


def test_a_model_is_read_again_after_a_connection_was_opened():
    body = b"\1" + bytes(63)
    with open("/model.json", "wb") as file:
        file.write(b"TSL2" + crc32(body).to_bytes(4, "little") + body)
    peer, thing = made()
    thing.path = "/model.json"
    for state in ("offline", "connecting", "connected"):
        peer.state(state, {})
        assert not (thing.model and state == "connecting")
        try:
            thing.post(Other=1)
            raise AssertionError("posted")
        except ThingError as problem:
            assert problem.code == "thing.6320", problem.code


def test_a_model_that_is_not_there_is_an_error_of_the_program():
    peer, thing = made()
    thing.path = "/none.json"
    for _ in range(2):
        try:
            thing.post(Switch=1)
            raise AssertionError("posted")
        except ThingError as problem:
            assert problem.code == "thing.model"
    assert not peer.sent and not thing.values


def test_what_cannot_be_sent(what):
    peer, thing = made()
    cyclic = []
    cyclic.append({"a": cyclic})
    value = {
        "cyclic": cyclic,
        "half": "a" + chr(0xD800),
        "half name": {chr(0xDFFF): 1},
        "nan": float("nan"),
        "inf": -float("inf"),
        "bytes": b"x",
        "object": thing,
        "key": {1: 2},
        "nested": [{"a": [float("inf")]}],
    }[what]
    for action in (thing.post, lambda values: thing.event("Overheat", values)):
        try:
            action({"A": value})
            raise AssertionError("taken")
        except ValueError:
            pass
    assert not peer.sent and len(thing.outbox) == 0
    try:
        thing.post({"P%d" % number: number for number in range(201)})
        raise AssertionError("taken")
    except ThingError as problem:
        assert problem.code == "thing.6106"


def test_texts_of_every_plane_are_sent():
    peer, thing = made()
    for text in ("\u00ed", chr(0xD7FF), chr(0xE000), "\U0001f600"):
        thing.post({text: [text]})
        assert list(peer.sent[-1][1]["params"].items())[0][1]["value"] == [text]


def test_times_that_are_none(time):
    peer, thing = made()
    for action in (lambda: thing.post(A=1, time=time), lambda: thing.event("E", time=time)):
        try:
            action()
            raise AssertionError("taken")
        except ValueError:
            pass
    assert not peer.sent and len(thing.outbox) == 0


def test_names_that_are_no_text_and_no_names_at_all():
    peer, thing = made()
    for action in (lambda: thing.post({5: 1}), lambda: thing.event(5), lambda: thing.event("E", {5: 1})):
        try:
            action()
            raise AssertionError("taken")
        except ValueError as problem:
            assert str(problem) == "a name is text"
    assert thing.post() is True and thing.post({}) is True
    assert not peer.sent and len(thing.outbox) == 0


def test_half_a_surrogate_in_a_set_is_answered_460():
    failed = []
    crash.handler_failed = lambda device, problem, topic: failed.append(problem)
    peer, thing = made()
    for params in (b'{"Switch":"\\ud800"}', b'{"\\ud800":1}'):
        peer.deliver(SET, b'{"id":"1","params":' + params + b"}")
    peer.run(thing, 100)
    assert [message["code"] for topic, message in peer.sent] == [460, 460]
    assert not thing.got and len(failed) == 2


def test_a_set_is_answered_and_the_new_value_posted():
    peer, thing = made()
    for id, found, posted in ((5, None, 1), ("6", 0, 0)):
        thing.found = found
        peer.deliver(SET, {"id": id, "method": "thing.service.property.set", "params": {"Switch": 1}})
        peer.run(thing, 10)
        assert peer.sent[0] == (SET + "_reply", {"id": id, "code": 200, "data": {}, "message": "success"})
        assert peer.sent[1][0] == POST and peer.sent[1][1]["params"]["Switch"]["value"] == posted
        peer.run(thing, 50)
        peer.sent.clear()
    assert thing.got == [1, 1]
    peer.deliver("thing/service/property/get", {"id": "9", "params": ["Switch", "Unknown"]})
    peer.run(thing, 10)
    assert peer.sent[0][1]["data"] == {"Switch": 0}


def test_what_a_handler_raises_is_the_answer(kind, code):
    failed = []
    crash.handler_failed = lambda device, problem, topic: failed.append(problem)
    peer, thing = made()
    errors = {"ValueError": ValueError("x"), "TypeError": TypeError("x"), "KeyError": KeyError("x")}
    thing.raised = errors.get(kind) or ThingError(int(kind), "not now")
    thing.property("Fine")(lambda value: None)
    peer.deliver(SET, {"id": "1", "params": {"Switch": "raise", "Fine": 2}})
    peer.run(thing, 10)
    assert peer.sent[0][1]["code"] == code and peer.sent[0][1]["id"] == "1"
    assert list(peer.sent[1][1]["params"]) == ["Fine"]
    assert len(failed) == (kind in errors)


def test_a_service_is_called_every_way(name, topic, answer):
    peer, thing = made()
    peer.deliver(
        topic, {"id": 8, "method": "thing.service.Reset", "params": {"delay": 3}, "version": "1.0.0"}
    )
    peer.run(thing, 10)
    assert thing.got == [3]
    data = {"id": 8, "code": 200, "data": {"accepted": 1}, "message": "success"}
    assert peer.sent == [(answer or topic, data)]


def test_what_is_no_service_of_this_device(topic, message, code):
    crash.handler_failed = lambda device, problem, topic: None
    peer, thing = made()
    peer.deliver(topic, message)
    peer.run(thing, 10)
    assert [message["code"] for _, message in peer.sent] == ([code] if code else []) and not thing.got


def test_a_set_by_rrpc_is_a_set():
    peer, thing = made()
    peer.deliver("rrpc/request/5", {"id": 1, "method": "thing.service.property.set", "params": {"Switch": 1}})
    peer.deliver(RRPC + "property/set", {"id": 1, "params": {"Switch": 0}})
    peer.run(thing, 100)
    assert thing.got == [1, 0]
    assert peer.topics()[0] == "rrpc/response/5" and RRPC + "property/set" in peer.topics()


def test_a_service_that_takes_too_long_is_a_line():
    peer, thing = made()

    @thing.service("Slow")
    def slow():
        peer.ms += 8001

    peer.deliver("thing/service/Slow", {"id": "1", "params": {}})
    peer.run(thing, 10)
    assert [fields["code"] for state, fields in peer.states if state == "error"] == ["thing.late"]


def desired(values, codes=(200,)):
    """An answer that has these desired values, {name: (value, version)}; cleared by version."""
    codes = list(codes)

    def answer(topic, message):
        if topic == "thing/property/desired/get":
            code = codes.pop(0) if len(codes) > 1 else codes[0]
            if not code:
                return None
            found = {name: values[name] for name in message["params"] if name in values}
            return code, {name: {"value": value, "version": n} for name, (value, n) in found.items()}
        if topic == "thing/property/desired/delete":
            for name, item in message["params"].items():
                if values.get(name, (None, None))[1] == item.get("version"):
                    values.pop(name, None)
        return 200, {}

    return answer


def test_desired_values_are_applied_and_cleared_at_every_connect():
    values = {"Switch": (1, 4), "Foreign": (2, 1)}
    peer, thing = made(desired(values), False)
    peer.connect()
    peer.run(thing, 200)
    assert thing.got == [1] and values == {"Foreign": (2, 1)}
    assert peer.sent[0][1]["params"] == ["Switch"]
    deleted = peer.messages("thing/property/desired/delete")
    assert [message["params"] for message in deleted] == [{"Switch": {"version": 4}}]
    assert peer.messages(POST)[0]["params"]["Switch"]["value"] == 1
    peer.disconnect()
    values["Switch"] = (0, 5)
    peer.connect()
    peer.run(thing, 200)
    assert thing.got == [1, 0] and "Switch" not in values


def test_a_desired_value_that_was_refused_stays():
    crash.handler_failed = lambda device, problem, topic: None
    values = {"Switch": ("raise", 4)}
    peer, thing = made(desired(values), False)
    thing.raised = ValueError("x")
    peer.connect()
    peer.run(thing, 200)
    assert thing.got == ["raise"] and values == {"Switch": ("raise", 4)} and not peer.messages(POST)


def test_a_value_that_was_set_while_online_is_cleared_and_not_applied_again():
    values = {}
    peer, thing = made(desired(values))
    values["Switch"] = (1, 1)
    peer.deliver(SET, {"id": "1", "params": {"Switch": 1}})
    peer.run(thing, 200)
    assert thing.got == [1] and values == {}
    values["Switch"] = (5, 7)  # a newer one came meanwhile
    peer.deliver(SET, {"id": "1", "params": {"Switch": 2}})
    peer.run(thing, 200)
    assert thing.got == [1, 2, 5] and values == {}


def test_desired_is_asked_again_until_it_is_answered():
    values = {"Switch": (1, 4)}
    peer, thing = made(desired(values, (None, 500, 200)), False)
    peer.connect()
    peer.run(thing, 40000)
    assert thing.got == [1] and len(peer.messages("thing/property/desired/get")) == 3
