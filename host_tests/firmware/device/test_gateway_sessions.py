"""Sessions of sub-devices: logins, rates, power-on, and messages."""

from aliot.errors import LinkError, StoreError
from aliot.gateway import GatewayError
from scripted import raises
from gateway_platform import GATEWAY, Platform, good, items, refuses, sub

HEAP = "512K"


def test_after_too_many_requests_a_gateway_is_quiet_for_a_minute():
    for code in (429, 428):
        platform = Platform()
        platform.bring(*range(5))
        platform.gateway = gateway = platform.again()
        platform.answers["batch_login"] = refuses(code)
        platform.run()
        assert platform.tails() == ["batch_login"]  # and no five single ones
        problem = raises(GatewayError, gateway.register, sub(9))
        assert problem.code == "gateway.%d" % code and problem.retry == "later"
        platform.answers.clear()
        platform.ms += 55000
        platform.run()
        assert len(platform.asked) == 1
        platform.ms += 10000
        platform.run()
        assert gateway.online == 5


def test_one_subdevice_logs_in_five_times_a_minute_at_most():
    platform = Platform()
    platform.bring(1)
    gateway = platform.gateway
    for _ in range(4):
        assert gateway.logout(sub(1)) == gateway.login(sub(1)) == []
    gateway.logout(sub(1))
    assert gateway.login(sub(1)) == [(sub(1)[0], 429, "five logins in a minute")]
    platform.ms += 70000
    platform.run()
    assert gateway.online == 1  # by itself


def test_a_handler_cannot_ask():
    platform = Platform()
    platform.client.busy = True
    assert raises(GatewayError, platform.gateway.register, sub(1)).code == "gateway.handler"


def test_without_a_connection_nothing_is_asked():
    platform = Platform()
    platform.client, platform.connected = None, False
    assert raises(LinkError, platform.gateway.register, sub(1)).code == "offline"
    assert platform.gateway.online == 0


def test_a_connection_that_ends_while_an_answer_is_awaited():
    platform = Platform()

    def ends(request):
        platform.client = None

    platform.answers["register"] = ends
    assert raises(LinkError, platform.gateway.register, sub(1)).code == "offline"


def test_secrets_that_cannot_be_stored_are_not_used():
    platform = Platform()
    platform.gateway.rows.path = "/no/such/folder"
    raises(StoreError, platform.gateway.bring_online, sub(1))
    assert platform.tails() == ["register"]


def test_after_a_reconnect_all_are_logged_in_again():
    platform = Platform()
    platform.bring(*range(60))
    gateway = platform.gateway
    assert gateway.logout(sub(7)) == []
    platform.asked.clear()
    gateway._state("connected", {})
    assert gateway.online == 0
    platform.run(200)
    assert gateway.online == 59 and gateway.state_of(sub(7)[0]) == "attached"
    assert {tail for tail in platform.tails()} == {"batch_login"} and len(platform.asked) <= 5
    assert platform.states[-1] == ("subdevices", {"stored": 60, "attached": 60, "online": 59})


def test_one_that_is_deleted_while_others_are_logged_in_moves_none_of_them():
    platform = Platform(payload=1000)
    numbers = list(range(20))
    assert platform.gateway.register(sub(*numbers)) == platform.gateway.attach(sub(*numbers)) == []

    def deleted(request):
        platform.answers.clear()
        platform.deliver("/sys/a1SubProdKy/sensor-02/thing/delete", {"id": "1", "params": {}})
        return good(request)

    platform.answers["batch_login"] = deleted
    assert platform.gateway.login(sub(*numbers)) == []
    logged = [name for tail, request in platform.asked if tail.endswith("login") for name in items(request)]
    assert sorted(logged) == sub(*numbers) and platform.gateway.stored == 19
    assert [name for name in sub(*numbers) if platform.gateway.state_of(name) != "online"] == sub(2)


