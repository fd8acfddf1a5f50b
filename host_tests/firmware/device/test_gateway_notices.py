"""What a platform tells a gateway: errors, moves, changes of the topology."""

import json
from aliot.gateway import GatewayError
from aliot.gateway.topology import Scanner
from scripted import raises
from gateway_platform import GATEWAY, KEY, Platform, lost, refuses, sub

HEAP = "512K"
TABLES = {
    "test_every_error_notice": [
        (427, "taken", "attached"),
        (527, "taken", "attached"),
        (520, "session", "attached"),
        (521, "deleted", "unknown"),
        (522, "disabled", "disabled"),
        (6401, "detached", "registered"),
        (999, "error", "online"),
    ],
    "test_every_status_of_a_topology_change": [
        (0, "attached", "online"),
        (1, "detached", "registered"),
        (8, "disabled", "disabled"),
        (7, None, "online"),
    ],
}


def test_every_error_notice(code, event, state):
    platform = Platform()
    platform.bring(1, 2)
    gateway = platform.gateway
    platform.answers["combine/login"] = lost(99)
    gateway.calm = 1 << 30  # what happens by itself next is another test's
    platform.deliver(
        "/ext/error" + GATEWAY,
        {"id": "1", "code": code, "message": "m", "data": {"productKey": KEY, "deviceName": "sensor-01"}},
    )
    platform.run(3)
    assert gateway.state_of(sub(1)[0]) == state and gateway.state_of(sub(2)[0]) == "online"
    assert platform.events() == [(event, code)]
    again = platform.again()
    assert again.stored == (1 if code == 521 else 2)
    assert again.state_of(sub(1)[0]) == {"unknown": "unknown", "registered": "registered"}.get(
        state, "attached"
    )


def test_an_error_notice_without_names_is_survived():
    platform = Platform()
    platform.bring(1)
    for payload in (
        b'{"id":"1","code":427,"message":"m"}',
        b'{"code":522,"data":{}}',
        b"",
        b"[]",
        b'{"code":[]}',
        b'{"data":7}',
    ):
        platform.waiting.append(("/ext/error" + GATEWAY, payload))
    platform.run(8)
    assert platform.gateway.online == 1 and ("error", 427) in platform.events()


def test_one_that_another_gateway_took_is_left_alone_for_minutes():
    platform = Platform()
    platform.bring(1)
    platform.deliver(
        "/ext/error" + GATEWAY, {"code": 427, "data": {"productKey": KEY, "deviceName": "sensor-01"}}
    )
    platform.run()
    start = platform.ms
    while not platform.asked:
        platform.gateway.poll(0)
        platform.ms += 1000
    assert platform.ms - start >= 300000 and platform.gateway.online == 1


def test_what_had_no_session_is_sent_once_more_after_a_login():
    for data in ({"productKey": KEY, "deviceName": "sensor-01"}, None):
        platform = Platform()
        platform.bring(1)
        for _ in range(2):
            platform.gateway.publish(sub(1)[0], "user/update", "word", 1)
            error = {"code": 520, "message": "device session error"}
            if data:
                error["data"] = data
            platform.deliver("/ext/error" + GATEWAY, error)
            platform.run(4)
        assert platform.tails() == ["combine/login"] * 2
        assert len(platform.published) == 4 and len(set(platform.published)) == 1


def test_every_status_of_a_topology_change(status, event, state):
    platform = Platform()
    platform.bring(1, 2)
    topic = "/sys%s/thing/topo/change" % GATEWAY
    platform.gateway.calm = 1 << 30
    platform.deliver(
        topic,
        {
            "id": "7",
            "version": "1.0",
            "params": {
                "status": status,
                "subList": [
                    {"productKey": KEY, "deviceName": "sensor-01"},
                    {"productKey": KEY, "deviceName": "unknown"},
                ],
            },
        },
    )
    platform.run(3)
    assert platform.gateway.state_of(sub(1)[0]) == state and platform.gateway.state_of(sub(2)[0]) == "online"
    assert platform.events() == ([(event, 0)] if event else [])
    answered = json.loads(platform.published[0][1])
    assert platform.published[0][0] == topic + "_reply" and answered["id"] == "7" and answered["code"] == 200


