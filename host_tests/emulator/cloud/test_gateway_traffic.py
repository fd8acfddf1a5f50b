"""Messages of sub-devices, notices, moves, limits, rates and restarts (gateway.md 6, 9 to 12)."""

import json

import pytest

from host_tests.support.cloud.gateway import (
    GDN,
    GDN2,
    GPK,
    ONE,
    SPK,
    TWO,
    Gateway,
    gateway_settings,
    name,
    pair,
    signed,
    status,
    subdevice,
    topology,
)
from tools.emulator.cloud import codec
from tools.emulator.cloud.codec import Publish
from tools.emulator.cloud.store import Store

SYS, USER = f"/sys/{'/'.join(ONE)}/", f"/{'/'.join(ONE)}/user/"
POST = SYS + "thing/event/property/post"
NAMED = {"product_key": ONE[0], "device_name": ONE[1]}
CHANGE, ERROR = f"/sys/{GPK}/{GDN}/thing/topo/change", f"/ext/error/{GPK}/{GDN}"


@pytest.fixture
def gateway(run):
    """`gateway(**settings)` gives a gateway that is online; its cloud is `gateway.cloud`."""
    opened = []

    def start(extra_keys=None, **changes):
        cloud = run(gateway_settings(**changes))
        cloud.__enter__()
        opened.append((Gateway(cloud, **({} if extra_keys is None else {"extra": extra_keys})), cloud))
        return opened[-1][0]

    yield start
    for client, cloud in opened:
        client.link.close()
        cloud.__exit__(None, None, None)


def act(cloud, key, action, body=None, **more):
    return cloud.admin("POST", f"/devices/{'/'.join(key)}/{action}", body, **more)


def send(cloud, topic, payload="hi", qos=0):
    return cloud.admin("POST", "/publish", {"topic": topic, "payload": payload, "qos": qos})


# ---- traffic


def test_a_sub_device_posts_and_is_answered_without_a_subscription(gateway):
    client = gateway().bring(ONE)
    client.publish(POST, {"id": "7", "params": {"Temp": 21}, "method": "thing.event.property.post"})
    reply = client.read()
    assert reply.topic == POST + "_reply" and json.loads(reply.payload)["code"] == 200
    assert subdevice(client.cloud, ONE)["properties"] == {"Temp": 21}
    assert client.cloud.messages(dn=ONE[1], direction="up")[0]["topic"] == POST


def test_every_topic_of_a_sub_device_is_its_gateways_to_use(gateway):
    client = gateway().bring(ONE)
    topics = [
        SYS + "thing/deviceinfo/update",
        USER + "up",
        f"/shadow/update/{'/'.join(ONE)}",
        f"/ota/device/inform/{'/'.join(ONE)}",
        f"/ext/ntp/{'/'.join(ONE)}/request",
    ]
    for topic in topics:
        client.publish(topic, {"id": "1", "params": []})
    client.ping()
    assert [one["topic"] for one in client.cloud.messages(dn=ONE[1], direction="up")] == topics
    assert client.errors() == []


def test_the_system_topics_come_by_ss_and_others_by_subscription(gateway):
    client = gateway().bring(ONE)
    assert act(client.cloud, ONE, "property", {"params": {"on": 1}})["sent"] == 1
    assert client.read().topic == SYS + "thing/service/property/set"
    assert send(client.cloud, USER + "get")["dropped"] == 1
    assert client.subscribe(USER + "get", USER + "+") == (0, 0)
    assert send(client.cloud, USER + "get", qos=1)["sent"] == 1
    packet = client.read()
    client.send(codec.Ack("puback", packet.packet_id))
    assert packet.payload == b"hi" and packet.qos == 1
    client.ask(codec.Unsubscribe(2, (USER + "get", USER + "+")))
    assert send(client.cloud, USER + "get")["dropped"] == 1


@pytest.mark.parametrize(
    "switch, own, whole, sent",
    [
        ("either", True, "", 1),
        ("either", False, "_ss=1,", 1),
        ("either", False, "", 0),
        ("own", True, "", 1),
        ("own", False, "_ss=1,", 0),
        ("gateway", True, "", 0),
        ("gateway", False, "_ss=1,", 1),
    ],
)
def test_whose_ss_counts_for_system_topics(gateway, switch, own, whole, sent):
    client = gateway(extra_keys=whole, switches={"system_topics": switch, "replies_need_subscription": False})
    client.add(ONE)
    client.log_in(ONE, client_id="c|_ss=1,_v=x|" if own else "c")
    assert act(client.cloud, ONE, "property", {"params": {}})["sent"] == sent
    client.ping()
    client.subscribe(SYS + "#")
    assert act(client.cloud, ONE, "property", {"params": {}})["sent"] == 1


