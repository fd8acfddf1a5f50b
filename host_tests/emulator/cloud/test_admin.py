"""The admin API: what it shows, what it refuses, and that it gives no secret away unasked."""

import http.client
import json
import socket

import pytest

from host_tests.support.cloud.client import (
    DN,
    DS,
    PK,
    PS,
    connect_packet,
    form,
    register_packet,
    registered,
    unit_packet,
)
from tools.emulator.cloud import admin, cloud_api
from tools.emulator.cloud.codec import Publish


def test_no_secret_is_shown_unless_asked_for(run):
    with run() as cloud:
        with cloud.mqtt() as client:
            unit, _ = registered(client, register_packet("regnwl", dn="unit"))
        with cloud.mqtt() as client:
            client.online(unit_packet(unit, dn="unit"))
        with cloud.mqtt() as client:
            registered(client, register_packet())
        cloud.https(form())
        secret = cloud.device()["device_secret"]
        with cloud.mqtt() as client:
            client.online(connect_packet(secret=secret))
        with cloud.mqtt() as client:
            client.login(connect_packet(secret="wrong" * 6))
        shown = [
            cloud.admin("GET", path)
            for path in (
                "/devices",
                f"/devices/{PK}/{DN}",
                f"/devices/{PK}/unit",
                "/products",
                "/log",
                "/messages",
                "/stats",
                "/faults",
                "/",
            )
        ]
        text = json.dumps(shown)
        for hidden in (DS, PS, secret, unit["deviceToken"], "wrong" * 6):
            assert hidden not in text
        assert cloud.device(secret=False)["device_secret"] == "****" + secret[-4:]
        assert cloud.device("unit")["clients"][0]["device_token"] == unit["deviceToken"]
        assert cloud.admin("GET", "/products?secret=1")[0]["product_secret"] == PS


def test_status_of_a_device_over_its_life(run):
    with run() as cloud:

        def status():
            (shown,) = [one["status"] for one in cloud.admin("GET", "/devices") if one["device_name"] == DN]
            assert shown == cloud.device()["status"]
            return shown

        assert status() == "inactive"
        cloud.https(form())
        assert status() == "inactive"
        with cloud.mqtt() as client:
            client.online(connect_packet(secret=cloud.device()["device_secret"]))
            assert status() == "online"
            cloud.admin("POST", f"/devices/{PK}/{DN}/kick", {"how": "reset"})
            assert client.closed()
            assert status() == "offline"
        cloud.admin("POST", f"/devices/{PK}/{DN}/disable")
        assert status() == "disabled"


def test_handshakes_and_bytes_are_counted_for_each_device(run):
    with run(device=[{"device_name": DN}, {"device_name": "dev_0002"}]) as cloud:
        assert cloud.device()["traffic"] == {
            "connections": 0,
            "tls_handshakes": 0,
            "bytes_in": 0,
            "bytes_out": 0,
        }
        secret = cloud.https(form())[1]["data"]["deviceSecret"]
        first = cloud.device()["traffic"]
        assert (first["connections"], first["tls_handshakes"]) == (1, 1) and first["bytes_out"] > 1000
        with cloud.mqtt() as client:
            client.online(connect_packet(secret=secret))
            cloud.mqtt("mqtt_tcp").online(connect_packet(secret=secret, mode="3")).link.close()
        now = cloud.device()["traffic"]
        assert (now["connections"], now["tls_handshakes"]) == (3, 2)
        assert now["bytes_in"] > first["bytes_in"] and now["bytes_out"] > first["bytes_out"]
        assert cloud.device("dev_0002")["traffic"]["connections"] == 0


def test_bytes_of_a_plain_connection_are_exact(run):
    with run() as cloud, cloud.mqtt("mqtt_tcp") as client:
        packet = connect_packet(mode="3").encode()
        client.send(packet)
        client.read()
        client.nothing()
        traffic = cloud.device()["traffic"]
        assert (traffic["bytes_in"], traffic["bytes_out"]) == (len(packet) + 2, 4 + 2)


