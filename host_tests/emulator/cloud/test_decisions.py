"""The decision table of direct.md 9, row by row, and each switch both ways, over real sockets."""

import pytest

from host_tests.support.cloud.client import (
    DN,
    DS,
    HOST,
    PK,
    PS,
    Client,
    connect_packet,
    form,
    register_packet,
    registered,
    sign,
    unit_packet,
)
from tools.emulator.cloud import codec

OTHER_CODES = [5]


def login(cloud, packet, where="mqtt_tls", host=HOST):
    with Client(cloud.open(where, host)) as client:
        return client.login(packet)


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


@pytest.mark.parametrize("way", ["register", "regnwl"])
def test_a_registration_on_plain_tcp(run, way):
    with run() as cloud:
        for mode in ("2", "-2", "3"):
            refused(cloud, register_packet(way, mode=mode), 2, "mqtt_tcp")


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


# ---- HTTPS

HTTPS_ROWS = {
    "missing field": ({key: value for key, value in form().items() if key != "random"}, 460),
    "empty field": (form() | {"deviceName": ""}, 460),
    "surplus field": (form(surplus="1"), 460),
    "a field twice": ("&".join(f"{key}={value}" for key, value in form().items()) + "&random=r1", 460),
    "not a form": ("{}", 460),
    "nothing": ("", 460),
    "not UTF-8": ("productKey=%ff", 460),
    "unknown product": (form(pk="a1TESTpk002"), 6250),
    "unknown method": (form() | {"signMethod": "sha3"}, 6292),
    "wrong signature": (form(secret="x" * 16), 6600),
    "sign of another device": (form() | {"deviceName": "dev_0002"}, 6600),
    "unknown device": (form(dn="dev_0002"), 6100),
    "good": (form(), 200),
    "method by other case": (form(method="HmacMD5"), 200),
}


@pytest.mark.parametrize("status", [200, 401])
def test_https_answers(run, status):
    with run(switches={"https_status": status}) as cloud:
        for name, (fields, code) in HTTPS_ROWS.items():
            got = cloud.https(fields)
            assert (got[0], got[1]["code"]) == (200 if code == 200 else status, code), name
            assert set(got[1]) == ({"code", "data", "message"} if code == 200 else {"code", "message"})


def test_https_with_the_switch_off_and_active(run):
    with run(dynamic_registration=False, preregistration_free=False) as cloud:
        assert cloud.https(form())[1]["code"] == 6288
        cloud.admin("POST", f"/products/{PK}/dynamic_registration", {"enabled": True})
        assert login(cloud, connect_packet()) == 0
        assert cloud.https(form())[1]["code"] == 6289


@pytest.mark.parametrize("code", [6100, 6250])
def test_https_unknown_device(run, code):
    with run(switches={"https_unknown_device": code}) as cloud:
        assert cloud.https(form(dn="dev_0002"))[1]["code"] == code


@pytest.mark.parametrize("code", [6204, 6289])
def test_https_disabled_device(run, code):
    with run(switches={"https_disabled_device": code}) as cloud:
        cloud.admin("POST", f"/devices/{PK}/{DN}/disable")
        assert cloud.https(form())[1]["code"] == code


ORDER = ("parameters", "product", "switch", "method", "signature", "device", "active")
# everything is wrong at once, apart from what excludes something else: the code tells which check came first
ALL_WRONG = {"switch": 6288, "method": 6292, "signature": 6600, "device": 6100}


@pytest.mark.parametrize(
    "order",
    [ORDER, ORDER[::-1], ("device", "signature", "switch", "method", "product", "active", "parameters")],
)
def test_https_check_order(run, order):
    with run(
        switches={"https_order": list(order)}, dynamic_registration=False, preregistration_free=False
    ) as cloud:
        wrong_method = form(dn="dev_0002", secret="x" * 16) | {"signMethod": "sha3"}
        wrong_sign = form(dn="dev_0002", secret="x" * 16)
        assert (
            cloud.https(wrong_sign)[1]["code"]
            == ALL_WRONG[next(name for name in order if name in ("switch", "signature", "device"))]
        )
        assert (
            cloud.https(wrong_method)[1]["code"]
            == ALL_WRONG[next(name for name in order if name in ("switch", "method", "device"))]
        )


