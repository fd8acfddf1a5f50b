"""Handlers and watchers of a device that raise, publish, or find no memory, and weeks online."""

import aliot.device
from aliot import clock, sntp
from scripted import CLOSED, raises
from scripted_device import Platform, device, message

HEAP = "192K"  # the tests themselves are most of it


def send(platform, topic, payload, number=None):
    """A message of the platform; with a packet id by QoS 1."""
    data = message(topic, payload)
    if number is not None:
        topic = topic.encode()
        data = (
            bytes([0x32, len(topic) + len(payload) + 4, 0, len(topic)]) + topic + bytes([0, number]) + payload
        )
    platform.streams[-1].data += data


def errors(made):
    return [fields for state, fields in made.states if state == "error"]


GET = "/a1TESTpk001/dev_0001/user/get"


def test_a_handler_that_raises_costs_a_line_and_nothing_else():
    platform = Platform()
    made = device()
    got = []

    def handler(topic, payload):
        got.append(payload)
        if payload == b"bad":
            raise KeyError("id")

    made.subscribe("user/get", handler, 1)
    made.start()
    made.poll(0)
    for number, payload in enumerate((b"bad", b"good", b"bad"), 1):
        send(platform, GET, payload, number)
        assert made.poll(0) and made.connected
        assert platform.streams[0].writes[-1] == b"\x40\x02\0" + bytes([number])  # acknowledged
    assert got == [b"bad", b"good", b"bad"]
    found = errors(made)
    assert len(found) == 2 and found[0]["code"] == "handler" and "KeyError" in found[0]["detail"]
    assert "test_device" in found[0]["place"] and found[0]["topic"] == GET and found[0]["advice"]


def test_what_a_person_types_ends_a_poll_all_the_same():
    platform = Platform()
    made = device()
    for kind in (KeyboardInterrupt, SystemExit):

        def handler(topic, payload, kind=kind):
            raise kind

        made.handlers = [("user/get", handler)]
        if not made.connected:
            made.start()
            made.poll(0)
        send(platform, GET, b"x")
        raises(kind, made.poll, 0)
        assert made.connected


def test_a_topic_that_is_not_text_is_acknowledged_and_said():
    platform = Platform()
    made = device()
    made.on("#", lambda topic, payload: None)
    made.start()
    made.poll(0)
    platform.streams[0].data += b"\x32\x07\0\x02\xff\xfe\0\x09x"
    assert made.poll(0)
    assert platform.streams[0].writes[-1] == b"\x40\x02\0\x09" and errors(made)[0]["code"] == "handler"


def test_a_handler_that_has_no_memory_again_and_again_resets_the_board():
    import time

    import machine

    class Done(Exception):
        pass

    def reset():
        raise Done

    machine.reset = reset
    machine.RTC().memory(b"")
    platform = Platform()
    made = device()
    payloads = []

    def handler(topic, payload):
        payloads.append(payload)
        if payload == b"large":
            raise MemoryError

    made.on("user/get", handler)
    made.start()
    made.poll(0)
    for payload in (b"large", b"large", b"small", b"large", b"large"):
        send(platform, GET, payload)
        assert made.poll(0)
    slept = []
    time.sleep = slept.append
    send(platform, GET, b"large")
    raises(Done, made.poll, 0)
    assert sum(slept) == 5 and payloads.count(b"large") == 5


def test_a_handler_s_error_that_there_is_no_memory_to_report_does_not_stop_the_device():
    def handler(topic, payload):
        raise ValueError

    def state(state, fields):
        raise MemoryError

    platform = Platform()
    made = device()
    made.subscribe("user/get", handler, 1)
    made.start()
    made.poll(0)
    made.state = state
    for number in (1, 2):
        send(platform, GET, b"x", number)
        assert made.poll(0) and platform.streams[0].writes[-1] == b"\x40\x02\0" + bytes([number])


def test_a_watcher_that_raises_does_not_stop_the_device():
    Platform()
    made = device()

    def watcher(state, fields):
        raise ValueError(state)

    made.watch(watcher)
    made.start()
    assert made.poll(0)


def test_publishing_in_a_handler_whose_connection_is_gone_is_said_once():
    platform = Platform()
    made = device()
    made.on("user/get", lambda topic, payload: made.publish("user/answer", "x", 1))
    made.start()
    made.poll(0)
    platform.streams[0].answer = lambda written: b""
    platform.streams[0].end = CLOSED
    send(platform, GET, b"x")
    made.poll(0)
    assert not made.connected and not errors(made)
    assert [state for state, fields in made.states].count("offline") == 1


def test_what_cannot_be_sent_is_refused_before_a_byte_is():
    platform = Platform()
    made = device()
    made.start()
    made.poll(0)
    before = len(platform.streams[0].writes)
    for payload in ({"n": 1}, ["x"], None, 5, 1.5, True):
        raises(TypeError, made.publish, "user/update", payload, 1)
    for topic in ("", "user/+", "user/#", "user/" + "x" * 120, None, 5, b"user/update"):
        raises(ValueError, made.publish, topic, "x")
    raises(ValueError, made.publish, "user/update", "x", 2)
    assert len(platform.streams[0].writes) == before and made.connected
    made.publish("user/update", "after", 1)
    assert len(platform.streams[0].writes) == before + 1 and platform.streams[0].writes[-1].endswith(b"after")


def test_a_board_that_was_online_for_weeks_comes_back_within_its_waits():
    import time

    import aliot.incoming
    import aliot.mqtt
    import aliot.ticks

    period = time.ticks_add(0, -1) + 1
    for days in (1, 5, 7, 8, 12, 13, 30, 59):
        at = [0]
        aliot.ticks.ticks_ms = aliot.incoming.ticks_ms = aliot.mqtt.ticks_ms = lambda: at[0] % period

        def sleep(ms):
            at[0] += max(1, ms)

        aliot.device.sleep_ms = sleep
        platform = Platform()
        made = device(keepalive=1200)
        made.start()
        while not made.poll(0):
            at[0] += 100
        while at[0] < days * 86400000:
            at[0] += 590000
            platform.streams[-1].data += b"\xd0\0"  # the platform answers each ping
            platform.streams[-1].writes.clear()
            assert made.poll(0), days
            made.poll(0)
        platform.streams[-1].end = CLOSED
        lost = at[0]
        made.poll(0)
        while not made.poll(0):
            at[0] += 50
            assert at[0] - lost < 10000, "offline for %d s after %d days" % ((at[0] - lost) // 1000, days)


def test_a_date_error_lets_the_clock_be_asked_again():
    from aliot.errors import CertificateError

    for code in ("certificate.expired", "certificate.clock"):
        platform = Platform(CertificateError("validity", code))
        asked = []

        def synchronize(servers):
            asked.append(1)
            clock.server = "server"
            clock.doubted = None
            clock.set_at = aliot.device.uptime()
            return True

        sntp.synchronize = synchronize
        made = device()
        made.start()
        made.poll(0)
        assert len(asked) == 1
        for _ in range(40):
            if made.poll(200):
                break
        assert made.connected and len(asked) == 2 and len(platform.asked) == 2


def test_stop_says_good_bye():
    platform = Platform()
    made = device()
    made.start()
    made.poll(0)
    made.stop()
    assert platform.streams[0].writes[-1] == b"\xe0\0" and platform.streams[0].closed and not made.connected
