"""Things of sub-devices over their gateway's connection, and packs of several, against a scripted platform."""

from aliot.thing import Thing
from aliot.thing.packs import Pack
from gateway_peer import NOW, OWN, Site, prefix
from gateway_platform import sub

HEAP = "768K"
POST = "thing/event/property/post"
HISTORY = OWN + "thing/event/property/history/post"
PACK = OWN + "thing/event/property/pack/post"
TABLES = {
    "test_a_pack_that_is_not_taken_is_sent_by_each_thing": [(6304,), (None,), (429,)],
    "test_what_does_not_fit_begins_the_next_pack": [
        ("properties", 2),
        ("events", 2),
        ("subdevices", 2),
        ("again", 2),
        ("bytes", 3),
    ],
}


def brought(*numbers):
    """A Site whose sub-devices are online, and have said what they do at a connect."""
    site = Site(*numbers)
    site.bring(*numbers)
    site.go(100)
    site.sent.clear()
    return site


def names(number):
    return {"productKey": sub(number)[0][0], "deviceName": sub(number)[0][1]}


def test_a_post_goes_out_while_the_sub_device_is_online():
    site = Site(1, 2)
    one, two = site.things[1], site.things[2]
    assert not one.post(T=1) and not site.sent and not one.device.connected
    site.bring(1)
    site.go(100)
    assert one.device.connected and not two.device.connected and not two.post(T=5)
    assert site.where() == [prefix(1) + POST] and len(one.outbox) == 0
    assert one.post(T=2) and one.event("Alarm", code=3)
    (topic, message) = site.sent[1]
    assert topic == prefix(1) + POST and message["params"]["T"]["value"] == 2
    assert site.sent[2][0] == prefix(1) + "thing/event/Alarm/post"
    site.go(100)
    assert len(one.outbox) == 0 and len(two.outbox) == 1
    ids = [message["id"] for topic, message in site.sent]
    assert len(set(ids)) == 3


def test_after_a_logout_it_is_kept_and_goes_as_the_history_of_the_sub_device():
    site = brought(1, 2)
    one = site.things[1]
    assert site.gateway.logout(sub(1)) == []
    assert not one.device.connected and not one.post(T=1) and not one.post(T=2)
    assert site.things[2].post(T=9)
    site.go(100)
    assert site.where() == [prefix(2) + POST]
    assert site.gateway.login(sub(1)) == []
    site.go(1000)
    (history,) = site.messages(HISTORY)
    (item,) = history["params"]
    assert item["identity"] == names(1) and [one["T"]["value"] for one in item["properties"]] == [1, 2]
    assert site.messages(prefix(1) + POST)[0]["params"]["T"]["value"] == 2
    assert len(one.outbox) == 0


def test_what_was_not_acknowledged_goes_again_after_the_next_login():
    site = brought(1)
    one = site.things[1]
    site.reply = lambda topic, message: None
    assert one.post(T=1)
    site.go(50)
    site.drop()
    assert not one.device.connected and not one.post(T=2)
    site.reply = lambda topic, message: (200, {})
    site.connect()
    site.go(2000)
    first = site.sent[0][1]
    again = [message for topic, message in site.sent[1:] if message["id"] == first["id"]]
    assert again == [first] and len(one.outbox) == 0  # the same id and time


def test_a_login_that_happened_between_two_polls_is_one():
    """The gateway lost its connection and is back before this Thing is polled: what is desired is asked anew."""
    site = brought(1, 2)
    one = site.things[1]
    got = []
    one.property("Switch")(got.append)
    site.drop()
    site.connect()
    for _ in range(200):
        site.things[2].poll(10)
    assert site.gateway.online == 2 and not one.device.connected
    values = {"Switch": {"value": 1, "version": 3}}
    site.reply = lambda topic, message: (200, values if topic.endswith("desired/get") else {})
    site.go(100)
    assert one.device.connected and got == [1]
    (cleared,) = site.messages(prefix(1) + "thing/property/desired/delete")
    assert cleared["params"] == {"Switch": {"version": 3}}


def test_history_that_nobody_acknowledges_is_sent_again():
    site = brought(1)
    one = site.things[1]
    site.gateway.logout(sub(1))
    one.post(T=1), one.post(T=2)
    site.reply = lambda topic, message: None
    site.gateway.login(sub(1))
    site.go(40000)
    sent = site.messages(HISTORY)
    assert 2 <= len(sent) <= 4 and all(message == sent[0] for message in sent)


def test_the_platform_asks_a_sub_device():
    site = brought(1, 2)
    got = []
    for number in (1, 2):
        thing = site.things[number]
        thing.property("Switch")(lambda value, number=number: got.append((number, value)))
        thing.service("Reset")(lambda delay, number=number: {"of": number})
    site.deliver(prefix(2) + "thing/service/property/set", {"id": "7", "params": {"Switch": 1}})
    site.deliver(prefix(1) + "thing/service/Reset", {"id": "8", "params": {"delay": 3}})
    rrpc = "/ext/rrpc/55" + prefix(2) + "thing/service/Reset"
    site.deliver(rrpc, {"id": "9", "params": {"delay": 3}})
    site.go(100)
    answers = {topic: bytes(payload, "utf-8") for topic, payload, qos in site.published}
    assert got == [(2, 1)] and b'"code":200' in answers[prefix(2) + "thing/service/property/set_reply"]
    assert b'"of":1' in answers[prefix(1) + "thing/service/Reset_reply"] and b'"of":2' in answers[rrpc]
    assert len(answers) == 3 and site.where()[0] == prefix(2) + POST