# ---- what the other sections leave open


@pytest.mark.parametrize("switch, code", [("checked", 2), ("ignored", 0)])
def test_securemode_against_the_transport(run, switch, code):
    with run(switches={"securemode": switch}) as cloud:
        assert login(cloud, connect_packet(mode="2")) == 0
        assert login(cloud, connect_packet(mode="3"), "mqtt_tcp") == 0
        assert login(cloud, connect_packet(mode="3")) == code
        assert login(cloud, connect_packet(mode="2"), "mqtt_tcp") == code


@pytest.mark.parametrize("switch, codes", [("either", (0, 0, 2)), ("2", (0, 2, 2)), ("-2", (2, 0, 2))])
def test_securemode_of_a_registration(run, switch, codes):
    with run(switches={"registration_securemode": switch}) as cloud:
        for way in ("register", "regnwl"):
            dn = DN if way == "register" else "unit"
            assert (
                tuple(login(cloud, register_packet(way, dn=dn, mode=mode)) for mode in ("2", "-2", "3"))
                == codes
            )


@pytest.mark.parametrize(
    "switch, codes", [("checked", (0, 0, 4)), ("ignored", (0, 0, 0)), ("required", (4, 0, 4))]
)
def test_instance_id_of_a_registration(run, switch, codes):
    with run(switches={"instance_id": switch}) as cloud:
        assert (
            tuple(login(cloud, register_packet(instance=one)) for one in (None, "iot-test01", "iot-other"))
            == codes
        )


def test_instance_id_is_not_compared_where_the_instance_has_none(run, certificates, tmp_path):
    with run(
        text=f'[instance]\nkind = "public"\n[[product]]\nproduct_key = "{PK}"\nproduct_secret = "{PS}"\n'
        f'dynamic_registration = true\n[[product.device]]\ndevice_name = "{DN}"\n'
    ) as cloud:
        assert login(cloud, register_packet(instance="iot-any")) == 0


@pytest.mark.parametrize("minutes, codes", [(0, (0, 0, 0, 0, 0)), (15, (4, 4, 0, 4, 4))])
def test_timestamp(run, minutes, codes):
    import time

    with run(switches={"timestamp_minutes": minutes}) as cloud:
        now = str(int(time.time() * 1000))
        for stamp, code in zip(("2524608000000", "yesterday", now, "9" * 400, "9" * 5000), codes):
            password = sign(DS, f"clientIddevdeviceName{DN}productKey{PK}timestamp{stamp}")
            assert (
                login(
                    cloud,
                    codec.Connect(
                        f"dev|securemode=2,signmethod=hmacsha256,timestamp={stamp}|",
                        f"{DN}&{PK}",
                        password.encode(),
                        300,
                    ),
                )
                == code
            )


def test_a_client_id_that_is_not_there_is_not_signed(run):
    with run() as cloud:
        assert (
            login(
                cloud,
                codec.Connect(
                    "|securemode=2,signmethod=hmacsha256|",
                    f"{DN}&{PK}",
                    sign(DS, f"deviceName{DN}productKey{PK}").encode(),
                    300,
                ),
            )
            == 0
        )


@pytest.mark.parametrize("switch, code", [("ignored", 0), ("checked", 4)])
def test_the_host_asked_for(run, switch, code):
    with run(switches={"host": switch}) as cloud:
        assert login(cloud, connect_packet()) == 0
        assert login(cloud, connect_packet(), host="iot-other.mqtt.iothub.aliyuncs.com") == code
        assert login(cloud, connect_packet(), host=f"{PK}.iot-as-mqtt.cn-shanghai.aliyuncs.com") == code


def test_the_host_of_a_public_instance(run):
    with run(switches={"host": "checked"}, kind="public") as cloud:
        for host in (
            f"{PK}.iot-as-mqtt.cn-shanghai.aliyuncs.com",
            f"{PK.lower()}.iot-as-mqtt.cn-shanghai.aliyuncs.com",
        ):
            assert login(cloud, connect_packet(), host=host) == 0  # clients that parse a URL send lower case
        assert login(cloud, connect_packet(), host="a1OTHERpk01.iot-as-mqtt.cn-shanghai.aliyuncs.com") == 4


