"""A device: from what is burned to online, its refusals, and its settings."""

import json
import aliot.device
from aliot import clock, record, sntp
from aliot.device import Device
from aliot.errors import Closed, CredentialError, LinkError, RegistrationError, TimedOut
from aliot.store import Store
from aliot.topics import matches
from aliot.wired import Wired
from scripted import CLOSED, raises
from scripted_device import DEVICE, Platform, SECRET, device, message, names

HEAP = "192K"  # the tests themselves are most of it
PRODUCT = {
    record.KIND: b"product",
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
    state, reported = made.states[-1]
    assert (
        state == "error"
        and reported["code"] == "store"
        and reported["nvs"] == "full"
        and reported["littlefs"] == "full"
    )
    assert not platform.asked and reported["wait"] >= 300


def test_a_refused_registration_says_so_and_waits():
    Platform()
    fields = dict(PRODUCT)
    fields[record.DEVICE_NAME] = b"dev_0001"
    made = device(fields)
    registering(made, RegistrationError("bad user name or password", "register.mqtt.4", "later"))
    made.start()
    made.poll(0)
    state, reported = made.states[-1]
    assert (
        state == "refused"
        and reported["code"] == "register.mqtt.4"
        and reported["advice"]
        and reported["wait"] >= 300
    )
    assert "issued" not in made.media[0].kept


def test_a_refused_connect_waits_minutes_and_does_not_register():
    platform = Platform(b"\x20\x02\0\x04")
    made = device()
    made.start()
    made.poll(0)
    state, reported = made.states[-1]
    assert (
        state == "refused"
        and reported["code"] == "mqtt.4"
        and reported["wait"] >= 300
        and "secret" in reported["advice"]
    )
    assert not made.poll(0) and len(platform.asked) == 1
    assert platform.streams[0].closed


def test_faults_of_the_link_are_offline_states():
    for problem in (LinkError("not found", "dns"), TimedOut("connect"), Closed("x")):
        Platform(problem)
        made = device()
        made.start()
        made.poll(0)
        state, reported = made.states[-1]
        assert state == "offline" and reported["code"] == problem.code and reported["wait"] <= 2


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
    state, reported = made.states[-1]
    assert (
        state == "offline" and reported["code"] == "twin" and reported["wait"] >= 300 and reported["advice"]
    )


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
    reported = made.states[-1][1]
    assert (
        reported["code"] == "wifi.password"
        and reported["advice"]
        and reported["up"] is False
        and reported["network"] == "test"
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
        reported = [fields for state, fields in made.states if state == "error"]
        assert (
            len(reported) == 1
            and reported[0]["code"] == "settings"
            and name in reported[0]["detail"]
            and reported[0]["advice"]
        )
        assert getattr(made, name) == default and made.poll(0)
