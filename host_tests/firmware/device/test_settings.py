"""What /config.json and a burned record say together, and what a setting may be; direct.md 5.

The rows of vectors/settings.json are held against the tools on the host too (host_tests/image/test_config.py).
"""

import os

from aliot import record, rules, settings
from aliot.credentials import DeviceCertificate
from aliot.endpoint import PUBLIC, Endpoint
from aliot.errors import CredentialError
from aliot.settings import Settings
from scripted import raises

PK = "a1TESTpk001"
VECTORS = {
    "test_a_setting_is_taken_or_named": ("settings.json/settings", ""),
    "test_a_file_is_read_or_said_to_be_none": ("settings.json/files", ""),
}
PLACES = (
    # fields of the record, override, host, port, instance, roots
    ({}, {}, "a1TESTpk001.iot-as-mqtt.cn-shanghai.aliyuncs.com", 443, "", ("globalsign_r1", "globalsign_r6")),
    (
        {record.REGION: b"ap-northeast-1"},
        {},
        "a1TESTpk001.iot-as-mqtt.ap-northeast-1.aliyuncs.com",
        443,
        "",
        ("globalsign_r1", "globalsign_r6"),
    ),
    (
        {record.INSTANCE: b"iot-060a06ph"},
        {},
        "iot-060a06ph.mqtt.iothub.aliyuncs.com",
        8883,
        "iot-060a06ph",
        ("aliyun",),
    ),
    (
        {record.INSTANCE: b"iot-060a06ph", record.PORT: b"\x5b\x07"},
        {},
        "iot-060a06ph.mqtt.iothub.aliyuncs.com",
        1883,
        "iot-060a06ph",
        ("globalsign_r1", "globalsign_r6"),
    ),
    (
        {record.HOST: b"iot-1.mqtt.iothub.aliyuncs.com"},
        {},
        "iot-1.mqtt.iothub.aliyuncs.com",
        8883,
        "iot-1",
        ("aliyun",),
    ),
    ({record.HOST: b"broker.example"}, {}, "broker.example", 443, "", ("globalsign_r1", "globalsign_r6")),
    (
        {record.REGION: b"cn-shanghai"},
        {"instance": "iot-2"},
        "iot-2.mqtt.iothub.aliyuncs.com",
        8883,
        "iot-2",
        ("aliyun",),
    ),
    (
        {record.HOST: b"old.example", record.PORT: b"\x01\0"},
        {"region": "eu-central-1"},
        "a1TESTpk001.iot-as-mqtt.eu-central-1.aliyuncs.com",
        443,
        "",
        ("globalsign_r1", "globalsign_r6"),
    ),
    (
        {record.INSTANCE: b"iot-3"},
        {"port": 443},
        "iot-3.mqtt.iothub.aliyuncs.com",
        443,
        "iot-3",
        ("globalsign_r1", "globalsign_r6"),
    ),
)


def endpoint(fields, override):
    """The endpoint of a device, as its record and its settings say."""
    found = Settings({"endpoint": override}, fields)
    assert found.wrong == [], found.wrong
    return found.endpoint(DeviceCertificate(PK, "dev_0001", "s" * 32))


def test_where_a_device_connects():
    for fields, override, host, port, instance, roots in PLACES:
        made = endpoint(fields, override)
        assert (made.host, made.port, made.instance) == (host, port, instance), made.host
        assert made.roots == roots and type(made) is Endpoint


def test_registration_hosts():
    assert endpoint({}, {}).register_host == "iot-auth.cn-shanghai.aliyuncs.com"
    assert endpoint({}, {"region": "ap-southeast-1"}).register_host == "iot-auth.ap-southeast-1.aliyuncs.com"
    assert endpoint({record.REGISTER_HOST: b"auth.example"}, {}).register_host == "auth.example"
    assert (
        endpoint({record.REGISTER_HOST: b"auth.example"}, {"register_host": "other.example"}).register_host
        == "other.example"
    )


def test_another_place_to_go_to_has_its_own_roots():
    made = endpoint({}, {})
    made.go("iot-06z00abc.mqtt.iothub.aliyuncs.com", 8883)
    assert (made.host, made.port, made.roots) == ("iot-06z00abc.mqtt.iothub.aliyuncs.com", 8883, ("aliyun",))
    made.go("a1.iot-as-mqtt.eu-central-1.aliyuncs.com", 1883)
    assert made.roots == PUBLIC