@pytest.mark.parametrize(
    "switch, topics",
    [
        ("/ext/regnwl", ["/ext/regnwl"]),
        ("/ext/register", ["/ext/register"]),
        ("both", ["/ext/regnwl", "/ext/register"]),
    ],
)
def test_topic_of_the_preregistration_free_push(run, switch, topics):
    with run(switches={"regnwl_topic": switch}) as cloud, cloud.mqtt() as client:
        fields, push = registered(client, register_packet("regnwl"))
        assert [push.topic, *(client.read().topic for _ in topics[1:])] == topics
        assert list(fields) == ["productKey", "deviceName", "clientId", "deviceToken"]
        client.nothing()


@pytest.mark.parametrize(
    "switches, packet",
    [({}, (0, None, False)), ({"push_qos": 1}, (1, 1, False)), ({"push_retain": True}, (0, None, True))],
)
def test_qos_and_retain_of_the_push(run, switches, packet):
    with run(switches=switches) as cloud, cloud.mqtt() as client:
        _, push = registered(client, register_packet())
        assert (push.qos, push.packet_id, push.retain) == packet


def test_key_order_of_the_push(run):
    with run(switches={"push_order": "secret_first"}) as cloud, cloud.mqtt() as client:
        assert list(registered(client, register_packet())[0]) == ["deviceSecret", "productKey", "deviceName"]


@pytest.mark.parametrize(
    "switch, accepted", [("connwl", {"connwl"}), ("regnwl", {"regnwl"}), ("either", {"connwl", "regnwl"})]
)
def test_auth_type_of_a_preregistration_free_connect(run, switch, accepted):
    with run(switches={"connwl_auth_type": switch}) as cloud:
        with cloud.mqtt() as client:
            unit, _ = registered(client, register_packet("regnwl", dn="unit"))
        for auth in ("connwl", "regnwl"):
            assert (login(cloud, unit_packet(unit, dn="unit", auth=auth)) == 0) == (auth in accepted)


@pytest.mark.parametrize("switch, outcomes", [("fresh", (0, 0)), ("same", (0, 0)), ("once", (0, 4))])
def test_a_registration_repeated_before_activation(run, switch, outcomes):
    with run(switches={"repeat_registration": switch}) as cloud:
        secrets = []
        for code in outcomes:
            with cloud.mqtt() as client:
                assert client.login(register_packet()) == code
                if not code:
                    client.read()
                    secrets.append(cloud.device()["device_secret"])
        assert (cloud.https(form())[1]["code"] == 200) == (switch != "once")
        assert len(set(secrets)) == {"fresh": 2, "same": 1, "once": 1}[switch]
        assert (secrets[0] == DS) == (switch == "same")
        last = cloud.device()["device_secret"]
        assert login(cloud, connect_packet(secret=last)) == 0
        for old in {*secrets, DS} - {last}:
            assert login(cloud, connect_packet(secret=old)) == 4


def test_after_activation_only_reset_thing_opens_the_registration_and_activation_stays(run):
    with run() as cloud:
        assert login(cloud, connect_packet()) == 0
        active = cloud.device()["activated_at"]
        assert cloud.https(form())[1]["code"] == 6289
        cloud.admin("POST", f"/devices/{PK}/{DN}/reset")
        assert cloud.device()["activated_at"] == active and cloud.device()["status"] == "offline"
        secret = cloud.https(form())[1]["data"]["deviceSecret"]
        assert login(cloud, connect_packet()) == 4
        assert login(cloud, connect_packet(secret=secret)) == 0
        assert cloud.device()["activated_at"] == active
        assert cloud.https(form())[1]["code"] == 6289


def test_deleting_and_creating_again_is_the_other_way(run):
    with run() as cloud:
        assert login(cloud, connect_packet()) == 0
        cloud.admin("POST", f"/devices/{PK}/{DN}/delete")
        assert login(cloud, connect_packet()) == 4
        assert cloud.https(form())[1]["code"] == 6100
        cloud.admin("POST", f"/products/{PK}/devices", {"device_names": [DN]})
        assert cloud.https(form())[1]["code"] == 200


