"""The shadow and its versions, against a scripted platform."""

import json

from aliot.services.shadow import Shadow
from device_peer import NAMES, DevicePeer, raised

HEAP = "256K"
UPDATE, GET = "/shadow/update/" + NAMES, "/shadow/get/" + NAMES
TABLES = {
    "test_refusals": [
        ("400", "400", "never"),
        ("number", 402, "never"),
        ("too many", "408", "never"),
        ("busy", "500", "later"),
        ("none", None, "never"),
    ],
    "test_hostile_replies_are_dropped": [
        ("not JSON", "{"),
        ("a list", "[]"),
        ("no payload", '{"method":"reply"}'),
        ("a payload of text", '{"method":"reply","payload":"x"}'),
        ("no status", '{"method":"reply","payload":{}}'),
        ("a control without version", '{"method":"control","payload":{"state":{"desired":{"a":1}}}}'),
        ("a version of text", '{"method":"control","version":"7","payload":{"state":{"desired":{"a":1}}}}'),
        ("a version below 0", '{"method":"control","version":-1,"payload":{"state":{"desired":{"a":1}}}}'),
        ("a state of text", '{"method":"control","version":7,"payload":{"state":"x"}}'),
        ("desired text", '{"method":"control","version":7,"payload":{"state":{"desired":"null"}}}'),
        ("another method", '{"method":"x","version":7,"payload":{"state":{"desired":{"a":1}}}}'),
    ],
}


class Platform(DevicePeer):
    """Keeps a shadow, strictly by application.md 6."""

    def __init__(self, version=0):
        super().__init__(self.shadow)
        self.version = version
        self.document = {"reported": {}, "desired": {}}

    def shadow(self, topic, message):
        assert topic == UPDATE
        body = {"status": "success"}
        reply = {"method": "reply", "payload": body, "timestamp": 1469564576}
        if message["method"] == "get":
            body["state"] = self.document
            body["metadata"] = {}
            reply["version"] = self.version
        elif message["version"] <= self.version:
            body["status"] = "error"
            body["content"] = {"errorcode": "409", "errormessage": "version conflict"}
        else:
            self.version = body["version"] = message["version"]
            for part in message["state"]:
                values = message["state"][part]
                if values == "null":
                    self.document[part] = {}
                elif message["method"] == "update":
                    self.document[part].update(values)
                else:
                    for name in values:
                        assert values[name] == "null" and self.document[part].pop(name) is not None
        return [(GET, reply)]

    def desire(self, values):
        """What an application sets; it is on its way where the device is connected."""
        self.version += 1
        self.document["desired"].update(values)
        if self.connected:
            payload = {"status": "success", "state": self.document}
            self.deliver(
                GET, {"method": "control", "payload": payload, "version": self.version, "timestamp": 1}
            )


def test_a_report_is_the_documents():
    peer = Platform()
    shadow = Shadow(peer)
    shadow.report({"color": "red"})
    assert peer.subscribed == [GET]
    assert [message for topic, message in peer.sent] == [
        {"method": "get"},
        {"method": "update", "state": {"reported": {"color": "red"}}, "version": 1},
    ]
    shadow.report({"color": "blue", "list": [1, 2]})
    assert peer.sent[2][1]["version"] == 2 and shadow.version == 2
    assert shadow.get()["reported"] == {"color": "blue", "list": [1, 2]}


def test_values_that_json_does_not_hold_are_not_sent():
    peer = Platform()
    shadow = Shadow(peer, lambda desired: {"a": float("nan")})
    for value in (float("nan"), b"x", peer, chr(0xD800), {1: 2}):
        try:
            shadow.report({"a": value})
            raise AssertionError("taken")
        except ValueError:
            pass
    peer.desire({"a": 1})
    peer.wait()
    assert not peer.sent and [type(problem) for problem in peer.failures] == [ValueError]