def test_without_a_session_nothing_is_taken_and_520_comes(gateway):
    client = gateway()
    client.add(ONE)
    client.publish(POST, {"id": "1", "params": {"Temp": 1}})
    client.publish(USER + "up", b"x", 1)
    assert client.errors() == [(520, ONE), (520, ONE)] and subdevice(client.cloud, ONE)["properties"] == {}
    assert client.subscribe(USER + "get", SYS + "#") == (0x80, 0x80)
    assert send(client.cloud, USER + "get")["sent"] == 0
    act(client.cloud, ONE, "rrpc", {"payload": "x"}, status=504)


def test_a_session_of_another_gateway_is_none(gateway):
    client = gateway().bring(ONE)
    with Gateway(client.cloud, GDN2) as other:
        other.publish(POST, {"id": "1", "params": {"Temp": 1}})
        assert other.errors() == [(520, ONE)]
        assert other.subscribe(USER + "get") == (0x80,)
    assert subdevice(client.cloud, ONE)["properties"] == {}


def test_topics_of_devices_that_are_no_sub_devices_stay_foreign(gateway):
    client = gateway()
    for topic in (
        "/sys/a1DirectPkX/direct/thing/event/property/post",
        f"/sys/{GPK}/{GDN2}/thing/topo/get",
        f"/ext/session/{GPK}/{GDN2}/combine/login",
        "/nowhere",
    ):
        client.publish(topic, {"id": "1"})
        assert client.subscribe(topic) == (0x80,)
    assert client.heard() == [] and len(client.cloud.log(event="foreign topic", action="publish")) == 4


def test_rrpc_reaches_a_sub_device(gateway):
    from concurrent.futures import ThreadPoolExecutor

    client = gateway().bring(ONE)
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(act, client.cloud, ONE, "rrpc", {"payload": "ask"})
        packet = client.read()
        client.publish(packet.topic.replace("request", "response"), b"answer")
        assert asked.result()["payload"] == "answer"


def test_qos_1_messages_of_a_kept_session_wait_for_the_next_login(gateway):
    client = gateway()
    client.bring(ONE, cleanSession="false")
    client.subscribe(USER + "get")
    send(client.cloud, USER + "get", "unacknowledged", 1)
    assert client.read().payload == b"unacknowledged"
    client.good("combine/logout", pair(ONE))
    assert send(client.cloud, USER + "get", "kept", 1)["kept"] == 1
    client.log_in(ONE, cleanSession="false")
    assert [packet.payload for packet in (client.read(), client.read())] == [b"unacknowledged", b"kept"]
    client.good("combine/logout", pair(ONE))
    client.log_in(ONE, cleanSession="true")
    client.nothing()


def test_a_full_window_of_unacknowledged_messages_is_shared_and_empties(gateway):
    client = gateway(limits={"unacknowledged": 2}).bring(ONE, TWO)
    other = USER.replace(ONE[1], TWO[1])
    client.subscribe(USER + "get", other + "get")
    for number, topic in enumerate((USER, USER, other, USER)):
        send(client.cloud, topic + "get", str(number), 1)
    got = []
    for _ in range(4):
        packet = client.read()
        got.append(packet.payload)
        client.send(codec.Ack("puback", packet.packet_id))
    assert sorted(got) == [b"0", b"1", b"2", b"3"]


def test_sessions_end_with_the_connection_of_the_gateway(gateway):
    client = gateway().bring(ONE, TWO)
    client.link.close()
    with Gateway(client.cloud) as again:
        assert {status(client.cloud, key) for key in (ONE, TWO)} == {"offline"}
        assert topology(client.cloud) == [ONE, TWO]
        again.publish(POST, {"id": "1", "params": {}})
        assert again.errors() == [(520, ONE)]
        with Gateway(client.cloud) as newer:
            newer.log_in(ONE)
            assert again.closed() in ("fin", "reset") and status(client.cloud, ONE) == "online"


# ---- notices


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


# ---- limits and rates


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_a_sub_device_logs_in_five_times_a_minute(gateway):
    client, clock = gateway(), Clock()
    client.cloud.instance.monotonic = clock
    client.add(ONE, TWO)
    for second in range(5):
        clock.now = 1000 + second
        client.log_in(ONE)
    assert (
        client.request("combine/login", signed(ONE))["message"]
        == "rate limit, too many subDeviceOnline msg in one minute"
    )
    assert client.code("combine/batch_login", {"deviceList": [signed(TWO), signed(ONE)]}) == 429
    assert status(client.cloud, TWO) == "inactive"
    clock.now = 1060
    client.log_in(ONE)
    assert client.code("combine/login", signed(ONE)) == 429
    clock.now = 1061
    client.log_in(ONE)


@pytest.mark.parametrize("switch", ["off", "refuse", "drop"])
def test_the_logins_of_a_gateway_in_a_second(gateway, switch):
    client, clock = gateway(switches={"login_rate": switch}, extra=220), Clock()
    client.cloud.instance.monotonic = clock
    keys = [(SPK, name(n)) for n in range(220)]
    for start in range(0, 220, 30):
        client.add(*keys[start : start + 30])
    for start in range(0, 200, 50):
        client.log_in(*keys[start : start + 50])
    client.tell("combine/login", signed(keys[200]))
    client.ping()
    codes = [json.loads(packet.payload)["code"] for packet in client.notices]
    assert codes == {"off": [200], "refuse": [429], "drop": []}[switch]
    clock.now += 1
    client.log_in(keys[201])