@pytest.mark.parametrize("switch", ["connect", "register"])
def test_when_a_unit_counts(run, switch):
    with run(switches={"units_counted": switch}) as cloud:
        units = []
        for number in range(7):
            with cloud.mqtt() as client:
                code = client.login(register_packet("regnwl", dn="unit"))
                assert code == (4 if switch == "register" and number >= 5 else 0)
                if not code:
                    client.read()
        units = cloud.device("unit")["clients"]
        codes = [
            login(
                cloud,
                unit_packet({"clientId": unit["client_id"], "deviceToken": unit["device_token"]}, dn="unit"),
            )
            for unit in units
        ]
        assert codes == [0] * 5 + [4] * (2 if switch == "connect" else 0)


def test_a_unit_that_is_active_goes_on_connecting_and_clear_makes_room(run):
    with run(limits={"units": 1}) as cloud:
        with cloud.mqtt() as client:
            first, _ = registered(client, register_packet("regnwl", dn="unit"))
        for _ in range(2):
            assert login(cloud, unit_packet(first, dn="unit")) == 0
        assert login(cloud, register_packet("regnwl", dn="unit")) == 4
        cloud.admin("POST", f"/devices/{PK}/unit/clients", {"clear": True})
        with cloud.mqtt() as client:
            second, _ = registered(client, register_packet("regnwl", dn="unit"))
        assert login(cloud, unit_packet(second, dn="unit")) == 0
        assert login(cloud, unit_packet(first, dn="unit")) == 4


def test_switch_of_the_console_blocks_the_other_units_and_throws_them_off(run):
    with run() as cloud:
        units = []
        for _ in range(2):
            with cloud.mqtt() as client:
                units.append(registered(client, register_packet("regnwl", dn="unit"))[0])
        with cloud.mqtt() as first, cloud.mqtt() as second:
            first.online(unit_packet(units[0], dn="unit"))
            second.online(unit_packet(units[1], dn="unit"))
            cloud.admin("POST", f"/devices/{PK}/unit/clients", {"keep": units[1]["clientId"]})
            assert first.closed()
            second.nothing()
        assert login(cloud, unit_packet(units[0], dn="unit")) == 4
        cloud.admin("POST", f"/devices/{PK}/unit/clients", {"keep": units[0]["clientId"]})
        assert login(cloud, unit_packet(units[0], dn="unit")) == 0
        assert login(cloud, unit_packet(units[1], dn="unit")) == 4


@pytest.mark.parametrize("switch, codes", [("off", [0, 0, 0]), (3, [0, 0, 3])])
def test_connects_in_a_minute(run, switch, codes):
    with run(switches={"connect_rate": switch}, limits={"connects_per_minute": 2}) as cloud:
        assert [login(cloud, connect_packet()) for _ in codes] == codes
        assert login(cloud, register_packet("regnwl", dn="unit")) == 0  # another device


def test_connects_in_a_minute_may_just_be_closed(run):
    with run(switches={"connect_rate": "close"}, limits={"connects_per_minute": 1}) as cloud:
        assert login(cloud, connect_packet()) == 0
        with cloud.mqtt() as client:
            client.send(connect_packet())
            assert client.closed() == "goodbye"


@pytest.mark.parametrize("switch, code", [("ignored", 0), (2, 2)])
def test_a_will(run, switch, code):
    topic = f"/{PK}/{DN}/user/will"
    with run(switches={"will": switch}) as cloud:
        with cloud.mqtt() as client:
            assert client.login(connect_packet(will=codec.Will(topic, b"gone", 1, True))) == code
        with cloud.mqtt() as other:
            other.online(connect_packet())
            other.subscribe(topic)
            other.nothing()


@pytest.mark.parametrize("extension", ["9" * 5000, "-1", "three", "", "²"])
def test_an_ext_that_is_no_number_is_none(run, extension):
    with run() as cloud, cloud.mqtt() as client:
        client.online(connect_packet(extra=f"ext={extension}"))
        client.nothing()