def test_a_row_that_moved_is_found():
    """A sub-device that is deleted leaves its row to the last one."""
    site = brought(1, 2, 3)
    site.deliver(prefix(1) + "thing/delete", {"id": "1", "params": {}})
    site.go(100)
    assert site.things[3].post(T=3) and site.things[2].post(T=2) and not site.things[1].post(T=1)
    assert site.where() == [prefix(3) + POST, prefix(2) + POST]


def test_a_problem_is_a_line_with_the_names():
    site = brought(1)
    site.reply = lambda topic, message: (6306, {})
    site.things[1].post(T=1)
    site.go(100)
    fields = [fields for state, fields in site.states if state == "error"][0]
    assert fields["code"] == "thing.6306" and fields["device_name"] == "sensor-01"


def test_a_pack_is_the_documents():
    site = brought(1, 2)
    own = Thing(site)
    pack = Pack(site.gateway)
    assert not pack.send()
    assert pack.post(own, Own=1) and pack.event(own, "Start")
    assert pack.post(site.things[1], {"T": 2}, H=True) and pack.event(site.things[2], "Alarm", {"code": 3})
    assert not site.sent and pack.send()
    ((topic, message),) = site.sent
    time = message["params"]["properties"]["Own"]["time"]
    assert topic == PACK and time >= NOW * 1000 and message["method"] == "thing.event.property.pack.post"
    one, two = message["params"]["subDevices"]
    assert message["params"]["events"]["Start"]["value"] == {} and one["identity"] == names(1)
    values = {name: one["properties"][name]["value"] for name in one["properties"]}
    assert values == {"T": 2, "H": 1} and "events" not in one and "properties" not in two
    assert two["identity"] == names(2) and two["events"]["Alarm"]["value"] == {"code": 3}
    site.go(100)
    assert [len(thing.outbox) for thing in (own, site.things[1], site.things[2])] == [0, 0, 0]
    assert len(site.sent) == 1 and site.things[1].post(T=3) and len(site.sent) == 2


def test_what_may_not_go_out_is_kept_and_not_in_the_pack():
    site = brought(1, 2)
    site.gateway.logout(sub(2))
    pack = Pack(site.gateway)
    assert pack.post(site.things[1], T=1) and not pack.post(site.things[2], T=2) and pack.send()
    assert [item["identity"] for item in site.sent[0][1]["params"]["subDevices"]] == [names(1)]
    site.drop()
    assert not pack.post(site.things[1], T=3) and not pack.send()


def test_a_pack_that_is_not_taken_is_sent_by_each_thing(code):
    site = brought(1, 2)
    site.reply = lambda topic, message: code and (code, {}) if topic == PACK else (200, {})
    pack = Pack(site.gateway)
    pack.post(site.things[1], T=1)
    pack.post(site.things[2], T=2)
    pack.send()
    points = [item["properties"]["T"] for item in site.sent[0][1]["params"]["subDevices"]]
    site.go(30000)
    assert [site.messages(prefix(number) + POST)[0]["params"]["T"] for number in (1, 2)] == points
    assert len(site.sent) == 3 and not len(site.things[1].outbox) and not len(site.things[2].outbox)


def test_a_pack_that_could_not_go_out_is_sent_by_each_thing():
    site = brought(1)
    pack = Pack(site.gateway)
    assert pack.post(site.things[1], T=1)
    site.drop()
    assert not pack.send()
    site.connect()
    site.go(2000)
    assert site.where() == [prefix(1) + POST] and not len(site.things[1].outbox)


def test_what_does_not_fit_begins_the_next_pack(kind, count):
    numbers = list(range(1, {"subdevices": 22, "events": 6}.get(kind, 3)))
    site = brought(*numbers)
    pack = Pack(site.gateway, 700 if kind == "bytes" else 100000)
    one, two = site.things[1], site.things[2]
    if kind == "properties":
        pack.post(one, {"P%d" % number: number for number in range(150)})
        pack.post(two, {"P%d" % number: number for number in range(51)})
    elif kind == "events":
        for number in range(21):  # five at a time may wait for their replies
            pack.event(site.things[number // 5 + 1], "E%d" % number)
    elif kind == "subdevices":
        for number in numbers:
            pack.post(site.things[number], T=number)
    elif kind == "again":
        pack.post(one, T=1)
        pack.post(two, T=5)
        pack.post(one, T=2)
    else:
        for thing in (one, two, one):
            pack.post(thing, {"T": "x" * 400})
    pack.send()
    sent = site.messages(PACK)
    assert len(sent) == count
    for message in sent:
        assert len(message["params"]["subDevices"]) <= 20