def test_a_burned_host_that_cannot_be_one_is_refused():
    for tag in (record.HOST, record.REGION, record.INSTANCE, record.REGISTER_HOST):
        for value in (b"a b", b"h:1", b"x/y", b"\xff", b"x" * 129, b"a\n"):
            raises(CredentialError, endpoint, {tag: value}, {})


def test_a_setting_is_taken_or_named(row):
    config = row["config"]
    assert sorted(settings.wrong(config)) == row["wrong"]
    found = Settings(config, {})
    assert sorted(found.wrong) == row["wrong"]
    for name in ("keepalive", "watchdog", "clean", "ntp", "push", "timeout")[: 5 if found.watchdog else 6]:
        wanted = config[name] if name in config and name not in row["wrong"] else getattr(Settings, name)
        assert getattr(found, name) == wanted, name
    override = config.get("endpoint")
    for name in override if isinstance(override, dict) else ():
        if "endpoint." + name not in row["wrong"]:
            assert getattr(found, name) == override[name], name
    for name in row["wrong"]:
        reported = []

        class Device:
            def state(self, state, fields):
                reported.append((state, fields["code"], fields["detail"], fields["advice"]))

        rules.report(Device(), None, name)
        state, code, detail, advice = reported[0]
        assert (
            (state, code) == ("error", "settings")
            and detail.startswith("/config.json: %s has to be " % name)
            and advice
        )


def test_what_is_wrong_leaves_the_burned_place():
    fields = {record.INSTANCE: b"iot-3", record.PORT: b"\x5b\x07"}
    for override in (
        {"region": 5},
        {"host": "h:1"},
        {"port": 0},
        {"port": 65536, "instance": ""},
        [],
        "x",
        None,
    ):
        made = Settings({"endpoint": override}, fields).endpoint(DeviceCertificate(PK, "dev_0001", "s" * 32))
        assert (made.host, made.port) == ("iot-3.mqtt.iothub.aliyuncs.com", 1883), override
    made = Settings({"endpoint": {"host": 5, "region": "eu-central-1"}}, fields)
    assert (made.region, made.instance, made.host, made.port) == ("eu-central-1", "", "", 0)


def test_a_watchdog_bounds_the_timeout():
    assert Settings({"watchdog": 8000}, {}).timeout == 4000
    assert Settings({"watchdog": 8000, "timeout": 1000}, {}).timeout == 1000
    assert Settings({"watchdog": 60000}, {}).timeout == 15000


def test_a_file_is_read_or_said_to_be_none(row):
    with open("/row.json", "wb") as file:
        for c in row["bytes"]:
            file.write(bytes([ord(c)]))
        for _ in range(row["pad"] - len(row["bytes"])):
            file.write(b" ")
    found, fault = settings.read("/row.json")
    if "fault" in row:
        assert (found, fault) == ({}, row["fault"])
        return
    wanted = row["config"]
    assert fault is None and sorted(found) == sorted(wanted)
    for name in wanted:
        assert settings.joined(found[name]).encode() == settings.joined(wanted[name]).encode()


def test_no_file_is_no_fault_and_a_folder_is_one():
    assert settings.read("/nothing.json") == ({}, None)
    os.mkdir("/folder.json")
    assert settings.read("/folder.json") == ({}, "cannot be read")


def test_the_name_of_an_access_point_is_its_bytes():
    for config, wanted in (
        ({}, b""),
        ({"ssid": "shop"}, b"shop"),
        ({"ssid": "Caf\u00e9"}, b"Caf\xc3\xa9"),
        ({"ssid_hex": "436166e9"}, b"Caf\xe9"),
        ({"ssid": "\ud83d\udcf6Caf\u00e9"}, b"\xf0\x9f\x93\xb6Caf\xc3\xa9"),
        ({"ssid": "\U0001f4f6"}, b"\xf0\x9f\x93\xb6"),
        ({"ssid": "a\ud83d\udcf6b\ud83d\udcf6"}, b"a\xf0\x9f\x93\xb6b\xf0\x9f\x93\xb6"),
        ({"ssid": "x", "ssid_hex": "00ff"}, b"\0\xff"),
    ):
        found = settings.ssid(config)
        assert (found if isinstance(found, bytes) else found.encode()) == wanted, config
