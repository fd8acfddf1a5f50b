"""What a centre said is kept, used again, thrown away, and asked for anew; tokens and notices."""

import binascii
import gc
import struct
from aliot import record
from aliot.errors import Closed, LinkError, TimedOut
from aliot.session import Session
from scripted import CLOSED, RESET, SILENT, Medium, Stream
from guided import (
    FRANKFURT,
    NOW,
    OK,
    Platform,
    SINGAPORE,
    TOKEN,
    again,
    clock_at,
    clock_set,
    device,
    fields,
    http,
    names,
    online,
    place,
    token,
)

gc.threshold(4096)  # as boot.py has it

HEAP = "288K"  # the tests themselves, and the sources as they stand, are most of it
BUSY = b"\x20\x02\0\x03"
WRONG = b"\x20\x02\0\x04"
DAY = 86400


def last(made, name):
    return [reported for state, reported in made.states if state == name][-1]


TABLES = {
    "test_what_has_gone_wrong_with_a_question_is_told_and_tried_again": [
        (LinkError("no", "dns"), "dns", "offline"),
        (TimedOut("connect"), "timeout", "offline"),
        (Closed("x"), "closed", "offline"),
        (Stream(b"", CLOSED), "closed", "offline"),
        (Stream(b"HTTP/1.1 200", RESET), "reset", "offline"),
        (Stream(b"", SILENT), "timeout", "offline"),
        (http('{"code":401}'), "auth.401", "refused"),
        (http('{"code":500}', "500 Internal"), "auth.500", "refused"),
        (http("<html>", "302 Found"), "auth.answer", "refused"),
        (place("evil.example"), "auth.host", "refused"),
        (place(FRANKFURT, 22), "auth.host", "refused"),
    ],
}


def test_what_was_told_is_kept_once_a_connect_with_it_succeeded():
    platform = Platform(token(), OK)
    made = device(fields(b"https", b"region"))
    made.poll(0)
    assert names(made)[-2:] == ["asking", "guided"] and "place" not in made.media[0].kept
    online(made)
    assert last(made, "guided") == {"host": FRANKFURT, "port": 1883, "age": 0}
    assert "place" in made.media[0].kept and "place" not in made.media[1].kept
    clock_at(NOW + 500)
    platform.scripts = [OK]
    after = online(again(made))
    assert platform.asked[-1] == (FRANKFURT, 1883) and platform.login()[2] == TOKEN
    assert "asking" not in names(after) and "kept" not in names(after) and last(after, "guided")["age"] == 500
    assert made.media[0].writes == 1  # the same is not written again


def test_what_belongs_to_others_is_not_used():
    platform = Platform(token(), OK)
    made = online(device(fields(b"https", b"region")))
    data = made.media[0].kept["place"]

    def asks(burned, generation, kept=data, config=None):
        media = (Medium("nvs"), Medium("littlefs"))
        for medium in media:
            medium.kept["burned"] = record.encode(record.BURNED, generation, burned)
        media[0].kept["place"] = kept
        platform.scripts = [token(), OK]
        board = device(None, media, config)
        board.poll(0)
        return "asking" in names(board)

    assert not asks(fields(b"https", b"region"), 100)
    assert asks(fields(b"https", b"region"), 101)
    assert asks(fields(b"https"), 100)
    assert asks(fields(b"https", b"region", b"us-west-1"), 100)
    assert asks(fields(b"https", b"region"), 100, config={"endpoint": {"region": "us-west-1"}})
    other = fields(b"https", b"region")
    other[record.DEVICE_NAME] = b"dev_0002"
    assert asks(other, 100)
    for damaged in (b"", b"-", data[:-1], data[:4], data + b"x", b"\0" * 4, data[:40] + b"!" + data[41:]):
        assert asks(fields(b"https", b"region"), 100, damaged), damaged


def test_every_changed_byte_of_what_is_kept_is_seen():
    Platform(place(), OK)
    made = online(device(fields(bootstrap=b"region")))
    data = made.media[0].kept["place"]
    assert struct.unpack("<I", data[:4])[0] == binascii.crc32(data[4:])
    from aliot.bootstrap import cache

    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1
        made.media[0].kept["place"] = bytes(changed)
        assert cache.kept(made.endpoint, made) is None


def test_flash_that_keeps_nothing_costs_a_question_and_no_more():
    for fault in ("full", "torn", "silent", "reads"):
        platform = Platform(token(), OK)
        made = device(fields(b"https"))
        made.media[0].fault = fault
        online(made)
        assert names(made)[-2:] == ["connected", "kept"]
        assert last(made, "kept") == {"nvs": {"full": "error 28", "reads": "error 5"}.get(fault, "ok")}
        platform.scripts = [token(), OK]
        assert "asking" in names(online(again(made)))


def failing_connects():
    return (
        TimedOut("connect"),
        LinkError("no", "dns"),
        b"\x20\x02\0\x05",
        WRONG,
        BUSY,
        Stream(b"", CLOSED),
        Stream(b"junk", RESET),
    )


