"""Bootstrap, and several centres that hand devices on, move them, and refuse what is not theirs (6.2)."""

import json

import pytest

from host_tests.support.cloud.centres import (
    AUTH,
    BOOTSTRAP,
    FRANKFURT,
    GLOBAL_HOST,
    SHANGHAI,
    SINGAPORE,
    auth_form,
    auth_host,
    bootstrap_form,
    code,
    data,
    login,
    mqtt_host,
    sent_to,
    token_packet,
)
from host_tests.support.cloud.client import DN, DS, HOST, PK, VECTORS, connect_packet
from tools.emulator.cloud.store import Store

VECTOR = VECTORS["bootstrap-c-2.3.0"]["outputs"]
REGION_PATH = "/auth/bootstrap/regionId/"
NOTICE = f"/sys/{PK}/{DN}/thing/bootstrap/notify"


def move(cloud, region, dn=DN):
    assert cloud.admin("POST", f"/devices/{PK}/{dn}/centre", {"region": region}) == {"done": "centre"}


def test_the_c_sdks_global_bootstrap(three):
    status, answer = three.https(VECTOR["body"], BOOTSTRAP, host=GLOBAL_HOST)
    assert VECTOR["url"] == f"https://{GLOBAL_HOST}{BOOTSTRAP}"
    assert (status, answer) == (
        200,
        {"code": 200, "message": "success", "data": {"resources": sent_to(FRANKFURT)}},
    )


@pytest.mark.parametrize(
    "asked, plain, ext, bootstrap",
    [
        (FRANKFURT, 200, 200, 200),  # at home
        (SINGAPORE, 5001, 200, 200),  # the router
        (SHANGHAI, 5001, 5001, 5001),
    ],
)
def test_which_centre_answers_and_which_hands_on(three, asked, plain, ext, bootstrap):
    host = auth_host(asked)
    assert code(three, AUTH, auth_form(), host) == plain
    assert code(three, AUTH, auth_form(ext="0"), host) == plain
    assert code(three, AUTH, auth_form(ext="1"), host) == ext
    assert code(three, BOOTSTRAP, bootstrap_form(), host) == bootstrap
    if ext == 200:
        assert data(three, AUTH, auth_form(ext="1"), host)["resources"] == sent_to(FRANKFURT)
        assert data(three, BOOTSTRAP, bootstrap_form(), host)["resources"] == sent_to(FRANKFURT)


def test_other_routers(centres):
    with centres(switches={"routers": [SHANGHAI], "router_ext": "optional"}) as cloud:
        assert data(cloud, AUTH, auth_form(), auth_host(SHANGHAI))["resources"] == sent_to(FRANKFURT)
        assert code(cloud, AUTH, auth_form(ext="1"), auth_host(SINGAPORE)) == 5001
        assert code(cloud, BOOTSTRAP, bootstrap_form(), auth_host(SINGAPORE)) == 5001
        assert code(cloud, BOOTSTRAP, bootstrap_form(), GLOBAL_HOST) == 200


def test_the_host_header_decides_then_the_tls_name_then_the_region_of_the_instance(three):
    text = "&".join(f"{name}={value}" for name, value in auth_form().items())

    def asked(header, tls):
        host = f"Host: {header}\r\n" if header else ""
        return json.loads(
            three.https_raw(
                f"POST {AUTH} HTTP/1.1\r\n{host}Connection: close\r\n"
                f"Content-Length: {len(text)}\r\n\r\n{text}",
                tls,
            )[2]
        )["code"]

    assert asked(auth_host(FRANKFURT), auth_host(SHANGHAI)) == 200
    assert asked(auth_host(FRANKFURT).upper() + ":443", auth_host(SHANGHAI)) == 200
    assert asked(None, auth_host(FRANKFURT)) == 200
    assert asked("localhost", auth_host(FRANKFURT)) == 200
    assert asked(None, HOST) == 5001


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({"productKey": PK}, 460),
        ({"productKey": PK, "deviceName": ""}, 460),
        (bootstrap_form(sign="1"), 460),
        (f"productKey={PK}&deviceName={DN}&deviceName={DN}", 460),
        ("", 460),
        (bootstrap_form(dn="dev_0002"), 5001),
        (bootstrap_form(pk="a1TESTpk002"), 5001),
        ({"productKey": PK, "deviceName": DN}, 200),
    ],
)
@pytest.mark.parametrize("host", [GLOBAL_HOST, auth_host(FRANKFURT)])
def test_what_bootstrap_wants(three, host, fields, expected):
    assert code(three, BOOTSTRAP, fields, host) == expected


