"""Requests of a gateway and their answers: order, batches, what is lost, what is refused."""

from aliot.gateway import GatewayError, advice
from scripted import raises
from gateway_platform import GATEWAY, KEY, Platform, good, items, lost, refuses, secret, sub

HEAP = "512K"
TABLES = {
    "test_every_code_of_a_login": [
        (460, "refused"),
        (6100, "refused"),
        (6287, "refused"),
        (6401, "registered"),
        (521, "unknown"),
        (522, "disabled"),
        (6204, "disabled"),
        (500, "attached"),
        (9999, "refused"),
        ("6287", "refused"),
    ],
    "test_every_code_of_a_topology_request": [
        (460, "registered"),
        (401, "registered"),
        (6402, "registered"),
        (6100, "registered"),
        (6204, "disabled"),
        (6400, "registered"),
        (6203, "registered"),
        (6251, "attached"),
        (6619, "registered"),
    ],
    "test_every_code_of_a_registration": [
        (460,),
        (401,),
        (5005,),
        (6288,),
        (6100,),
        (6619,),
        (6402,),
        (6203,),
        (6292,),
        (500,),
        (5244,),
    ],
}


def test_registered_attached_and_online_in_that_order():
    platform = Platform()
    gateway = platform.gateway
    assert gateway.bring_online(sub(1, 2, 3)) == []
    assert platform.tails() == ["register", "topo/add", "batch_login"]
    assert gateway.online == gateway.stored == 3
    register, attach, login = [request for tail, request in platform.asked]
    assert (
        register["method"] == "thing.sub.register"
        and attach["method"] == "thing.topo.add"
        and "method" not in login
    )
    assert attach["params"][0]["signmethod"] == login["params"]["signMethod"] == "hmacSha256"
    one = login["params"]["deviceList"][0]
    assert one["clientId"] == "a1SubProdKy.sensor-01|_ss=1|" and one["cleanSession"] == "true"
    assert len({request["id"] for tail, request in platform.asked}) == 3
    assert gateway.bring_online(sub(1, 2, 3)) == [] and len(platform.asked) == 3  # nothing is left to do


def test_what_is_stored_is_never_registered_again():
    platform = Platform()
    platform.bring(1, 2)
    again = platform.gateway = platform.again()
    assert again.stored == 2 and again.state_of(sub(1)[0]) == "attached"
    assert again.register(sub(1, 2)) == [] and platform.asked == []
    platform.run()
    assert again.online == 2 and platform.tails() == ["batch_login"]


def test_the_order_is_enforced():
    gateway = Platform().gateway
    for action in (gateway.attach, gateway.detach, gateway.login, gateway.logout, gateway.forget):
        assert raises(GatewayError, action, sub(1)).code == "gateway.order"
    assert gateway.register(sub(1)) == []
    problem = raises(GatewayError, gateway.login, sub(1))
    assert problem.code == "gateway.order" and "registered" in problem.detail and problem.advice
    assert raises(GatewayError, gateway.publish, sub(1)[0], "user/x", "y").code == "gateway.offline"
    assert gateway.attach(sub(1)) == [] and gateway.login(sub(1)) == []
    gateway.publish(sub(1)[0], "user/x", "y")


def test_batches_are_bounded_by_count():
    platform = Platform(payload=100000)
    numbers = list(range(70))
    assert platform.gateway.bring_online(sub(*numbers)) == []
    sizes = [(tail, len(items(request))) for tail, request in platform.asked]
    assert sizes == [
        ("register", 30),
        ("register", 30),
        ("register", 10),
        ("topo/add", 30),
        ("topo/add", 30),
        ("topo/add", 10),
        ("batch_login", 50),
        ("batch_login", 20),
    ]


def test_batches_are_bounded_by_bytes():
    platform = Platform(payload=1000)
    sizes = []
    publish = platform.publish
    platform.publish = lambda topic, payload: (sizes.append(len(payload)), publish(topic, payload))
    assert platform.gateway.bring_online(sub(*range(40))) == []
    assert max(sizes) <= 1000 and len(sizes) > 20


def test_one_is_logged_in_and_out_alone():
    platform = Platform()
    platform.bring(1)
    assert platform.gateway.logout(sub(1)) == []
    assert platform.gateway.login(sub(1)) == []
    assert platform.tails() == ["combine/logout", "combine/login"]
    logout, login = [request["params"] for tail, request in platform.asked]
    assert logout == {"productKey": KEY, "deviceName": "sensor-01"}
    assert login["signMethod"] == "hmacSha256" and login["deviceName"] == "sensor-01"


def test_an_answer_that_is_lost_is_asked_for_again_with_another_id():
    for tail in ("register", "topo/add", "combine/login", "combine/logout", "topo/delete"):
        platform = Platform()
        platform.answers[tail] = lost(2)
        gateway = platform.gateway
        assert gateway.bring_online(sub(1)) == gateway.logout(sub(1)) == gateway.detach(sub(1)) == []
        tried = [request for name, request in platform.asked if name == tail]
        assert len(tried) == 3 and len({request["id"] for request in tried}) == 3
        for request in tried:
            request.pop("id")
        assert tried[0] == tried[1] == tried[2]