def test_a_connect_that_fails_throws_it_away_and_asks_once_before_the_next():
    for script in failing_connects():
        platform = Platform(place(), OK)
        made = online(device(fields(bootstrap=b"region")))
        platform.scripts = [script, place(SINGAPORE), script, place(SINGAPORE), OK]
        after = again(made)
        after.poll(0)
        assert names(after)[-1] in ("offline", "refused"), names(after)
        assert made.media[0].kept["place"] == b"-"
        before = len(platform.asked)
        after.session.after = 0
        after.poll(0)  # one question
        after.session.after = 0
        after.poll(0)  # one connect
        asked = platform.asked[before:]
        assert asked == [("iot-auth.ap-southeast-1.aliyuncs.com", 443), (SINGAPORE, 1883)], asked
        online(after)
        assert platform.asked[-2:] == asked and names(after).count("asking") == 2
        assert SINGAPORE.encode() in made.media[0].kept["place"]


def test_a_question_waits_as_a_connect_does():
    platform = Platform(http('{"code":401}'))
    made = device(fields(b"https"))
    made.poll(0)
    state, reported = made.states[-1]
    assert (
        state == "refused"
        and reported["code"] == "auth.401"
        and reported["wait"] >= 3600
        and reported["retry"] == "never"
    )
    assert not made.poll(0) and len(platform.asked) == 1


def test_never_more_than_five_a_minute_of_either():
    platform = Platform(*[place() if n % 2 == 0 else TimedOut("connect") for n in range(20)])
    made = device(fields(bootstrap=b"global"))
    made.session = Session(lambda n: 0)
    for _ in range(20):
        made.poll(0)
    assert len(platform.asked) == 5


def test_what_has_gone_wrong_with_a_question_is_told_and_tried_again(script, code, state):
    platform = Platform(script, place(), OK)
    made = device(fields(bootstrap=b"region"))
    made.poll(0)
    reported = made.states[-1]
    assert reported[0] == state and reported[1]["code"] == code and reported[1]["advice"]
    assert all([stream.closed for stream in platform.streams])
    assert "place" not in made.media[0].kept
    online(made)
    assert platform.asked[-1] == (FRANKFURT, 1883)


# Tokens.


def test_a_token_is_asked_for_anew_after_7_days():
    platform = Platform(place(), token(), OK)
    made = online(device(fields(b"https", b"global")))
    clock_at(NOW + 7 * DAY - 1)
    platform.scripts = [OK]
    online(again(made))
    assert platform.login()[2] == TOKEN
    clock_at(NOW + 7 * DAY)
    platform.scripts = [token(SINGAPORE, iot_token="f" * 32), OK]
    after = online(again(made))
    # the place is still known: its centre is asked for a token, no bootstrap comes before
    assert platform.asked[-2:] == [("iot-auth.eu-central-1.aliyuncs.com", 443), (SINGAPORE, 1883)]
    assert platform.login()[2] == "f" * 32 and names(after).count("asking") == 1


def test_a_token_that_ends_while_the_board_runs():
    platform = Platform(token(), OK)
    made = online(device(fields(b"https")))
    clock_at(NOW + 8 * DAY)
    assert made.poll(0)  # a connection that stands is not cut for it
    platform.streams[-1].end = CLOSED
    made.poll(0)
    platform.scripts = [token(iot_token="f" * 32), OK]
    online(made)
    assert platform.login()[2] == "f" * 32


def test_a_clock_that_was_never_set_ends_no_token():
    platform = Platform(token(), OK)
    made = online(device(fields(b"https")))
    clock_set(None)
    for now in (NOW - 400 * DAY, NOW + 400 * DAY):
        clock_at(now)
        platform.scripts = [OK]
        after = online(again(made))
        assert platform.login()[2] == TOKEN and last(after, "guided")["age"] is None


def test_without_a_clock_the_question_carries_a_timestamp_all_the_same():
    platform = Platform(token(), OK)
    clock_set(None)
    online(device(fields(b"https")))
    assert platform.form(0)["timestamp"] == "2524608000000"


def test_a_stale_token_is_thrown_away_and_asked_for_anew():
    platform = Platform(token(), OK)
    made = online(device(fields(b"https", b"region")))
    platform.scripts = [BUSY, token(iot_token="f" * 32), OK]
    after = again(made)
    after.poll(0)
    state, reported = after.states[-1]
    assert (
        state == "refused"
        and reported["code"] == "auth.token"
        and reported["retry"] == "now"
        and reported["wait"] <= 2
    )
    assert "asks again" in reported["advice"]
    online(after)
    assert platform.login()[2] == "f" * 32 and b"f" * 32 in made.media[0].kept["place"]
    assert TOKEN.encode() not in made.media[0].kept["place"]


def test_a_new_token_that_gets_connack_3_is_a_busy_platform():
    platform = Platform(token(), BUSY)
    made = device(fields(b"https"))
    made.poll(0)
    made.session.after = 0
    made.poll(0)
    assert made.states[-1][0] == "refused" and made.states[-1][1]["code"] == "mqtt.3"
    platform.scripts = [token(), OK]
    online(made)
    assert platform.asked[-2][1] == 443


def test_a_lost_connection_is_made_again_with_what_is_known():
    platform = Platform(token(), OK)
    made = online(device(fields(b"https", b"region")))
    platform.streams[-1].end = CLOSED
    made.poll(0)
    platform.scripts = [OK]
    online(made)
    assert names(made).count("asking") == 1 and platform.asked[-1] == (FRANKFURT, 1883)