def test_the_messages_of_each_device_in_a_second(gateway):
    client = gateway(switches={"uplink_rate": "drop"}).bring(ONE, TWO)
    client.cloud.loop.time = Clock()
    other = USER.replace(ONE[1], TWO[1])
    own = f"/{GPK}/{GDN}/user/"
    for topic, count in ((USER, 31), (other, 30), (own, 31)):
        client.send(*(Publish(topic + "up", b"x") for _ in range(count)))
    client.ping()
    assert [len(client.cloud.messages(topic=topic + "up")) for topic in (USER, other, own)] == [30, 30, 30]
    client.cloud.loop.time.now += 1
    client.publish(USER + "up", b"x")
    client.ping()
    assert len(client.cloud.messages(topic=USER + "up")) == 31


@pytest.mark.parametrize("online", [False, True])
def test_fifteen_hundred_sub_devices_are_the_limit(gateway, online):
    """6400 counts what is attached; 428 what is online, here of a platform whose limit has been lowered."""
    count = 1500
    client = gateway(extra=count + 1)
    keys = [(SPK, name(n)) for n in range(count + 1)]
    for start in range(0, count, 30):
        client.add(*keys[start : start + 30])
    assert client.code("thing/topo/add", [signed(keys[-1])]) == 6400
    assert client.code("thing/topo/add", [signed(keys[0])]) == 200
    if online:
        for start in range(0, count, 50):
            client.log_in(*keys[start : start + 50])
        found = client.cloud.device(GDN, GPK)
        assert (found["subdevices"], found["subdevices_online"]) == (count, count)
        client.cloud.admin(
            "DELETE",
            f"/devices/{GPK}/{GDN}/topology",
            {"subdevices": [{"product_key": SPK, "device_name": keys[0][1]}]},
        )
        client.add(keys[-1])
        client.log_in(keys[-1])
        for key in keys[1::100]:
            client.publish(f"/sys/{'/'.join(key)}/thing/event/property/post", {"id": "1", "params": {"n": 1}})
        client.ping()
        assert subdevice(client.cloud, keys[1401])["properties"] == {"n": 1}
    assert len(client.good("thing/topo/get", {})) == count


# ---- what outlives the process


def test_topology_and_secrets_survive_and_sessions_do_not(run):
    config = gateway_settings()
    with run(config) as cloud, Gateway(cloud) as gateway:
        (issued,) = gateway.good("thing/sub/register", [pair(ONE)])
        gateway.good("thing/topo/add", [signed(ONE, secret_=issued["deviceSecret"]), signed(TWO)])
        gateway.log_in(TWO, cleanSession="false")
        gateway.subscribe(f"/{'/'.join(TWO)}/user/get")
        act(cloud, ONE, "disable")
        before = subdevice(cloud, TWO)
    with run(config) as cloud:
        assert topology(cloud) == [ONE, TWO]
        assert (status(cloud, ONE), status(cloud, TWO)) == ("disabled", "offline")
        assert subdevice(cloud, TWO)["activated_at"] == before["activated_at"]
        assert send(cloud, f"/{'/'.join(TWO)}/user/get", "later", 1)["kept"] == 1
        act(cloud, ONE, "enable")
    with run(config) as cloud, Gateway(cloud) as gateway:
        gateway.log_in(TWO, cleanSession="false")
        assert gateway.read().payload == b"later"
        assert gateway.code("combine/login", signed(ONE)) == 6287
        assert gateway.code("combine/login", signed(ONE, secret_=issued["deviceSecret"])) == 200
        act(cloud, ONE, "delete")
        gateway.good("thing/topo/delete", [pair(TWO)])
    with run(config) as cloud, Gateway(cloud) as gateway:
        assert topology(cloud) == [] and gateway.code("combine/login", signed(ONE)) == 521


def test_what_a_gateway_was_told_is_written_before_it_is_told(run):
    """Another reader of the file sees it as soon as the reply is there, as a killed cloud would find it."""
    with run(gateway_settings()) as cloud, Gateway(cloud) as gateway:
        store = Store(cloud.run_dir / "state.sqlite")

        def written():
            return {dn: body for pk, dn, body in store.devices() if (pk, dn) == ONE}[ONE[1]]

        (issued,) = gateway.good("thing/sub/register", [pair(ONE)])
        assert written()["secret"] == issued["deviceSecret"]
        item = signed(ONE, secret_=issued["deviceSecret"])
        gateway.good("thing/topo/add", [item])
        assert written()["gateway"] == [GPK, GDN]
        gateway.good("combine/login", item)
        assert written()["activated_at"]
        gateway.good("thing/topo/delete", [pair(ONE)])
        assert written()["gateway"] is None
        store.close()
