"""The Device as an application sees it, with a scripted platform behind the stream."""

import json

import aliot.device
import aliot.transport.tls
from aliot import clock, record, sntp
from aliot.device import Device
from aliot.errors import Closed, CredentialError, LinkError, RegistrationError, TimedOut
from aliot.store import Store
from aliot.ticks import Deadline
from aliot.topics import matches
from aliot.wired import Wired
from scripted import CLOSED, Medium, Stream, raises

HEAP = "192K"  # the tests themselves are most of it
SECRET = "0123456789abcdef0123456789abcdef"
DEVICE = {
    record.WAY: b"device",
    record.PRODUCT_KEY: b"a1TESTpk001",
    record.DEVICE_NAME: b"dev_0001",
    record.DEVICE_SECRET: SECRET.encode(),
}
PRODUCT = {
    record.WAY: b"product",
    record.PRODUCT_KEY: b"a1TESTpk001",
    record.PRODUCT_SECRET: b"ProductSecret016",
    record.METHOD: b"mqtt",
    record.INSTANCE: b"iot-test01",
}


class Network:
    name = "test"

    def __init__(self, up=True):
        self.there = up
        self.joins = 0

    def up(self):
        return self.there

    def join(self):
        self.joins += 1

    def problem(self):
        return "wifi.password", "status 202"


def kept(*names):
    """In place of aliot.unload: what a test has put into a module stays there."""
    if "sntp" not in names and "registration" not in names:
        aliot.unload(*names)


class Platform:
    """Gives a stream for each connect: what `script` says, CONNACK and SUBACKs by itself."""

    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.streams = []
        self.asked = []
        aliot.transport.tls.connect = self.connect
        sntp.synchronize = self.synchronize
        aliot.device.unload = kept
        clock.server = None

    def connect(self, credential, host, port, roots, timeout):
        self.asked.append((host, port, roots))
        script = self.scripts.pop(0) if self.scripts else b"\x20\x02\0\0"
        if isinstance(script, Exception):
            raise script
        stream = script if isinstance(script, Stream) else Stream(script)
        stream.answer = stream.answer or self.answer
        self.streams.append(stream)
        stream.deadline = Deadline(timeout)
        return stream

    def synchronize(self, servers):
        clock.server = "server"
        return True

    def answer(self, written):
        if written[0] == 0x82:
            at = 2 if written[1] < 128 else 3
            number, topics, codes = written[at : at + 2], written[at + 2 :], b""
            while topics:
                length = topics[0] << 8 | topics[1]
                codes += b"\x80" if b"foreign" in topics[2 : 2 + length] else b"\0"
                topics = topics[3 + length :]
            return b"\x90" + bytes([2 + len(codes)]) + number + codes
        if written[0] == 0x32:
            at = 4 + (written[2] << 8 | written[3])
            return b"\x40\x02" + written[at : at + 2]
        return b""


def device(fields=DEVICE, network=None, **settings):
    media = (Medium("nvs"), Medium("littlefs"))
    for medium in media:
        medium.kept["burned"] = record.encode(record.BURNED, 100, fields)
    settings.setdefault("timeout", 200)
    made = Device(settings, network or Wired(), Store(media))
    made.media = media
    made.states = []
    made.watch(lambda state, fields: made.states.append((state, dict(fields))))
    return made


def names(made):
    return [state for state, fields in made.states]


def message(topic, payload):
    topic = topic.encode()
    return bytes([0x30, len(topic) + len(payload) + 2, 0, len(topic)]) + topic + payload


def test_a_burned_secret_connects_in_one_poll():
    platform = Platform()
    made = device()
    made.start()
    assert made.poll(0) and made.connected
    assert names(made) == ["boot", "wifi", "clock", "connecting", "connected"]
    assert platform.asked == [
        ("a1TESTpk001.iot-as-mqtt.cn-shanghai.aliyuncs.com", 443, ("globalsign_r1", "globalsign_r6"))
    ]
    boot = made.states[0][1]
    assert boot["way"] == "device" and boot["generation"] == 100 and boot["device_name"] == "dev_0001"
    assert boot["nvs"] == boot["littlefs"] == "ok"
    assert SECRET not in json.dumps(str(made.states))


def test_nothing_burned_is_an_error_after_the_boot_line():
    Platform()
    made = device()
    for medium in made.media:
        medium.kept.clear()
    raises(CredentialError, made.start)
    assert names(made) == ["boot"]


def test_the_name_is_the_mac_where_none_is_burned():
    Platform()
    fields = dict(DEVICE)
    del fields[record.DEVICE_NAME]
    made = device(fields)
    made.start()
    assert len(made.device_name) == 12 and made.device_name == made.device_name.lower()


def registering(made, result):
    """Make registration give `result` (a credential, or an error to raise)."""
    from aliot import load

    module = load("registration.mqtt")
    calls = []

    def register(credential, endpoint, sign_method, timeout):
        calls.append(credential.device_name)
        if isinstance(result, Exception):
            raise result
        return result

    module.register = register
    return calls


