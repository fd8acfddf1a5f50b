"""Notices to a gateway, and sub-devices that move to another one (gateway.md 9 to 11)."""

import pytest

from host_tests.support.cloud.gateway import (
    GDN,
    GDN2,
    GPK,
    ONE,
    POST,
    SPK,
    SYS,
    TWO,
    Gateway,
    act,
    pair,
    signed,
    status,
    subdevice,
    topology,
)

NAMED = {"product_key": ONE[0], "device_name": ONE[1]}
CHANGE, ERROR = f"/sys/{GPK}/{GDN}/thing/topo/change", f"/ext/error/{GPK}/{GDN}"


def test_disable_and_enable(gateway):
    client = gateway().bring(ONE)
    act(client.cloud, ONE, "disable")
    heard = client.heard()
    assert [topic for topic, _ in heard] == [SYS + "thing/disable", ERROR, CHANGE]
    assert (heard[0][1]["method"], heard[1][1]["code"], heard[2][1]["params"]) == (
        "thing.disable",
        522,
        {"status": 8, "subList": [pair(ONE)]},
    )
    client.publish(SYS + "thing/disable_reply", {"id": heard[0][1]["id"], "code": 200, "data": {}})
    client.publish(POST, {"id": "1", "params": {}})
    assert client.errors() == [(520, ONE)] and status(client.cloud, ONE) == "disabled"
    assert client.code("combine/login", signed(ONE)) == 522
    act(client.cloud, ONE, "enable")
    ((topic, body),) = client.heard()
    assert topic == CHANGE and body["params"] == {"status": 2, "subList": [pair(ONE)]}
    client.log_in(ONE)


def test_delete(gateway):
    client = gateway().bring(ONE)
    act(client.cloud, ONE, "delete")
    heard = client.heard()
    assert [topic for topic, _ in heard] == [SYS + "thing/delete", ERROR, CHANGE]
    assert heard[1][1]["code"] == 521 and heard[2][1]["params"]["status"] == 1
    assert client.code("combine/login", signed(ONE)) == 521 and topology(client.cloud) == []
    client.cloud.admin("POST", f"/products/{SPK}/devices", {"device_names": [ONE[1]]})
    assert client.code("combine/login", signed(ONE)) == 6401


def test_what_happens_to_one_that_is_offline_is_told_by_topo_change_alone(gateway):
    client = gateway()
    client.add(ONE, TWO)
    act(client.cloud, ONE, "disable")
    act(client.cloud, TWO, "delete")
    assert [(topic, body["params"]["status"]) for topic, body in client.heard()] == [(CHANGE, 8), (CHANGE, 1)]


@pytest.mark.parametrize(
    "code, text",
    [
        (427, "device connect in elsewhere"),
        (520, "device session error"),
        (521, "device deleted"),
        (522, "device forbidden"),
        (6401, "topo relation not exist"),
    ],
)
def test_each_way_of_being_forced_offline(gateway, code, text):
    client = gateway().bring(ONE)
    assert act(client.cloud, ONE, "kick", {"code": code}) == {"done": "kick"}
    ((topic, body),) = client.heard()
    assert topic == ERROR and (body["code"], body["message"], body["data"]) == (code, text, pair(ONE))
    assert status(client.cloud, ONE) == "offline"
    assert "not online" in act(client.cloud, ONE, "kick", {"code": code}, status=409)["error"]
    assert "must be one of" in act(client.cloud, ONE, "kick", {"code": 7}, status=400)["error"]