def test_a_login_that_is_asked_for_waits_too_after_power_on():
    platform = Platform()
    platform.bring(1)
    platform.gateway = gateway = platform.again(spread=5000, login=False)
    platform.session.random = lambda n: n - 1
    try:
        gateway._state("connected", {})
    finally:
        platform.session.random = lambda n: 0
    while platform.ms < 3000:
        gateway.poll(0)
        platform.ms += 1000
    assert platform.tails() == []
    begun = platform.ms
    gateway.calm = begun + 30
    assert gateway.login(sub(1)) == [] and gateway.online == 1 and platform.ms >= begun + 30


def test_after_power_on_the_first_logins_wait():
    platform = Platform()
    platform.bring(1)
    platform.session.random = lambda n: n - 1
    try:
        platform.gateway = gateway = platform.again(spread=5000)
        gateway._state("connected", {})
        while not gateway.online:
            gateway.poll(50)
        first = platform.ms
        gateway._state("connected", {})
        while not gateway.online:
            gateway.poll(50)
    finally:
        platform.session.random = lambda n: 0
    assert first >= 4999 and platform.ms - first < 1000


def test_messages_reach_the_handlers_of_their_subdevice():
    platform = Platform()
    platform.bring(1, 2)
    got = []
    gateway = platform.gateway
    gateway.on("thing/service/property/set", lambda *what: got.append(("any",) + what))
    gateway.on("thing/service/+", lambda *what: got.append(("one",) + what), sub(2)[0])
    gateway.on("user/get", lambda *what: got.append(("user",) + what))
    for topic in (
        "/sys/a1SubProdKy/sensor-01/thing/service/property/set",
        "/sys/a1SubProdKy/sensor-01/thing/service/open",
        "/sys/a1SubProdKy/sensor-02/thing/service/open",
        "/a1SubProdKy/sensor-01/user/get",
        "/x",
        "",
        "/sys/a/b",
        "/sys%s/thing/service/property/set" % GATEWAY,
    ):
        platform.handler(topic, b"{}")
    assert got == [
        ("any", sub(1)[0], "/sys/a1SubProdKy/sensor-01/thing/service/property/set", b"{}"),
        ("one", sub(2)[0], "/sys/a1SubProdKy/sensor-02/thing/service/open", b"{}"),
        ("user", sub(1)[0], "/a1SubProdKy/sensor-01/user/get", b"{}"),
    ]


def test_a_message_that_comes_before_the_answer_to_a_login_can_be_answered():
    platform = Platform()
    gateway = platform.gateway
    gateway.on(
        "thing/service/property/set",
        lambda name, topic, payload: gateway.publish(name, topic + "_reply", "{}"),
    )
    topic = "/sys/a1SubProdKy/sensor-0%d/thing/service/property/set"

    def early(request):
        platform.deliver(topic % 2, {})
        return good(request)

    platform.answers["batch_login"] = early
    assert gateway.bring_online(sub(1, 2)) == [] and gateway.online == 2
    assert [topic for topic, payload, qos in platform.published] == [topic % 2 + "_reply"]


def test_custom_topics_are_subscribed_after_each_login_and_system_topics_are_not():
    platform = Platform()
    platform.gateway.on("thing/service/property/set", print)
    platform.gateway.subscribe("user/get", print)
    platform.bring(1, 2)
    assert platform.client.subscribed == [
        "/a1SubProdKy/sensor-01/user/get",
        "/a1SubProdKy/sensor-02/user/get",
    ]


def test_a_publish_goes_to_the_subdevice_s_own_topics():
    platform = Platform()
    platform.bring(1)
    for topic in ("thing/event/property/post", "user/update", "/shadow/update/a1SubProdKy/sensor-01"):
        platform.gateway.publish(sub(1)[0], topic, "x", 1)
    assert [topic for topic, payload, qos in platform.published] == [
        "/sys/a1SubProdKy/sensor-01/thing/event/property/post",
        "/a1SubProdKy/sensor-01/user/update",
        "/shadow/update/a1SubProdKy/sensor-01",
    ]
