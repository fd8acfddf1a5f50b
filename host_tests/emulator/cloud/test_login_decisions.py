"""The decision table of direct.md 9, row by row: MQTT connects and registrations over real sockets."""

import pytest

from host_tests.support.cloud.client import (
    DN,
    DS,
    HOST,
    PK,
    PS,
    Client,
    connect_packet,
    login,
    register_packet,
    registered,
    sign,
    unit_packet,
)
from tools.emulator.cloud import codec

OTHER_CODES = [5]


def refused(cloud, packet, code, where="mqtt_tls"):
    """The CONNECT gets `code` and then the end of the connection, and changes nothing."""
    before = cloud.device()
    with Client(cloud.open(where)) as client:
        assert client.login(packet) == code
        assert client.closed() in ("goodbye", "fin")
    after = cloud.device()
    for one in (before, after):
        one.pop("traffic")
    assert after == before


def with_id(text, **fields):
    return connect_packet(client_id="x").__class__(
        **{"client_id": text, "username": f"{DN}&{PK}", "password": b"0", "keep_alive": 300, **fields}
    )


NO_LIST = {
    "no list": with_id("dev"),
    "empty client identifier": with_id(""),
    "list without an end": with_id("dev|securemode=2,signmethod=hmacsha256"),
    "no securemode": with_id("dev|signmethod=hmacsha256|"),
    "empty securemode": with_id("dev|securemode=,signmethod=hmacsha256|"),
    "registration without random": with_id("dev|securemode=2,authType=register,signmethod=hmacsha256|"),
    "unknown authType": with_id("dev|securemode=2,authType=sesame,signmethod=hmacsha256|"),
    "clientId of 65 characters": connect_packet(client_id="c" * 65),
}


@pytest.mark.parametrize("code", [2, *OTHER_CODES])
def test_a_malformed_client_identifier(run, code):
    with run(switches={"bad_client_id": code}) as cloud:
        for name, packet in NO_LIST.items():
            refused(cloud, packet, code)


BAD_LOGINS = {
    "user name without &": connect_packet(username=DN),
    "no user name": connect_packet(username=None, password=None),
    "unknown product": connect_packet(pk="a1TESTpk002"),
    "unknown device": connect_packet(dn="dev_0002"),
    "wrong secret": connect_packet(secret="f" * 32),
    "no password": connect_packet(password=None),
    "password that is not text": connect_packet(password=b"\xff\xfe"),
    "ProductSecret as DeviceSecret": connect_packet(secret=PS),
    "registration signed with another secret": register_packet(secret="x" * 16),
    "registration of another product": register_packet(pk="a1TESTpk002"),
    "instanceId of another instance": register_packet(instance="iot-other"),
}


@pytest.mark.parametrize("code", [4, *OTHER_CODES])
def test_a_bad_login(run, code):
    with run(switches={"bad_login": code}) as cloud:
        for name, packet in BAD_LOGINS.items():
            refused(cloud, packet, code)


def test_a_device_of_another_kind_of_product_is_a_bad_login(run):
    for kind in ({"auth": "x509"}, {"node": "subdevice"}):
        with run(**kind, dynamic_registration=False, preregistration_free=False) as cloud:
            refused(cloud, connect_packet(), 4)


def test_signmethod_absent_means_hmacmd5(run):
    packet = connect_packet(
        client_id="dev|securemode=2|",
        password=sign(DS, f"clientIddevdeviceName{DN}productKey{PK}", "md5").encode(),
    )
    packet = codec.Connect("dev|securemode=2|", packet.username, packet.password, 300)
    with run() as cloud:
        assert login(cloud, packet) == 0


@pytest.mark.parametrize("code", [2, *OTHER_CODES])
def test_signmethod_unknown(run, code):
    packet = codec.Connect("dev|securemode=2,signmethod=sha3|", f"{DN}&{PK}", b"0", 300)
    with run(switches={"unknown_signmethod": code}) as cloud:
        refused(cloud, packet, code)
        registration = register_packet()
        refused(
            cloud,
            codec.Connect(
                registration.client_id.replace("hmacsha256", "sha3"),
                registration.username,
                registration.password,
                60,
            ),
            code,
        )


