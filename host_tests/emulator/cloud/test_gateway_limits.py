"""Limits and rates of a gateway, and what outlives the process (gateway.md 12)."""

import json

import pytest

from host_tests.support.cloud.gateway import (
    GDN,
    GPK,
    ONE,
    SPK,
    TWO,
    USER,
    Gateway,
    act,
    gateway_settings,
    name,
    pair,
    send,
    signed,
    status,
    subdevice,
    topology,
)
from tools.emulator.cloud.codec import Publish
from tools.emulator.cloud.store import Store


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
    client.send_request("combine/login", signed(keys[200]))
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
