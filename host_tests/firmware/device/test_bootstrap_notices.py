"""Notices of another endpoint, and what the modules cost."""

import gc
import sys
from aliot import unload
from guided import OK, Platform, SINGAPORE, again, device, fields, names, online, place, token

gc.threshold(4096)  # as boot.py has it

HEAP = "288K"  # the tests themselves, and the sources as they stand, are most of it
NOTIFY = "/sys/a1TESTpk001/dev_0001/thing/bootstrap/notify"


def message(payload, topic=NOTIFY):
    topic, payload = topic.encode(), payload.encode()
    size = len(topic) + len(payload) + 2
    return (
        bytes([0x30])
        + (bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7]))
        + bytes([0, len(topic)])
        + topic
        + payload
    )


def notified(payload):
    platform = Platform(place(), OK)
    made = online(device(fields(bootstrap=b"region")))
    platform.streams[-1].data += message(payload)
    made.poll(0)
    return platform, made


def test_a_notice_leads_to_a_new_bootstrap():
    platform, made = notified(
        '{"id":"9","version":"1.0","method":"thing.bootstrap.notify","params":{"cmd":0}}'
    )
    stream = platform.streams[-1]
    assert (
        (NOTIFY + "_reply").encode() in stream.written()
        and b'"9"' in stream.written()
        and b"200" in stream.written()
    )
    assert stream.closed and not made.connected and made.media[0].kept["place"] == b"-"
    state, reported = made.states[-1]
    assert (
        state == "offline"
        and reported["code"] == "auth.moved"
        and "asks again" in reported["advice"]
        and reported["wait"] <= 2
    )
    platform.scripts = [place(SINGAPORE), OK]
    online(made)
    assert platform.asked[-2:] == [("iot-auth.ap-southeast-1.aliyuncs.com", 443), (SINGAPORE, 1883)]
    assert SINGAPORE.encode() in made.media[0].kept["place"]


def test_a_notice_that_comes_again_is_followed_once():
    payload = '{"id":"9","params":{"cmd":0}}'
    platform, made = notified(payload)
    assert not made.connected
    platform.scripts = [place(SINGAPORE), OK]
    online(made)
    platform.streams[-1].data += message(payload)
    made.poll(0)
    assert made.connected and b"_reply" in platform.streams[-1].written()
    platform.streams[-1].data += message(payload.replace("9", "10"))
    made.poll(0)
    assert not made.connected


def test_other_notices_change_nothing():
    platform, made = notified('{"id":"9","cmd":0}')
    assert not made.connected  # as the SDK would read it
    for payload in (
        "",
        "{",
        "[]",
        "{}",
        "null",
        '"cmd"',
        '{"params":{}}',
        '{"params":null}',
        '{"params":{"cmd":1}}',
        '{"params":[0]}',
        '{"params":{"cmd":null}}',
        "[" * 300,
    ):
        platform, made = notified(payload)
        assert made.connected and b"_reply" not in platform.streams[-1].written(), payload


def test_a_board_without_bootstrap_does_not_listen_for_notices():
    platform = Platform(token(), OK)
    online(device(fields(b"https")))
    assert b"bootstrap" not in platform.streams[-1].written()


# What it costs.


PARTS = ("cache", "exchange", "messages", "notice", "refusals", "settings")
PACKAGE = ["bootstrap"] + ["bootstrap." + name for name in PARTS]
OTHERS = (
    "start",
    "identities",
    "settings",
    "names",
    "objects",
    "record",
    "store",
    "registration",
    "registration.https",
)


def test_the_parts_are_dropped_after_use():
    unload(*PACKAGE, *OTHERS)
    platform = Platform(place(), token(), OK)
    made = online(device(fields(b"https", b"global")))
    assert names(made).count("asking") == 2 and "kept" in names(made)
    assert not loaded(), loaded()
    platform.streams[-1].data += message('{"id":"9","params":{"cmd":0}}')
    made.poll(0)
    assert not made.connected and not loaded()


def loaded():
    """The parts that are in memory."""
    found = [
        name
        for name in PARTS
        if "aliot.bootstrap." + name in sys.modules or hasattr(sys.modules["aliot.bootstrap"], name)
    ]
    return found + [name for name in OTHERS if "aliot." + name in sys.modules]


def test_what_is_known_is_used_without_a_look_into_the_parts_that_ask():
    """A later boot reads what is kept, and neither asks nor writes: nothing of that is loaded."""
    platform = Platform(token(), OK)
    made = online(device(fields(b"https", b"region")))
    writes = made.media[0].writes
    platform.scripts = [OK]
    unload(*PACKAGE, *OTHERS)
    after = online(again(made))
    assert "asking" not in names(after) and made.media[0].writes == writes and not loaded()