def test_log_and_messages_can_be_read_on_from_where_one_was(run):
    with run() as cloud, cloud.mqtt() as client:
        client.online(connect_packet())
        seen = cloud.log()[-1]["seq"]
        client.send(Publish(f"/{PK}/{DN}/user/a", b"\xff\x00"))
        client.nothing()
        assert cloud.log(after=seen) == []
        (message,) = cloud.messages(after=seen, pk=PK, dn=DN, direction="up")
        assert message["payload_hex"] == "ff00" and message["qos"] == 0
        assert cloud.messages(after=message["seq"]) == []
        handshake, online = cloud.log(where="mqtt_tls")
        assert (
            handshake["server_name"] == "iot-test01.mqtt.iothub.aliyuncs.com"
            and handshake["version"] == "TLSv1.2"
        )
        assert (
            online.items() >= {"event": "online", "pk": PK, "dn": DN, "code": 200, "keep_alive": 300}.items()
        )


def test_publishing_bytes_text_and_json(run):
    with run() as cloud, cloud.mqtt() as client:
        client.online(connect_packet())
        topic = f"/{PK}/{DN}/user/get"
        client.subscribe(topic)
        for body, payload in (
            ({"payload": "text"}, b"text"),
            ({"payload": {"a": [1, None]}}, b'{"a":[1,null]}'),
            ({"payload_hex": "00ff"}, b"\x00\xff"),
            ({}, b""),
        ):
            assert cloud.admin("POST", "/publish", {"topic": topic, **body})["sent"] == 1
            assert client.read().payload == payload


def test_devices_are_created_in_batches(run):
    with run() as cloud:
        names = [f"batch_{n}" for n in range(2000)]
        made = cloud.admin("POST", f"/products/{PK}/devices?secret=1", {"device_names": names})
        assert [one["device_name"] for one in made] == names
        assert len({one["device_secret"] for one in made}) == 2000
        with cloud.mqtt() as client:
            client.online(connect_packet(dn="batch_1999", secret=made[1999]["device_secret"]))


REFUSED = [
    ("GET", "/nowhere", None, 404, "/nowhere is not known; GET / lists what is"),
    ("DELETE", "/devices", None, 405, "/devices takes GET"),
    ("GET", "/devices/nopk/dev_0001", None, 404, "no product nopk"),
    ("GET", f"/devices/{PK}/nobody", None, 404, f"no device nobody in product {PK}"),
    ("POST", "/devices/nopk/dev_0001/reset", None, 404, "no product nopk"),
    ("POST", f"/products/{PK}/dynamic_registration", {}, 400, "enabled must be a JSON bool"),
    ("POST", f"/products/{PK}/dynamic_registration", {"enabled": 1}, 400, "enabled must be a JSON bool"),
    (
        "POST",
        f"/products/{PK}/devices",
        {"device_names": ["abc"]},
        400,
        "DeviceName 'abc' must be 4 to 32 characters out of letters, digits and - _ @ . :",
    ),
    (
        "POST",
        f"/products/{PK}/devices",
        {"device_names": ["dev_0001"]},
        409,
        "DeviceName dev_0001 is there already",
    ),
    (
        "POST",
        f"/products/{PK}/devices",
        {"device_names": ["twice", "twice"]},
        409,
        "a DeviceName is there twice",
    ),
    (
        "POST",
        f"/devices/{PK}/dev_0001/clients",
        {},
        400,
        'the body must be {"keep": ClientID} or {"clear": true}',
    ),
    ("POST", f"/devices/{PK}/dev_0001/clients", {"keep": "x"}, 404, "dev_0001 has no such ClientID"),
    ("POST", f"/devices/{PK}/dev_0001/kick", {"how": "gently"}, 400, "how must be close or reset"),
    ("POST", "/publish", {}, 400, "topic must be a JSON str"),
    ("POST", "/publish", {"topic": "/a/+"}, 400, "topic must be a topic name without wildcards"),
    ("POST", "/publish", {"topic": "a"}, 400, "a names no device"),
    ("POST", "/publish", {"topic": f"/{PK}/nobody/user/get"}, 404, f"no device nobody in product {PK}"),
    ("POST", "/publish", {"topic": f"/{PK}/dev_0001/user/get", "qos": 2}, 400, "qos must be 0 or 1"),
    ("POST", "/publish", [1], 400, "the body must be a JSON object"),
    ("GET", "/messages?after=x", None, 400, "after must be a whole number"),
    ("GET", "/messages?who=x", None, 400, "who: not a filter; there are after, pk, dn, direction, topic"),
    (
        "POST",
        f"/devices/{PK}/dev_0001/rrpc",
        {"topic": "x"},
        400,
        "topic must be a topic of the device, or left out",
    ),
]


