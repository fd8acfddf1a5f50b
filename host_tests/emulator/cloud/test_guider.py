"""POST /auth/devicename and the CONNECT after it: the vectors, every code, tokens and their age (6.1)."""

import json
import re
from urllib.parse import parse_qsl, urlencode

import pytest

from host_tests.support.cloud.centres import (
    AUTH,
    FRANKFURT,
    SHANGHAI,
    SINGAPORE,
    auth_form,
    auth_host,
    bootstrap_form,
    code,
    data,
    login,
    mqtt_host,
    post,
    sent_to,
    token_packet,
)
from host_tests.support.cloud.client import DN, DS, PK, VECTORS, connect_packet, settings, sign
from host_tests.support.cloud.itls import SECRET
from tools.emulator.cloud import codec

VECTOR = VECTORS["guider-auth-devicename-c-2.3.0"]
ROUTER = VECTORS["guider-auth-devicename-router-ext1"]
WEEK = 7 * 86400
AT_HOME = {"device": [{"device_name": DN, "device_secret": DS}]}


def test_the_c_sdks_request_and_the_connect_after_it(run):
    outputs = VECTOR["outputs"]
    with run(settings(kind="public")) as cloud:
        status, head, body = cloud.https_raw(
            f"POST {AUTH} HTTP/1.1\r\nHost: {auth_host(SHANGHAI)}\r\nConnection: close\r\n"
            f"Content-Type: {outputs['content_type']}\r\nContent-Length: {len(outputs['body'])}\r\n\r\n"
            f"{outputs['body']}"
        )
        answer, example = json.loads(body), json.loads(VECTOR["inputs"]["server_reply_example"])
        assert status == 200 and "application/json" in head
        assert answer["data"].keys() == example["data"].keys()
        given = {name: answer["data"].pop(name) for name in ("iotId", "iotToken")}
        for name in given:
            example["data"].pop(name)
        assert answer == example
        assert answer["data"]["resources"]["mqtt"] == {
            "host": outputs["mqtt_host"],
            "port": outputs["mqtt_port"],
        }
        packet = codec.Connect(outputs["mqtt_client_id"], given["iotId"], given["iotToken"].encode(), 300)
        assert login(cloud, packet, outputs["mqtt_host"]) == 0
        assert (
            login(
                cloud,
                codec.Connect(
                    outputs["mqtt_client_id"],
                    outputs["mqtt_username"],
                    outputs["mqtt_password"].encode(),
                    300,
                ),
                outputs["mqtt_host"],
            )
            == 3
        )


def test_the_answer_is_compact_and_its_keys_are_in_order(three):
    _, _, body = three.https_raw(raw(auth_form()), auth_host(FRANKFURT))
    assert re.fullmatch(
        rb'{"code":200,"data":{"iotId":"\w{32}","iotToken":"[0-9a-f]{32}","resources":'
        rb'{"mqtt":{"host":"iot-as-mqtt.eu-central-1.aliyuncs.com","port":1883}}},'
        rb'"message":"success"}',
        body,
    )


def raw(fields, path=AUTH):
    text = urlencode(fields)
    return (
        f"POST {path} HTTP/1.1\r\nHost: {auth_host(FRANKFURT)}\r\nConnection: close\r\n"
        f"Content-Length: {len(text)}\r\n\r\n{text}"
    )


@pytest.mark.parametrize("method", ["hmacmd5", "hmacsha1", "hmacsha256"])
@pytest.mark.parametrize("spell", [str.lower, str.upper])
def test_the_routers_signatures(three, method, spell):
    fields = auth_form(ext="1", signmethod=spell(method), sign=spell(ROUTER["outputs"][method]))
    assert data(three, AUTH, fields, auth_host(SINGAPORE))["resources"] == sent_to(FRANKFURT)
    without = {name: value for name, value in fields.items() if name != "ext"}
    assert code(three, AUTH, without) == 401


def test_the_default_method_is_hmacmd5_and_only_what_is_sent_is_signed(three):
    fields = auth_form(method=None)
    assert "signmethod" not in fields and code(three, AUTH, fields) == 200
    fields = {"productKey": PK, "deviceName": DN, "sign": sign(DS, f"deviceName{DN}productKey{PK}", "md5")}
    assert data(three, AUTH, fields)["resources"] == sent_to(FRANKFURT)


def test_names_that_need_encoding(centres):
    with centres(device=[{"device_name": "a@b:c.d", "device_secret": DS, "centre": FRANKFURT}]) as cloud:
        assert "%40" in urlencode(auth_form(dn="a@b:c.d"))
        assert code(cloud, AUTH, auth_form(dn="a@b:c.d")) == 200


