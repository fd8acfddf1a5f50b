"""Each switch of a login, both ways, over real sockets (direct.md 9)."""

import pytest

from host_tests.support.cloud.client import (
    DN,
    DS,
    PK,
    PS,
    connect_packet,
    form,
    login,
    register_packet,
    registered,
    sign,
    unit_packet,
)
from tools.emulator.cloud import codec


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
        for kind in ("register", "regnwl"):
            dn = DN if kind == "register" else "unit"
            assert (
                tuple(login(cloud, register_packet(kind, dn=dn, mode=mode)) for mode in ("2", "-2", "3"))
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