@pytest.mark.parametrize("method", ["HmacSHA256", "HMACSHA1", "hmacMd5"])
def test_signmethod_without_regard_to_case(run, method):
    digest = sign(DS, f"clientIddevdeviceName{DN}productKey{PK}", method.lower()[4:]).upper()
    with run() as cloud:
        assert (
            login(
                cloud,
                codec.Connect(f"dev|securemode=2,signmethod={method}|", f"{DN}&{PK}", digest.encode(), 300),
            )
            == 0
        )


@pytest.mark.parametrize("kind", ["register", "regnwl"])
def test_a_registration_on_plain_tcp(run, kind):
    with run() as cloud:
        for mode in ("2", "-2", "3"):
            refused(cloud, register_packet(kind, mode=mode), 2, "mqtt_tcp")


@pytest.mark.parametrize("code", [4, *OTHER_CODES])
def test_register_refused(run, code):
    with run(switches={"register_refused": code}) as cloud:
        refused(cloud, register_packet(dn="dev_0002"), code)
        cloud.admin("POST", f"/products/{PK}/dynamic_registration", {"enabled": False})
        refused(cloud, register_packet(), code)
        cloud.admin("POST", f"/products/{PK}/dynamic_registration", {"enabled": True})
        assert login(cloud, connect_packet()) == 0
        assert cloud.device()["status"] == "offline"
        refused(cloud, register_packet(), code)


@pytest.mark.parametrize("code", [4, *OTHER_CODES])
def test_regnwl_refused(run, code):
    with run(switches={"regnwl_refused": code}) as cloud:
        cloud.admin("POST", f"/products/{PK}/dynamic_registration", {"enabled": False})
        refused(cloud, register_packet("regnwl", dn="unit"), code)
        cloud.admin("POST", f"/products/{PK}/dynamic_registration", {"enabled": True})
        for _ in range(5):
            with cloud.mqtt() as client:
                unit, _ = registered(client, register_packet("regnwl", dn="unit"))
            assert login(cloud, unit_packet(unit, dn="unit")) == 0
        refused(cloud, register_packet("regnwl", dn="unit"), code)
        assert login(cloud, connect_packet()) == 0
        refused(cloud, register_packet("regnwl"), code)  # a pre-registered device in use


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "public"},
        {"region": "us-west-1"},
        {"preregistration_free": False},
        {"switches": {"regnwl_regions": ["cn-beijing"]}},
    ],
)
def test_regnwl_where_there_is_none(run, change):
    with run(**change) as cloud:
        host = HOST
        with Client(cloud.open("mqtt_tls", host)) as client:
            assert client.login(register_packet("regnwl")) == 4


def test_regnwl_in_each_region_the_switch_names(run):
    with run(switches={"regnwl_regions": ["us-west-1"]}, region="us-west-1") as cloud:
        assert login(cloud, register_packet("regnwl")) == 0


@pytest.mark.parametrize("code", [4, *OTHER_CODES])
def test_connwl_refused(run, code):
    with run(switches={"connwl_refused": code}) as cloud:
        with cloud.mqtt() as client:
            unit, _ = registered(client, register_packet("regnwl", dn="unit"))
        for wrong in (
            {"deviceToken": unit["deviceToken"][:-1]},
            {"clientId": unit["clientId"] + "x"},
            {"deviceToken": unit["deviceToken"].swapcase()},
        ):
            assert login(cloud, unit_packet({**unit, **wrong}, dn="unit")) == code
        cloud.admin("POST", f"/devices/{PK}/unit/clients", {"clear": True})
        assert login(cloud, unit_packet(unit, dn="unit")) == code


@pytest.mark.parametrize(
    "switch, codes", [(None, {29: 2, 30: 0, 0: 2}), (5, {29: 5, 30: 0}), ("clamp", {0: 0, 29: 0})]
)
def test_keep_alive_below_the_window(run, switch, codes):
    with run(switches={"keep_alive_low": switch} if switch else {}) as cloud:
        for keep_alive, code in codes.items():
            assert login(cloud, connect_packet(keep_alive=keep_alive)) == code