def test_registration_is_stored_before_the_connect_and_never_repeated():
    from aliot.credentials import DeviceCertificate

    Platform()
    fields = dict(PRODUCT)
    fields[record.DEVICE_NAME] = b"dev_0001"
    made = device(fields)
    calls = registering(made, DeviceCertificate("a1TESTpk001", "dev_0001", SECRET))
    made.start()
    made.poll(0)
    assert names(made)[-2:] == ["registering", "stored"] and not made.connected
    assert made.media[0].kept["issued"] == made.media[1].kept["issued"]
    assert made.poll(0) and len(calls) == 1
    again = Device({}, Wired(), Store(made.media))
    again.start()
    assert again.poll(0) and len(calls) == 1


def test_a_secret_that_cannot_be_kept_is_not_used():
    from aliot.credentials import DeviceCertificate

    platform = Platform()
    fields = dict(PRODUCT)
    fields[record.DEVICE_NAME] = b"dev_0001"
    made = device(fields)
    registering(made, DeviceCertificate("a1TESTpk001", "dev_0001", SECRET))
    made.start()
    for medium in made.media:
        medium.fault = "full"
    made.poll(0)
    made.poll(0)
    state, said = made.states[-1]
    assert (
        state == "error" and said["code"] == "store" and said["nvs"] == "full" and said["littlefs"] == "full"
    )
    assert not platform.asked and said["wait"] >= 300


def test_a_refused_registration_says_so_and_waits():
    Platform()
    fields = dict(PRODUCT)
    fields[record.DEVICE_NAME] = b"dev_0001"
    made = device(fields)
    registering(made, RegistrationError("bad user name or password", "register.mqtt.4", "later"))
    made.start()
    made.poll(0)
    state, said = made.states[-1]
    assert state == "refused" and said["code"] == "register.mqtt.4" and said["advice"] and said["wait"] >= 300
    assert "issued" not in made.media[0].kept


def test_a_refused_connect_waits_minutes_and_does_not_register():
    platform = Platform(b"\x20\x02\0\x04")
    made = device()
    made.start()
    made.poll(0)
    state, said = made.states[-1]
    assert (
        state == "refused" and said["code"] == "mqtt.4" and said["wait"] >= 300 and "secret" in said["advice"]
    )
    assert not made.poll(0) and len(platform.asked) == 1
    assert platform.streams[0].closed


def test_faults_of_the_link_are_offline_states():
    for problem in (LinkError("not found", "dns"), TimedOut("connect"), Closed("x")):
        Platform(problem)
        made = device()
        made.start()
        made.poll(0)
        state, said = made.states[-1]
        assert state == "offline" and said["code"] == problem.code and said["wait"] <= 2


TABLES = {
    "test_dates_of_a_certificate_point_to_the_clock_unless_a_server_set_it": [
        (None, "certificate.expired", "certificate.clock"),
        (None, "certificate.clock", "certificate.clock"),
        ("server", "certificate.expired", "certificate.expired"),
        ("server", "certificate.clock", "certificate.future"),
        (None, "certificate.name", "certificate.name"),
    ],
    "test_filters": [
        ("/a/b", "/a/b", True),
        ("/a/b", "/a/c", False),
        ("/a/+", "/a/b", True),
        ("/a/+", "/a/b/c", False),
        ("/a/+/c", "/a/b/c", True),
        ("/a/#", "/a/b/c", True),
        ("/a/#", "/a", True),
        ("/a/#", "/b", False),
        ("#", "/x", True),
        ("+", "x", True),
        ("+", "/x", False),
        ("/a/b/c", "/a/b", False),
    ],
}


def test_dates_of_a_certificate_point_to_the_clock_unless_a_server_set_it(server, code, wanted):
    from aliot.errors import CertificateError

    Platform(CertificateError("validity", code))
    clock.server = server
    sntp.synchronize = lambda servers: bool(server)
    made = device()
    made.start()
    made.poll(0)
    assert made.states[-1][1]["code"] == wanted and made.states[-1][1]["advice"]


def test_topics_are_completed():
    platform = Platform()
    made = device()
    made.start()
    made.poll(0)
    made.publish("user/data", "x")
    made.publish("thing/event/property/post", b"y", 1)
    made.publish("/ext/ntp/a1TESTpk001/dev_0001/request", "z")
    written = platform.streams[0].written()
    assert b"/a1TESTpk001/dev_0001/user/data" in written and b"/sys/a1TESTpk001/dev_0001/user" not in written
    assert b"/sys/a1TESTpk001/dev_0001/thing/event/property/post" in written
    assert b"/ext/ntp/a1TESTpk001/dev_0001/request" in written