@pytest.mark.parametrize(
    "method, path, body, status, error", REFUSED, ids=[f"{row[0]} {row[1]}" for row in REFUSED]
)
def test_what_the_admin_api_refuses(cloud, method, path, body, status, error):
    assert cloud.admin(method, path, body, status) == {"error": error}


def test_a_body_that_is_no_json(cloud):
    connection = http.client.HTTPConnection("127.0.0.1", cloud.ports["admin"])
    connection.request("POST", "/publish", "{")
    response = connection.getresponse()
    assert response.status == 400 and b"bad request" in response.read()
    connection.close()


@pytest.mark.parametrize("headers", [{"Origin": "http://localhost"}, {"Host": "rebound.example.com"}])
def test_no_web_page_reaches_the_admin_api(cloud, headers):
    assert "loopback" in cloud.admin("GET", "/devices", status=403, headers=headers)["error"]


@pytest.mark.parametrize(
    "request_, status",
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"GET / HTTP/1.0\r\n\r\n", 200),
        (b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (b"GET /log?after=" + b"9" * 5000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"POST /faults HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n" + b"[" * 200_000, 400),
        *(
            (
                b"POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b"
                % (len(body), body),
                400,
            )
            for body in (
                b'{"qos":NaN}',
                b"[-Infinity]",
                b'{"a":1e999}',
                b'"\\ud800"',
                b'"\xed\xa0\x80"',
                b"9" * 5000,
            )
        ),
        (b"G" * 20_000, 413),
    ],
    ids=lambda value: repr(value[:50]) if isinstance(value, bytes) else "",
)
def test_http_requests_of_all_sorts(cloud, request_, status):
    with socket.create_connection(("127.0.0.1", cloud.ports["admin"]), 20) as link:
        link.sendall(request_)
        assert int(link.recv(65536).split()[1]) == status


def test_requests_may_follow_each_other_on_one_connection(cloud):
    with socket.create_connection(("127.0.0.1", cloud.ports["admin"]), 20) as link:
        one = b"GET /stats HTTP/1.1\r\nHost: localhost\r\n\r\n"
        link.sendall(one * 2 + one[:10])
        data = b""
        while data.count(b'"online"') < 2:
            data += link.recv(65536)
        link.sendall(one[10:])
        while data.count(b'"online"') < 3:
            data += link.recv(65536)
        assert data.count(b"HTTP/1.1 200 OK") == 3


def test_a_defect_is_answered_and_logged_and_the_connection_goes_on(cloud, monkeypatch):
    def now(*_):
        return {}["secret"]

    async def later(*_):
        raise OverflowError("secret")

    for name, function in (("Now", now), ("Later", later)):
        monkeypatch.setitem(cloud_api.ACTIONS, name, function)
    monkeypatch.setattr(cloud.instance.journal, "select_messages", now)
    connection = http.client.HTTPConnection("127.0.0.1", cloud.ports["admin"], timeout=20)
    for method, path, kind in (
        ("POST", "/api/Now", "KeyError"),
        ("POST", "/api/Later", "OverflowError"),
        ("GET", "/messages", "KeyError"),
    ):
        connection.request(method, path)
        response = connection.getresponse()
        error = json.loads(response.read())["error"]
        assert response.status == 500 and error.startswith(
            f"a defect of the emulator: {kind} in test_admin.py, line"
        )
        (event,) = cloud.log(event="request failed", path=path)
        assert event["where"] == "admin" and kind in event["reason"] and "secret" not in str(event)
    connection.close()


def test_the_index_lists_every_route(cloud):
    assert len(cloud.admin("GET", "/")["routes"]) == len(admin.ROUTES) >= 20