def test_deletes_and_clears():
    peer = Platform(1700000000000)  # of a client that takes the time for versions
    peer.document = {"reported": {"a": 1, "b": 2, "c": 3}, "desired": {"a": 5}}
    shadow = Shadow(peer)
    shadow.delete("a", "b")
    assert peer.document["reported"] == {"c": 3}
    assert peer.sent[1][1] == {
        "method": "delete", "state": {"reported": {"a": "null", "b": "null"}}, "version": 1700000000001,
    }  # fmt: skip
    shadow.delete()
    assert peer.document["reported"] == {} and peer.sent[2][1]["state"] == {"reported": "null"}
    shadow.clear_desired()
    assert peer.document["desired"] == {}
    assert peer.sent[3][1]["state"] == {"desired": "null"} and peer.sent[3][1]["method"] == "update"


def test_a_version_that_has_gone_on_is_learnt_and_the_report_made_again():
    peer = Platform()
    shadow = Shadow(peer)
    shadow.report({"a": 1})
    peer.version = 50
    shadow.report({"a": 2})
    assert peer.version == 51 and peer.document["reported"] == {"a": 2}
    peer.version = 0  # reset on the platform: a higher one is taken
    shadow.report({"a": 3})
    assert peer.version == 52


def test_a_conflict_without_end_is_raised():
    conflict = {"errorcode": "409", "errormessage": "x"}
    refusal = {"method": "reply", "payload": {"status": "error", "content": conflict}}
    good = {"method": "reply", "payload": {"status": "success", "state": {}}, "version": 3}
    peer = DevicePeer(lambda topic, message: [(GET, good if message["method"] == "get" else refusal)])
    assert raised(Shadow(peer).report, {}).code == "shadow.409" and len(peer.sent) == 4


def test_refusals(name, code, retry):
    content = {"errormessage": "text"} if code is None else {"errorcode": code, "errormessage": "text"}
    reply = {"method": "reply", "payload": {"status": "error", "content": content}, "timestamp": 1}
    peer = DevicePeer(lambda topic, message: [(GET, reply)])
    problem = raised(Shadow(peer).get)
    assert problem.code == "shadow.%s" % (code or -1) and problem.retry == retry and problem.detail == "text"


def test_what_is_set_while_connected_and_while_away_comes_to_the_handler():
    wanted = []
    peer = Platform()
    shadow = Shadow(peer, lambda desired: wanted.append(dict(desired)) or desired)
    peer.desire({"color": "red"})
    peer.wait()
    assert wanted == [{"color": "red"}] and peer.version == 3
    assert peer.document == {"reported": {"color": "red"}, "desired": {}}
    peer.disconnect()
    peer.desire({"color": "green"})
    peer.connect()
    peer.wait()
    assert wanted[1:] == [{"color": "green"}] and peer.document["desired"] == {}
    peer.connect()
    peer.wait()
    assert len(wanted) == 2 and shadow.version == peer.version


def test_a_handler_may_leave_it_desired_and_may_not_wait():
    got = []

    def wanted(desired):
        got.append(raised(shadow.report, {}).code)

    peer = Platform()
    shadow = Shadow(peer, wanted)
    peer.desire({"a": 1})
    peer.wait()
    assert got == ["thing.handler"] and peer.document["desired"] == {"a": 1} and not peer.sent


def test_hostile_replies_are_dropped(name, text):
    peer = DevicePeer()
    wanted = []
    shadow = Shadow(peer, wanted.append)
    for _ in range(2):
        peer.deliver(GET, text)
    peer.wait()
    assert not wanted and not peer.sent and not peer.failures and not shadow.found
    peer.answer = lambda topic, message: [(GET, text)]
    assert raised(shadow.get, 2000).code == "thing.silent" and peer.ms <= 2010


def test_replies_that_nobody_waits_for_are_dropped():
    peer = DevicePeer()
    shadow = Shadow(peer)
    for payload in ({"status": "success", "version": 3}, {"status": "error", "content": {"errorcode": 409}}):
        for _ in range(5):
            peer.deliver(GET, json.dumps({"method": "reply", "payload": payload}))
    peer.wait()
    assert shadow.found == [] and not peer.failures


def test_no_call_outlasts_its_timeout():
    peer = Platform()
    shadow = Shadow(peer)
    shadow.report({})
    peer.answer = None
    begin = peer.ms
    assert raised(shadow.report, {}, 3000).code == "thing.silent" and peer.ms - begin <= 3010