def test_the_console_attaches_detaches_and_asks(gateway):
    client = gateway()
    path = f"/devices/{GPK}/{GDN}/"
    client.cloud.admin("POST", path + "topology", {"subdevices": [NAMED]})
    client.log_in(ONE)
    client.cloud.admin("POST", path + "notify", {"subdevices": [NAMED]})
    client.cloud.admin("POST", path + "permit", {"params": {"time": 60}})
    assert client.cloud.admin("GET", path + "topology") == [{**NAMED, "status": "online"}]
    client.cloud.admin("DELETE", path + "topology", {"subdevices": [NAMED]})
    heard = [
        (topic.rpartition(GDN)[2], body.get("params", body.get("code"))) for topic, body in client.heard()
    ]
    assert heard == [
        ("/thing/topo/change", {"status": 0, "subList": [pair(ONE)]}),
        ("/thing/topo/add/notify", [pair(ONE)]),
        ("/thing/gateway/permit", {"time": 60}),
        ("/thing/topo/change", {"status": 1, "subList": [pair(ONE)]}),
        ("", 6401),
    ]


@pytest.mark.parametrize(
    "method, path, body, status_, error",
    [
        ("GET", f"/devices/{SPK}/{ONE[1]}/topology", None, 409, "is no gateway"),
        ("POST", f"/devices/{GPK}/{GDN}/topology", {"subdevices": []}, 400, "at least one"),
        ("POST", f"/devices/{GPK}/{GDN}/topology", {"subdevices": [7]}, 400, "at least one"),
        (
            "POST",
            f"/devices/{GPK}/{GDN}/topology",
            {"subdevices": [{"product_key": GPK, "device_name": GDN2}]},
            409,
            "is no sub-device",
        ),
        ("POST", f"/devices/{GPK}/{GDN}/topology", {"subdevices": [{"product_key": SPK}]}, 404, "no device"),
        (
            "POST",
            f"/devices/{GPK}/{GDN}/topology",
            {"subdevices": [{**NAMED, "sign": "x"}]},
            400,
            "parameter",
        ),
        ("DELETE", f"/devices/{GPK}/{GDN}/topology", {"subdevices": [NAMED]}, 409, "is not attached"),
    ],
)
def test_what_the_admin_api_refuses(gateway, method, path, body, status_, error):
    assert error in gateway().cloud.admin(method, path, body, status=status_)["error"]


# ---- moves


def test_a_sub_device_that_another_gateway_attaches_moves_there(gateway):
    client = gateway().bring(ONE, TWO)
    with Gateway(client.cloud, GDN2) as other:
        other.bring(ONE)
        assert topology(client.cloud) == [TWO] and topology(client.cloud, GDN2) == [ONE]
        heard = client.heard()
        assert [(topic, body.get("code"), body.get("params")) for topic, body in heard] == [
            (CHANGE, None, {"status": 1, "subList": [pair(ONE)]}),
            (ERROR, 6401, None),
        ]
        client.publish(POST, {"id": "1", "params": {}})
        assert client.errors() == [(520, ONE)] and client.code("combine/login", signed(ONE)) == 6401
        other.publish(POST, {"id": "1", "params": {"Temp": 2}})
        assert other.read().topic == POST + "_reply"
        assert subdevice(client.cloud, ONE)["gateway"] == {"product_key": GPK, "device_name": GDN2}
        assert client.code("thing/topo/delete", [pair(ONE)]) == 6401


@pytest.mark.parametrize("code", [427, 527])
def test_a_session_that_stays_until_the_next_login_ends_with_427(gateway, code):
    client = gateway(switches={"moved_session": "stays", "taken_over": code}).bring(ONE)
    with Gateway(client.cloud, GDN2) as other:
        other.add(ONE)
        assert [topic for topic, _ in client.heard()] == [CHANGE] and status(client.cloud, ONE) == "online"
        other.log_in(ONE)
        assert client.errors() == [(code, ONE)]
        client.publish(POST, {"id": "1", "params": {}})
        assert client.errors() == [(520, ONE)]


def test_a_deleted_gateway_leaves_its_sub_devices_to_nobody(gateway):
    client = gateway().bring(ONE)
    act(client.cloud, (GPK, GDN), "delete")
    assert client.closed() in ("fin", "reset")
    assert (status(client.cloud, ONE), subdevice(client.cloud, ONE)["gateway"]) == ("offline", None)
    with Gateway(client.cloud, GDN2) as other:
        other.bring(ONE)