def test_handlers_get_what_they_asked_for():
    platform = Platform()
    made = device()
    got = []
    made.subscribe("user/get", lambda topic, payload: got.append((1, topic, payload)))
    made.on("user/+/deep", lambda topic, payload: got.append((2, topic, payload)))
    made.on("#", lambda topic, payload: got.append((3, topic, payload)))
    made.start()
    made.poll(0)
    platform.streams[0].data += (
        message("/a1TESTpk001/dev_0001/user/get", b"a")
        + message("/a1TESTpk001/dev_0001/user/x/deep", b"b")
        + message("/broadcast/a1TESTpk001/9", b"c")
    )
    for _ in range(5):
        made.poll(0)
    assert [row[0] for row in got] == [1, 3, 2, 3, 3]
    assert got[0] == (1, "/a1TESTpk001/dev_0001/user/get", b"a")


def test_filters(pattern, topic, wanted):
    assert matches(pattern, topic) is wanted


def test_subscriptions_come_back_and_a_refused_one_does_not_hurt():
    platform = Platform()
    made = device()
    for name in ("user/a", "user/b", "/foreign/topic"):
        made.subscribe(name)
    made.start()
    assert made.poll(0)
    assert [data[0] for data in platform.streams[0].writes] == [0x10, 0x82, 0x82, 0x82]
    assert ("error", {"code": "suback", "detail": "/foreign/topic"}) in made.states
    platform.streams[0].end = CLOSED
    made.poll(0)
    assert not made.connected
    made.session = aliot.device.Session(lambda n: 0)
    assert made.poll(0)
    assert [data[0] for data in platform.streams[1].writes] == [0x10, 0x82, 0x82, 0x82]


def test_publish_offline_is_an_error():
    Platform()
    made = device()
    made.start()
    assert raises(LinkError, made.publish, "user/x", "y").code == "offline"


def test_a_lost_connection_is_closed_said_and_made_again():
    platform = Platform()
    made = device()
    made.start()
    made.poll(0)
    platform.streams[0].end = CLOSED
    assert not made.poll(0)
    assert made.states[-1][0] == "offline" and made.states[-1][1]["code"] == "closed"
    assert platform.streams[0].closed
    for _ in range(30):
        if made.poll(200):
            break
    assert made.connected and len(platform.streams) == 2


def test_a_publish_that_fails_takes_the_connection_down():
    platform = Platform()
    made = device()
    made.start()
    made.poll(0)
    platform.streams[0].answer = lambda written: b""
    raises(TimedOut, made.publish, "user/x", "y", 1)
    assert not made.connected and platform.streams[0].closed
    assert made.states[-1][1]["code"] == "timeout"


def test_thrown_off_again_and_again_reports_a_twin():
    platform = Platform()
    made = device()
    made.start()
    made.session = aliot.device.Session(lambda n: 0)
    for count in range(3):
        assert made.poll(0)
        platform.streams[-1].end = CLOSED
        made.poll(0)
    state, said = made.states[-1]
    assert state == "offline" and said["code"] == "twin" and said["wait"] >= 300 and said["advice"]


def test_a_network_that_goes_and_comes_back():
    platform = Platform()
    network = Network()
    made = device(network=network)
    made.start()
    made.poll(0)
    network.there = False
    made.poll(0)
    assert not made.connected and made.states[-1][1]["code"] == "wifi"
    made.poll(0)
    assert network.joins == 1 and made.states[-1][0] == "wifi"
    said = made.states[-1][1]
    assert (
        said["code"] == "wifi.password"
        and said["advice"]
        and said["up"] is False
        and said["network"] == "test"
    )
    made.poll(0)
    assert network.joins == 1  # not at every look
    network.there = True
    made.session = aliot.device.Session(lambda n: 0)
    assert made.poll(0)
    assert ("wifi", {"up": True, "network": "test"}) in made.states


def test_a_network_that_is_not_there_is_asked_for_once():
    Platform()
    network = Network(False)
    made = device(network=network)
    made.start()
    made.poll(0)
    assert network.joins == 1 and not made.connected


def test_settings_override_the_endpoint_never_the_identity():
    platform = Platform()
    made = device(endpoint={"instance": "iot-9"}, product_key="x", device_name="y", device_secret="z")
    made.start()
    made.poll(0)
    assert platform.asked[0][:2] == ("iot-9.mqtt.iothub.aliyuncs.com", 8883)
    assert made.product_key == "a1TESTpk001" and made.device_name == "dev_0001"


def test_a_setting_that_cannot_be_is_named_and_the_default_serves():
    for name, value, default in (("keepalive", 29, 300), ("keepalive", "60", 300), ("timeout", -1, 15000)):
        Platform()
        made = device(**{name: value})
        made.start()
        said = [fields for state, fields in made.states if state == "error"]
        assert (
            len(said) == 1
            and said[0]["code"] == "settings"
            and name in said[0]["detail"]
            and said[0]["advice"]
        )
        assert getattr(made, name) == default and made.poll(0)


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
    said = errors(made)
    assert len(said) == 2 and said[0]["code"] == "handler" and "KeyError" in said[0]["detail"]
    assert "test_device" in said[0]["place"] and said[0]["topic"] == GET and said[0]["advice"]


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