@pytest.mark.parametrize(
    "change, expected",
    [
        ({"sign": "0" * 64}, 401),
        ({"sign": "é"}, 401),
        ({"clientId": "another"}, 401),
        ({"timestamp": "1"}, 401),
        ({"signmethod": "hmacsha1"}, 401),
        ({"ext": "1"}, 401),
        ({"sign": None}, 460),
        ({"productKey": None}, 460),
        ({"deviceName": None}, 460),
        ({"clientId": ""}, 460),
        ({"surplus": "1"}, 460),
        ({"signmethod": "sha3"}, 460),
        ({"deviceName": "dev_0002"}, 5001),
        ({"productKey": "a1TESTpk002"}, 5001),
    ],
)
def test_what_is_refused_and_leaves_no_token(three, change, expected):
    before = three.device()["iot_tokens"]
    fields = {name: value for name, value in (auth_form() | change).items() if value is not None}
    status, answer = post(three, AUTH, fields)
    assert (status, answer["code"]) == (200, expected) and answer["message"] and "data" not in answer
    assert three.device()["iot_tokens"] == before


def test_bodies_that_are_no_form(three):
    for text in ("", "rubbish", "&&&", "{}", urlencode(auth_form()) + f"&deviceName={DN}"):
        assert code(three, AUTH, text) == 460


@pytest.mark.parametrize(
    "product, expected",
    [
        ({"auth": "x509"}, 6200),
        ({"auth": "id2", "product_secret": SECRET}, 6200),
        ({"node": "subdevice"}, 5001),
    ],
)
def test_products_of_other_kinds(run, product, expected):
    with run(**product, dynamic_registration=False, preregistration_free=False) as cloud:
        assert code(cloud, AUTH, auth_form(), auth_host(SHANGHAI)) == expected


def test_a_gateway_may_come_this_way(run):
    with run(node="gateway") as cloud:
        given = data(cloud, AUTH, auth_form(), auth_host(SHANGHAI))
        assert login(cloud, token_packet(given), mqtt_host(SHANGHAI)) == 0


def test_a_disabled_and_a_deleted_device(centres):
    with centres() as cloud:
        given = data(cloud, AUTH, auth_form())
        cloud.admin("POST", f"/devices/{PK}/{DN}/disable")
        assert code(cloud, AUTH, auth_form()) == 6204
        assert login(cloud, token_packet(given)) == 4
        cloud.admin("POST", f"/devices/{PK}/{DN}/enable")
        assert login(cloud, token_packet(given)) == 0
        cloud.admin("POST", f"/devices/{PK}/{DN}/delete")
        assert code(cloud, AUTH, auth_form()) == 5001
        assert login(cloud, token_packet(given)) == 3
        cloud.admin("POST", f"/products/{PK}/devices", {"device_names": [DN]})
        assert login(cloud, token_packet(given)) == 3


def test_other_methods_and_paths(three):
    assert three.https("", AUTH, "GET", auth_host(FRANKFURT))[0] == 405
    assert three.https(auth_form(), AUTH + "/", host=auth_host(FRANKFURT))[0] == 404
    assert three.https(auth_form(), AUTH, host="iot-auth-global.aliyuncs.com")[0] == 404


def test_resources_are_those_asked_for(three):
    assert data(three, AUTH, auth_form(resources="coap"))["resources"] == {}
    assert data(three, AUTH, auth_form(resources="coap,mqtt"))["resources"] == sent_to(FRANKFURT)


# ---- the CONNECT


def test_a_week_is_the_life_of_a_token(centres):
    with centres() as cloud:
        given = data(cloud, AUTH, auth_form())
        cloud.admin("POST", "/clock", {"advance": WEEK - 60})
        assert login(cloud, token_packet(given)) == 0
        cloud.admin("POST", "/clock", {"advance": 60})
        assert login(cloud, token_packet(given)) == 3
        fresh = data(cloud, AUTH, auth_form())
        assert fresh["iotId"] == given["iotId"] and fresh["iotToken"] != given["iotToken"]
        assert login(cloud, token_packet(fresh)) == 0


def test_another_life_and_a_connection_that_outlasts_it(centres):
    with centres(timing={"token_seconds": 100}) as cloud, cloud.mqtt(host=mqtt_host(FRANKFURT)) as client:
        given = data(cloud, AUTH, auth_form())
        client.online(token_packet(given))
        cloud.admin("POST", "/clock", {"advance": 100})
        client.nothing()
        assert login(cloud, token_packet(given)) == 3
        client.nothing()


@pytest.mark.parametrize(
    "change",
    [
        {"iotToken": "0" * 32},
        {"iotToken": ""},
        {"iotToken": "é"},
        {"iotId": "x" * 32},
        {"iotId": f"{DN}&{PK}"},
    ],
)
def test_a_bad_token_or_id(three, change):
    given = data(three, AUTH, auth_form())
    assert login(three, token_packet(given | change)) == 3
    assert login(three, token_packet(given, password=None)) == 3
    assert login(three, token_packet(given, password=b"\xff")) == 3
    assert login(three, token_packet(given, username=None, password=None)) == 3
    assert login(three, token_packet(given)) == 0


@pytest.mark.parametrize("repeat, expected", [("last", 3), ("all", 0)])
def test_an_earlier_token(centres, repeat, expected):
    with centres(switches={"auth_repeat": repeat}) as cloud:
        first, second = (data(cloud, AUTH, auth_form()) for _ in range(2))
        assert login(cloud, token_packet(second)) == 0
        assert login(cloud, token_packet(first)) == expected
        cloud.admin("DELETE", f"/devices/{PK}/{DN}/tokens")
        assert login(cloud, token_packet(second)) == 3