def test_one_that_is_enabled_again_is_logged_in_again():
    platform = Platform()
    platform.bring(1)
    for status in (8, 2):
        platform.deliver(
            "/sys%s/thing/topo/change" % GATEWAY,
            {
                "id": "7",
                "params": {"status": status, "subList": [{"productKey": KEY, "deviceName": "sensor-01"}]},
            },
        )
    platform.run()
    assert platform.gateway.online == 1 and platform.tails() == ["combine/login"]
    assert platform.events() == [("disabled", 0), ("enabled", 0)]


def test_disabling_and_deleting_are_answered_on_the_subdevice_s_topic():
    for verb, state in (("disable", "disabled"), ("delete", "unknown")):
        platform = Platform()
        platform.bring(1)
        platform.gateway.calm = 1 << 30
        topic = "/sys/a1SubProdKy/sensor-01/thing/" + verb
        platform.deliver(topic, {"id": "3", "version": "1.0", "params": {}})
        platform.run(3)
        assert platform.gateway.state_of(sub(1)[0]) == state
        assert platform.published[0][0] == topic + "_reply" and platform.events() == [(verb + "d", 0)]


def test_a_request_to_attach_is_the_application_s_to_follow():
    platform = Platform()
    platform.gateway.watch(
        lambda event, name, code: event == "attach" and platform.gateway.bring_online([name])
    )
    topic = "/sys%s/thing/topo/add/notify" % GATEWAY
    platform.deliver(topic, {"id": "3", "params": [{"productKey": KEY, "deviceName": "sensor-04"}, {"x": 1}]})
    platform.run(10)
    assert platform.gateway.state_of(sub(4)[0]) == "online" and platform.published[0][0] == topic + "_reply"


def test_what_is_found_is_reported():
    platform = Platform()
    assert platform.gateway.found(sub(1, 2)) == [] and platform.tails() == ["list/found"]
    platform.answers["list/found"] = refuses(6280)
    assert platform.gateway.found(sub(1)) == [(sub(1)[0], 6280, "because")]


def test_the_topology_is_listed():
    platform = Platform()
    platform.answers["topo/get"] = lambda request: {
        "code": 200,
        "data": [
            {"productKey": KEY, "deviceName": "sensor-%02d" % number, "deviceSecret": "x"}
            for number in range(9)
        ],
    }
    assert platform.gateway.topology() == sub(*range(9))
    seen = []
    assert platform.gateway.topology(lambda *name: seen.append(name)) == 9 and seen == sub(*range(9))
    platform.answers["topo/get"] = lambda request: {"code": 429, "message": "slow down"}
    assert raises(GatewayError, platform.gateway.topology).code == "gateway.429"


def test_a_list_is_read_in_any_pieces():
    one = '{"productKey": "a1SubProdKy","deviceName":"sensor-%02d", "x\\\\":"a\\"b","n":[1,{}]}'
    data = '{"id":"5","code":200,"message":"say \\"productKey\\"","data":[%s],"method":"m"}'
    data = (data % ",".join([one % number for number in range(6)])).encode()
    assert len(json.loads(data)["data"]) == 6
    for size in (1, 2, 3, 7, 64, len(data)):
        found = []
        scanner = Scanner(lambda *name: found.append(name))
        for at in range(0, len(data), size):
            scanner.feed(data[at : at + size])
        assert found == sub(*range(6))


def test_forgetting_lets_register_again():
    platform = Platform()
    platform.bring(1, 2)
    platform.gateway.forget(sub(1))
    assert platform.gateway.state_of(sub(1)[0]) == "unknown"
    platform.gateway = platform.again()
    assert platform.gateway.stored == 1
    platform.bring(1, 2)
    assert platform.gateway.online == 2


def test_a_secret_that_is_known_needs_no_registration():
    platform = Platform()
    platform.gateway.keep(sub(1)[0], "known-secret")
    assert platform.gateway.bring_online(sub(1)) == [] and platform.tails() == ["topo/add", "combine/login"]


def test_there_is_a_limit_before_anything_is_asked():
    platform = Platform()
    platform.gateway.rows.limit = 3
    assert raises(GatewayError, platform.gateway.register, sub(*range(4))).code == "gateway.full"
    assert platform.asked == []
