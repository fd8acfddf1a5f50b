"""Gateway against a scripted platform: order, batches, retries, codes, notices; gateway.md 4 to 10 and 15."""

import json
import os
import time

import aliot.ticks
from aliot.errors import LinkError, StoreError
from aliot.gateway import Gateway, GatewayError, advice
from aliot.gateway.topology import Scanner
from scripted import raises

HEAP = "512K"
KEY = "a1SubProdKy"
GATEWAY = "/a1GwProdKey/gw_0001"
PERIOD = time.ticks_add(0, -1) + 1  # of the chip's ticks
TABLES = {
    # code of a login, what the sub-device is then, and whether it is asked for again by itself within minutes
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


def sub(*numbers):
    return [(KEY, "sensor-%02d" % number) for number in numbers]


def secret(name):
    return (name[1].replace("-", "") * 4)[:32]


class Client:
    busy = False
    stream = None
    limit = 8192

    def __init__(self):
        self.subscribed = []

    def subscribe(self, topic, qos=0):
        self.subscribed.append(topic)


class Platform:
    """A Device whose connection leads to a script: `answers` maps the end of a topic to a function."""

    product_key, device_name, clean = "a1GwProdKey", "gw_0001", True
    connected = True

    class session:
        random = staticmethod(lambda n: 0)

    def __init__(self, **settings):
        for name in ("/subs", "/subs.new"):
            try:
                os.remove(name)
            except OSError:
                pass
        self.ms = 0
        aliot.ticks.ticks_ms = lambda: self.ms % PERIOD
        aliot.ticks._last = aliot.ticks._passed = 0
        self.config = {}
        self.store = None
        self.client = Client()
        self.topics = {}
        self.asked = []  # (tail of the topic, request)
        self.answers = {}
        self.waiting = []
        self.states = []
        self.published = []
        self.gateway = self.again(**settings)

    def again(self, **settings):
        settings.setdefault("timeout", 15)
        settings.setdefault("spread", 0)
        return Gateway(self, path="/subs", **settings)

    # What a Gateway takes of a Device.

    def on(self, topic, handler):
        self.handler = handler

    def watch(self, handler):
        pass

    def state(self, state, fields):
        self.states.append((state, fields))

    def subscribe(self, topic):
        self.topics[topic] = 0

    def poll(self, ms=0):
        self.serve(ms)

    def serve(self, ms):
        if self.waiting:
            self.handler(*self.waiting.pop(0))
        else:
            self.ms += max(ms, 1)

    def call(self, action, *arguments):
        action(self.client, *arguments)

    def publish(self, topic, payload, qos=0):
        if not self.connected:
            raise LinkError("not connected", "offline")
        for tail in (
            "register",
            "product_register",
            "topo/add",
            "topo/delete",
            "topo/get",
            "list/found",
            "combine/login",
            "batch_login",
            "combine/logout",
            "batch_logout",
        ):
            if GATEWAY in topic and topic.endswith(tail):
                request = json.loads(bytes(payload))
                self.asked.append((tail, request))
                answer = self.answers.get(tail, good)(request)
                if answer is not None:
                    answer.setdefault("id", request["id"])
                    self.say(topic + "_reply", answer)
                return
        self.published.append((topic, payload, qos))

    def say(self, topic, what):
        self.waiting.append((topic, json.dumps(what).encode()))

    # What tests ask.

    def tails(self):
        return [tail for tail, request in self.asked]

    def run(self, times=30):
        for _ in range(times):
            self.gateway.poll(0)

    def bring(self, *numbers):
        assert self.gateway.bring_online(sub(*numbers)) == []
        self.asked.clear()

    def events(self):
        return [
            (fields["event"], fields.get("code", 0)) for state, fields in self.states if state == "subdevice"
        ]


def items(request):
    params = request["params"]
    if isinstance(params, dict):
        params = params.get("deviceList") or params.get("proxieds") or [params]
    return [(item["productKey"], item["deviceName"]) for item in params if "deviceName" in item]


def good(request, leave=()):
    data = [
        {"productKey": name[0], "deviceName": name[1], "deviceSecret": secret(name)}
        for name in items(request)
        if name not in leave
    ]
    return {"code": 200, "data": data, "message": "success"}


def refuses(code, names=None):
    """An answer that refuses a request with one of `names` in it, as a whole."""

    def answer(request):
        if names is None or any([name in names for name in items(request)]):
            return {"code": code, "data": {}, "message": "because"}
        return good(request)

    return answer


def lost(times, answer=good):
    """An answer that is lost so many times."""
    left = [times]

    def maybe(request):
        left[0] -= 1
        return answer(request) if left[0] < 0 else None

    return maybe


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
        platform.say(
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
        platform.say("/sys/a1SubProdKy/sensor-02/thing/delete", {"id": "1", "params": {}})
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
            gateway.poll(0)
        first = platform.ms
        gateway._state("connected", {})
        while not gateway.online:
            gateway.poll(0)
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
        platform.say(topic % 2, {})
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


def test_every_error_notice(code, event, state):
    platform = Platform()
    platform.bring(1, 2)
    gateway = platform.gateway
    platform.answers["combine/login"] = lost(99)
    gateway.calm = 1 << 30  # what happens by itself next is another test's
    platform.say(
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
    platform.say(
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
            platform.say("/ext/error" + GATEWAY, error)
            platform.run(4)
        assert platform.tails() == ["combine/login"] * 2
        assert len(platform.published) == 4 and len(set(platform.published)) == 1


def test_every_status_of_a_topology_change(status, event, state):
    platform = Platform()
    platform.bring(1, 2)
    topic = "/sys%s/thing/topo/change" % GATEWAY
    platform.gateway.calm = 1 << 30
    platform.say(
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
        platform.say(
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
        platform.say(topic, {"id": "3", "version": "1.0", "params": {}})
        platform.run(3)
        assert platform.gateway.state_of(sub(1)[0]) == state
        assert platform.published[0][0] == topic + "_reply" and platform.events() == [(verb + "d", 0)]


def test_a_request_to_attach_is_the_application_s_to_follow():
    platform = Platform()
    platform.gateway.watch(
        lambda event, name, code: event == "attach" and platform.gateway.bring_online([name])
    )
    topic = "/sys%s/thing/topo/add/notify" % GATEWAY
    platform.say(topic, {"id": "3", "params": [{"productKey": KEY, "deviceName": "sensor-04"}, {"x": 1}]})
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