def test_securemode_goes_with_the_transport(centres):
    with centres() as cloud:
        given = data(cloud, AUTH, auth_form())
        assert login(cloud, token_packet(given, "0"), where="mqtt_tcp") == 0
        assert login(cloud, token_packet(given, "-1"), where="mqtt_tcp") == 2
        assert login(cloud, token_packet(given, "0")) == 2
        assert login(cloud, token_packet(given, "2")) == 4  # the user name is no dn&pk
        assert login(cloud, token_packet(given, keep_alive=29)) == 2
    with centres(switches={"securemode": "ignored"}) as cloud:
        assert login(cloud, token_packet(given, "0")) == 0


def test_it_is_the_same_device_whichever_way_it_comes(centres):
    with centres() as cloud:
        given = data(cloud, AUTH, auth_form())
        assert cloud.device()["status"] == "inactive"
        with cloud.mqtt(host=mqtt_host(FRANKFURT)) as first, cloud.mqtt() as second:
            first.online(token_packet(given))
            assert cloud.device()["status"] == "online"
            first.subscribe(f"/{PK}/{DN}/user/get")
            cloud.admin("POST", "/publish", {"topic": f"/{PK}/{DN}/user/get", "payload": "x"})
            assert first.read().payload == b"x"
            second.online(connect_packet())
            assert first.closed() == "goodbye"
        assert cloud.log(event="online", way="guided") and cloud.log(event="kicked")


@pytest.mark.parametrize("early", [False, True])
def test_what_activates(centres, early):
    with centres(switches={"auth_activates": early}) as cloud:
        data(cloud, AUTH, auth_form())
        assert cloud.device()["status"] == ("offline" if early else "inactive")


def test_no_token_is_in_the_log_or_shown_unasked(three):
    given = data(three, AUTH, auth_form())
    login(three, token_packet(given | {"iotToken": "0123456789" * 3}))
    shown = json.dumps([three.log(), three.device(secret=False), three.messages()])
    assert given["iotToken"] not in shown and "0123456789" * 3 not in shown and DS not in shown
    assert three.device()["iot_tokens"][0]["token"] == given["iotToken"]
    assert three.log(event="authenticated", pk=PK, dn=DN, centre=FRANKFURT, code="200")


@pytest.mark.parametrize(
    "name, chosen, change, expected",
    [
        ("auth_surplus", "ignored", {"more": "1"}, 200),
        ("auth_surplus", "signed", {"more": "1"}, 401),
        ("auth_method", 401, {"signmethod": "sha3"}, 401),
        ("auth_elsewhere", 6100, {}, 6100),
    ],
)
def test_switches(centres, name, chosen, change, expected):
    with centres(switches={name: chosen}) as cloud:
        host = auth_host(SHANGHAI if name == "auth_elsewhere" else FRANKFURT)
        assert code(cloud, AUTH, auth_form(**change), host) == expected


def test_a_parameter_that_the_switch_signs(centres):
    content = f"clientId{PK}.{DN}deviceName{DN}more1productKey{PK}timestamp2524608000000"
    with centres(switches={"auth_surplus": "signed"}) as cloud:
        assert code(cloud, AUTH, auth_form(more="1", sign=sign(DS, content))) == 200


def test_the_order_of_the_checks_and_the_status(centres):
    wrong = auth_form(sign="0")
    with centres(switches={"https_status": 400, "auth_disabled": 521}) as cloud:
        assert post(cloud, AUTH, wrong)[0] == 400
        cloud.admin("POST", f"/devices/{PK}/{DN}/disable")
        assert code(cloud, AUTH, wrong) == 401 and code(cloud, AUTH, auth_form()) == 521
    order = ["disabled", "signature", "centre", "type", "device", "method", "parameters"]
    with centres(switches={"auth_order": order}) as cloud:
        assert code(cloud, AUTH, wrong) == 6204


@pytest.mark.parametrize("host, port", [("region", 8883), ("product", 443)])
def test_where_the_answer_sends(centres, host, port):
    named = mqtt_host(FRANKFURT) if host == "region" else f"{PK}." + mqtt_host(FRANKFURT)
    with centres(switches={"auth_host": host, "auth_port": port, "host": "checked"}) as cloud:
        for path, fields in ((AUTH, auth_form()), ("/auth/bootstrap", bootstrap_form())):
            assert data(cloud, path, fields)["resources"]["mqtt"] == {"host": named, "port": port}
        assert login(cloud, token_packet(data(cloud, AUTH, auth_form())), named) == 0
        assert login(cloud, connect_packet(), named) == 0
        other = f"a1OTHERpk01.{mqtt_host(FRANKFURT)}"
        assert login(cloud, token_packet(data(cloud, AUTH, auth_form())), other) == 4


def test_the_vectors_body_is_what_the_tests_send():
    assert dict(parse_qsl(VECTOR["outputs"]["body"])) == auth_form(method="hmacsha1")