@pytest.mark.parametrize("switch, code", [(None, 0), (2, 2)])
def test_keep_alive_above_the_window(run, switch, code):
    with run(switches={"keep_alive_high": switch} if switch else {}) as cloud:
        assert login(cloud, connect_packet(keep_alive=1200)) == 0
        assert login(cloud, connect_packet(keep_alive=1201)) == code
        assert [entry["keep_alive"] for entry in cloud.log(event="online")] == [1200] * (2 - bool(code))


@pytest.mark.parametrize("keep_alive", [0, 5, 60000])
def test_keep_alive_is_not_looked_at_in_a_registration(run, keep_alive):
    with run(switches={"keep_alive_high": 2}) as cloud:
        assert login(cloud, register_packet(keep_alive=keep_alive)) == 0


@pytest.mark.parametrize("code", [4, *OTHER_CODES])
def test_a_disabled_device(run, code):
    with run(switches={"disabled": code}) as cloud:
        with cloud.mqtt() as client:
            unit, _ = registered(client, register_packet("regnwl", dn="unit"))
        for dn in (DN, "unit"):
            cloud.admin("POST", f"/devices/{PK}/{dn}/disable")
        refused(cloud, connect_packet(), code)
        refused(cloud, register_packet(), code)
        refused(cloud, unit_packet(unit, dn="unit"), code)
        cloud.admin("POST", f"/devices/{PK}/{DN}/enable")
        assert login(cloud, connect_packet()) == 0


def test_an_injected_fault_of_the_platform_is_code_3(run):
    with run() as cloud:
        cloud.arm("mqtt_tls", "connect", "refuse")
        refused(cloud, connect_packet(), 3)
        assert login(cloud, connect_packet()) == 0


MQTT5 = codec.packet(0x10, codec.text("MQTT") + b"\x05\x02\x01\x2c\x00" + codec.text("dev"))


@pytest.mark.parametrize(
    "kind, switch, packets",
    [("public", 1, [codec.Connack(1)]), ("public", "close", []), ("enterprise", 1, [codec.Connack(1)])],
)
def test_protocol_level_5(run, kind, switch, packets):
    with run(kind=kind, switches={"mqtt5_public": switch}) as cloud, cloud.mqtt() as client:
        client.send(MQTT5)
        assert [client.read() for _ in packets] == packets
        assert client.closed()


def test_mqtt_3_1_is_accepted(run):
    with run() as cloud:
        assert login(cloud, connect_packet(protocol="MQIsdp", level=3)) == 0


@pytest.mark.parametrize("switch, how", [("close", ("fin",)), ("reset", ("reset",))])
def test_the_second_connect_of_a_device_throws_the_first_off_without_a_packet(run, switch, how):
    with run(switches={"second_connect": switch}) as cloud:
        with cloud.mqtt("mqtt_tcp") as first, cloud.mqtt() as second:
            first.online(connect_packet(mode="3"))
            second.online(connect_packet())
            assert first.closed() in how
            second.nothing()
        assert [entry["code"] for entry in cloud.log(event="kicked")] == [400]


def test_two_units_of_one_device_name_are_two_identities(run):
    with run() as cloud:
        units = []
        for _ in range(2):
            with cloud.mqtt() as client:
                units.append(registered(client, register_packet("regnwl", dn="unit"))[0])
        with cloud.mqtt() as first, cloud.mqtt() as second, cloud.mqtt() as third:
            first.online(unit_packet(units[0], dn="unit"))
            second.online(unit_packet(units[1], dn="unit"))
            first.nothing()
            third.online(unit_packet(units[0], dn="unit"))
            assert first.closed()
            second.nothing()


def test_an_accepted_registration_is_answered_at_once_and_closed_after_15_s(run):
    with run() as cloud, cloud.mqtt() as client:
        fields, push = registered(client, register_packet())
        assert push.topic == "/ext/register" and list(fields) == ["productKey", "deviceName", "deviceSecret"]
        cloud.advance(14)
        client.nothing()
        cloud.advance(2)
        assert client.closed() == "goodbye"
        assert cloud.log(event="closed by the platform")[0]["reason"] == "registration is over"