def test_bootstrap_is_for_every_kind_of_direct_device(run):
    for product, expected in (
        ({"auth": "x509"}, 200),
        ({"node": "gateway"}, 200),
        ({"node": "subdevice"}, 5001),
    ):
        with run(**product, dynamic_registration=False, preregistration_free=False) as cloud:
            assert code(cloud, BOOTSTRAP, bootstrap_form(), auth_host(SHANGHAI)) == expected


def test_bootstrap_changes_nothing(three):
    def state():
        return {name: value for name, value in three.device().items() if name != "traffic"}

    before = state()
    code(three, BOOTSTRAP, bootstrap_form())
    assert state() == before
    assert three.log(event="bootstrapped", pk=PK, dn=DN, centre=FRANKFURT)


def test_the_endpoint_of_a_region(three):
    for region in (SHANGHAI, SINGAPORE, FRANKFURT):
        status, answer = three.https("", REGION_PATH + region, "GET", GLOBAL_HOST)
        assert status == 200 and answer["data"] == {"resources": sent_to(region)}
    assert three.https("", REGION_PATH + "us-west-1", "GET", GLOBAL_HOST)[1]["code"] == 460
    assert three.https("", REGION_PATH + "..%2f%0d%0a", "GET", GLOBAL_HOST)[1]["code"] in (404, 460)
    assert three.https("", REGION_PATH, "GET", GLOBAL_HOST)[0] == 404
    assert three.https("", REGION_PATH + SHANGHAI, "POST", GLOBAL_HOST)[0] == 405
    assert three.https("", REGION_PATH + SHANGHAI, "GET", auth_host(SHANGHAI))[0] == 404


def test_an_address_and_another_code_for_regions(centres):
    with centres(switches={"bootstrap_ip": True, "bootstrap_region": 5005}) as cloud:
        assert data(cloud, BOOTSTRAP, bootstrap_form())["resources"] == {
            "mqtt": {"host": mqtt_host(FRANKFURT), "ip": "127.0.0.1", "port": 1883}
        }
        assert (
            cloud.https("", REGION_PATH + FRANKFURT, "GET", GLOBAL_HOST)[1]["data"]["resources"]["mqtt"]["ip"]
            == "127.0.0.1"
        )
        assert cloud.https("", REGION_PATH + "mars", "GET", GLOBAL_HOST)[1]["code"] == 5005
        assert "ip" not in data(cloud, AUTH, auth_form())["resources"]["mqtt"]


# ---- MQTT at the wrong centre


@pytest.mark.parametrize("chosen, expected", [(4, 4), (3, 3), ("accepted", 0)])
def test_a_connect_at_another_centre(centres, chosen, expected):
    with centres(switches={"homed_elsewhere": chosen}) as cloud:
        given = data(cloud, AUTH, auth_form())
        for packet in (connect_packet(), token_packet(given)):
            for host in (mqtt_host(SINGAPORE), f"{PK}.{mqtt_host(SHANGHAI)}".lower()):
                assert login(cloud, packet, host) == expected
            for host in (mqtt_host(FRANKFURT), f"{PK}.{mqtt_host(FRANKFURT)}"):
                assert login(cloud, packet, host) == 0
        assert login(cloud, connect_packet(mode="3"), where="mqtt_tcp") == 0


def test_a_wrong_secret_is_told_before_a_wrong_centre(centres):
    with centres(switches={"homed_elsewhere": 5}) as cloud:
        assert login(cloud, connect_packet(secret="x" * 32), mqtt_host(SINGAPORE)) == 4


def test_a_device_that_moves(centres):
    with centres() as cloud:
        given = data(cloud, AUTH, auth_form())
        with cloud.mqtt(host=mqtt_host(FRANKFURT)) as client:
            client.online(token_packet(given))
            move(cloud, SINGAPORE)
            client.nothing()  # a live connection stays where it is
            assert cloud.device()["centre"] == SINGAPORE
            answer = cloud.admin("POST", f"/devices/{PK}/{DN}/bootstrap")
            assert answer["dropped"] == 1
            client.subscribe(NOTICE)
            answer = cloud.admin("POST", f"/devices/{PK}/{DN}/bootstrap")
            assert answer["sent"] == 1
            notice = client.read()
            assert notice.topic == NOTICE and json.loads(notice.payload) == {
                "id": answer["id"],
                "version": "1.0",
                "params": {"cmd": 0},
                "method": "thing.bootstrap.notify",
            }
        assert code(cloud, AUTH, auth_form()) == 5001
        assert login(cloud, token_packet(given)) == 4
        assert data(cloud, BOOTSTRAP, bootstrap_form(), GLOBAL_HOST)["resources"] == sent_to(SINGAPORE)
        assert login(cloud, token_packet(given), mqtt_host(SINGAPORE)) == 0