def test_nobody_answers():
    platform = Platform()
    platform.answers["register"] = lost(3)
    problem = raises(GatewayError, platform.gateway.register, sub(1))
    assert problem.code == "gateway.silent" and problem.retry == "now" and len(platform.asked) == 3
    assert platform.gateway.register(sub(1)) == []


def test_an_answer_to_an_earlier_request_is_not_taken():
    """Its secret is void: the platform has issued another one since."""
    platform = Platform()

    def late(request):
        if len(platform.asked) == 1:
            return None
        platform.deliver(
            "/sys%s/thing/sub/register_reply" % GATEWAY,
            {
                "id": platform.asked[0][1]["id"],
                "code": 200,
                "data": [{"productKey": KEY, "deviceName": "sensor-01", "deviceSecret": "void"}],
            },
        )
        return good(request)

    platform.answers["register"] = late
    assert platform.gateway.register(sub(1)) == []
    assert platform.gateway.rows.entry(0)[2] == secret(sub(1)[0])


def test_what_is_no_answer_is_not_taken():
    platform = Platform()

    def noise(request):
        topic = "/sys%s/thing/sub/register_reply" % GATEWAY
        for payload in (
            b"",
            b"\xff",
            b"[]",
            b"{}",
            b'{"id":null,"code":200}',
            b'{"code":200}',
            b'{"id":"%s0"}' % request["id"].encode(),
        ):
            platform.waiting.append((topic, payload))
        return good(request)

    platform.answers["register"] = noise
    assert platform.gateway.register(sub(1)) == []


def test_an_answer_without_what_it_should_have_is_a_failure():
    for data in (
        None,
        {},
        [],
        "x",
        [1],
        [{"productKey": KEY}],
        [{"productKey": KEY, "deviceName": "sensor-01"}],
        [{"productKey": KEY, "deviceName": "sensor-01", "deviceSecret": ""}],
        [{"productKey": KEY, "deviceName": "sensor-01", "deviceSecret": "with blank"}],
        [{"productKey": KEY, "deviceName": "sensor-01", "deviceSecret": 5}],
        [{"productKey": KEY, "deviceName": "sensor-09", "deviceSecret": "of-another"}],
    ):
        platform = Platform()
        platform.answers["register"] = lambda request: {"code": "200", "data": data}
        assert platform.gateway.register(sub(1)) == [(sub(1)[0], "absent", "")]
        assert platform.gateway.stored == 0


def test_a_code_that_is_text_is_a_code():
    platform = Platform()
    for tail in ("register", "topo/add", "combine/login"):
        platform.answers[tail] = lambda request: dict(good(request), code="200")
    assert platform.gateway.bring_online(sub(1)) == []


def test_one_that_is_refused_does_not_hold_the_others():
    bad = sub(3)
    for tail, code, single in (
        ("register", 6100, "register"),
        ("topo/add", 401, "topo/add"),
        ("batch_login", 6287, "combine/login"),
    ):
        platform = Platform()
        platform.answers[tail] = platform.answers[single] = refuses(code, bad)
        failed = platform.gateway.bring_online(sub(1, 2, 3, 4))
        assert failed == [(bad[0], code, "because")] and platform.gateway.online == 3


def test_one_that_is_left_out_is_asked_for_alone():
    platform = Platform()
    platform.answers["register"] = lambda request: good(request, sub(2))
    assert platform.gateway.register(sub(1, 2, 3)) == [(sub(2)[0], "absent", "success")]
    assert [items(request) for tail, request in platform.asked] == [sub(1, 2, 3), sub(2)]


def test_the_data_of_a_topology_reply_may_be_empty():
    platform = Platform()
    platform.answers["topo/add"] = platform.answers["topo/delete"] = lambda request: {"code": 200, "data": {}}
    assert platform.gateway.bring_online(sub(1, 2)) == [] and platform.gateway.detach(sub(1, 2)) == []
    assert platform.gateway.state_of(sub(1)[0]) == "registered"


def test_every_code_of_a_registration(code):
    platform = Platform()
    platform.answers["register"] = refuses(code)
    assert platform.gateway.register(sub(1)) == [(sub(1)[0], code, "because")]
    assert platform.gateway.stored == 0 and (advice(code) or code == 5244)


def test_every_code_of_a_topology_request(code, state):
    platform = Platform()
    gateway = platform.gateway
    gateway.register(sub(1))
    platform.answers["topo/add"] = refuses(code)
    assert bool(gateway.attach(sub(1))) == (state != "attached")
    assert gateway.state_of(sub(1)[0]) == state and (advice(code) or code == 6251)


def test_every_code_of_a_login(code, state):
    platform = Platform()
    platform.bring(1)
    platform.gateway = gateway = platform.again()
    platform.answers["combine/login"] = refuses(code)
    platform.run()
    assert gateway.state_of(sub(1)[0]) == state
    assert platform.events() == [("refused", int(code))]
    platform.ms += 60000
    platform.run()
    assert len(platform.asked) == 1  # it is not tried again and again
    if state == "attached":
        platform.ms += 500000
        platform.run()
        assert len(platform.asked) == 2
