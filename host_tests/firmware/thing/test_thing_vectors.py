"""A Thing against the vectors of application.md: what the page has a device say, and how it answers the platform."""

import json

from aliot import clock
from aliot.thing import Thing
from peer import Peer

HEAP = "384K"
NAMES = {"{pk}": "a1ThingPk01", "{dn}": "dev_0001", "{messageId}": "42"}
VECTORS = {
    "test_a_post_says_what_the_vector_says": ("vectors_application.json/requests", "post-with-time"),
    "test_an_event_is_the_vector": ("vectors_application.json/requests", "event-with-time"),
    "test_history_is_the_vector": ("vectors_application.json/requests", "history"),
    "test_desired_values_are_asked_for_as_the_vector": (
        "vectors_application.json/requests",
        "desired-get-printed",
    ),
    "test_what_the_platform_asks_is_answered_as_the_vector": ("vectors_application.json/downlinks", ""),
}
TIME = 1524448722000


def named(text):
    for name in NAMES:
        text = text.replace(name, NAMES[name])
    return text


def world(connect=True):
    peer = Peer(lambda topic, message: (200, {}))
    clock.server = "server"
    clock.utc = lambda: 1800000000
    thing = Thing(peer)
    if connect:
        peer.connect()
        peer.run(thing, 50)
        peer.sent.clear()
    return peer, thing


def same(sent, vector):
    """The message of a vector, but for its id; topics below the device's own."""
    topic, message = sent
    wanted = json.loads(named(vector["payload"]))
    assert topic == named(vector["topic"]).split("/", 4)[-1], topic
    for name in ("version", "params", "method"):
        assert message[name] == wanted[name], (message, wanted)
    assert message["id"].isdigit() and set(message) == {"id", "version", "params", "method"}


def test_a_post_says_what_the_vector_says(vector):
    peer, thing = world()
    thing.post(on=True, time=TIME)
    same(peer.sent[0], vector)


def test_an_event_is_the_vector(vector):
    peer, thing = world()
    thing.event("alarm", errorCode="E1", time=TIME)
    same(peer.sent[0], vector)


def test_history_is_the_vector(vector):
    peer, thing = world(False)
    peer.client = None
    thing.post(temp=21.5, time=TIME)
    thing.event("alarm", errorCode="E1", time=TIME)
    peer.connect()
    peer.run(thing, 100)
    same(peer.sent[0], vector)


def test_desired_values_are_asked_for_as_the_vector(vector):
    peer, thing = world(False)
    for name in json.loads(vector["payload"])["params"]:
        thing.property(name)(lambda value: None)
    peer.connect()
    thing.poll(0)
    topic, message = peer.sent[0]
    message["params"].sort()
    same((topic, message), vector)


def test_what_the_platform_asks_is_answered_as_the_vector(vector):
    peer, thing = world()
    wanted = json.loads(vector["answer"])
    thing.property("on")(lambda value: None)
    for name in ("SetWeight", "Weigh"):
        thing.service(name)(lambda **inputs: wanted["data"])
    topic = named(vector["topic"])
    peer.deliver(topic, named(vector["payload"]).encode())
    peer.run(thing, 10)
    found, message = peer.sent[0]
    assert found == (topic if topic.startswith("/ext/") else topic.split("/", 4)[-1] + "_reply")
    assert {name: message[name] for name in wanted} == wanted