def test_the_notice_in_another_shape_and_with_another_command(centres):
    with centres(switches={"bootstrap_notice": "top"}) as cloud, cloud.mqtt() as client:
        client.online(connect_packet(extra="_ss=1"))
        answer = cloud.admin("POST", f"/devices/{PK}/{DN}/bootstrap", {"cmd": 7})
        assert json.loads(client.read().payload) == {
            "id": answer["id"],
            "version": "1.0",
            "params": {},
            "method": "thing.bootstrap.notify",
            "cmd": 7,
        }


def test_what_the_console_refuses(three):
    path = f"/devices/{PK}/{DN}"
    for body in ({}, {"region": 1}, {"region": "us-west-1"}, {"region": "mars"}):
        assert "region" in three.admin("POST", path + "/centre", body, status=400)["error"]
    for body in ({"cmd": "0"}, {"cmd": True}, {"command": 0}, {"cmd": 0, "x": 1}):
        assert "cmd" in three.admin("POST", path + "/bootstrap", body, status=400)["error"]
    for body in ({}, {"advance": -1}, {"advance": True}, {"advance": "1"}, {"advance": 1e99}):
        assert "advance" in three.admin("POST", "/clock", body, status=400)["error"]
    for method, tail in (("POST", "/centre"), ("POST", "/bootstrap"), ("DELETE", "/tokens")):
        three.admin(method, f"/devices/{PK}/nobody{tail}", {"region": FRANKFURT}, status=404)
    assert three.admin("GET", "/clock")["ahead"] == 0


# ---- configuration and state


def test_where_devices_are_at_home(centres):
    names = [
        {"device_name": "product", "device_secret": DS},
        {"device_name": "device", "device_secret": DS, "centre": FRANKFURT},
    ]
    with centres(device=names, centre=SINGAPORE) as cloud:
        cloud.admin("POST", f"/products/{PK}/devices", {"device_names": ["made_later"]})
        assert {dn: cloud.device(dn)["centre"] for dn in ("product", "device", "made_later")} == {
            "product": SINGAPORE,
            "device": FRANKFURT,
            "made_later": SINGAPORE,
        }
    with centres(device=[{"device_name": "simple"}]) as cloud:
        assert cloud.device("simple")["centre"] == SHANGHAI


def test_homes_and_tokens_survive(centres):
    with centres() as cloud:
        given = data(cloud, AUTH, auth_form())
        move(cloud, SINGAPORE)
        before = cloud.device()
    with centres() as cloud:
        after = cloud.device()
        assert [after[name] for name in ("centre", "iot_id", "iot_tokens")] == [
            before[name] for name in ("centre", "iot_id", "iot_tokens")
        ]
        assert login(cloud, token_packet(given), mqtt_host(SINGAPORE)) == 0
        assert data(cloud, AUTH, auth_form(), auth_host(SINGAPORE))["iotId"] == given["iotId"]
        assert login(cloud, token_packet(given), mqtt_host(SINGAPORE)) == 3


def test_a_centre_that_is_no_more(centres, run):
    with centres() as cloud:
        move(cloud, SINGAPORE)
    with run(kind="public") as cloud:
        assert cloud.device()["centre"] == SHANGHAI
        assert data(cloud, BOOTSTRAP, bootstrap_form(), auth_host(SHANGHAI))["resources"] == sent_to(SHANGHAI)


def test_the_state_of_an_earlier_version_is_taken_over(centres):
    with centres() as cloud:
        cloud.admin("POST", f"/products/{PK}/devices", {"device_names": ["later"]})
    store = Store(cloud.run_dir / "state.sqlite")
    for pk, dn, body in list(store.devices()):
        for name in ("centre", "tokens"):
            del body[name]
        store.save_device(pk, dn, body)
    store.db.execute("PRAGMA user_version = 2")
    store.close()
    with centres(centre=SINGAPORE) as cloud:
        assert [cloud.device(dn)["centre"] for dn in (DN, "later")] == [FRANKFURT, SINGAPORE]
        assert code(cloud, AUTH, auth_form()) == 200


@pytest.mark.parametrize(
    "host",
    [
        *(
            pattern.format(region)
            for region in (SHANGHAI, SINGAPORE, FRANKFURT)
            for pattern in (
                "iot-auth.{}.aliyuncs.com",
                "iot-as-mqtt.{}.aliyuncs.com",
                "a1TESTpk001.iot-as-mqtt.{}.aliyuncs.com",
            )
        ),
        GLOBAL_HOST,
    ],
)
def test_the_certificate_covers_all_names(three, host):
    three.open("https", host).close()
