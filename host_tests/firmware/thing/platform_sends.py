"""What the platform may send to a thing, whatever it is: host_tests/firmware/test_platform_sends.py makes it up.

A call takes some `messages`, each (topic, hex), for the one device that there is. `bounded` ends them all.
"""

import gc
from binascii import unhexlify

import aliot.thing.requests
from aliot import alink, crash
from aliot.errors import AliotError
from aliot.thing import Thing
from aliot.thing.requests import of
from peer import Peer

TAGS = "thing/deviceinfo/update"
DESIRED = "thing/property/desired/get"
peer = Peer()
made = []  # the Requests or the Thing
heap = []  # bytes in use, before all messages and after those of each call


def sleep(ms):
    peer.ms += ms


aliot.thing.requests.sleep_ms = sleep


def requests(value):
    """Nothing but AliotError is raised. A reply is given once, and a good one still finds its request."""
    asked = []
    if not made:
        made.append(of(peer))
        for topic in ("thing/service/#", "thing/config/push", "/ext/rrpc/#", "rrpc/request/#"):
            made[0].on(topic, lambda topic, message: asked.append(made[0].answer(topic, message)))
        heap.append(allocated())
    for topic, text in value["messages"]:
        got = []
        peer.answer = None
        peer.last_id = 41
        made[0].send(TAGS, {}, lambda data, problem: got.append(problem), 100)
        peer.deliver(topic, unhexlify(text))
        served()
        assert len(got) < 2, topic
        peer.run(made[0], 200)
        assert len(got) == 1 and not made[0].waiting, topic
        peer.sent.clear()
        asked.clear()
    heap.append(allocated())
    peer.answer = lambda topic, message: (200, {"good": 1})
    assert made[0].ask(TAGS, {}) == {"good": 1}


def things(value):
    """The same to a Thing, with a model's `table` or None. What it sends is JSON, and its own posts arrive afterwards.

    What desired/get is answered with are the messages too.
    """
    if not made:
        made.append(made_thing(value["table"]))
        heap.append(allocated())
    thing = made[0]
    for topic, text in value["messages"]:
        data = unhexlify(text)
        wished = (alink.parsed(data) or {}).get("data")
        peer.answer = lambda topic, message: (200, wished) if topic == DESIRED else None
        peer.disconnect()
        peer.connect()
        peer.deliver(topic, data)
        served()
        peer.run(thing, 20)
        for _, fields in peer.states:
            assert fields.get("code") != "handler", fields
        peer.sent.clear()
        peer.states.clear()
    wished = None
    peer.answer = lambda topic, message: (200, {})
    peer.disconnect()
    peer.connect()
    thing.calm = 0
    peer.run(thing, 2000)
    thing.post(Switch=1)
    peer.run(thing, 100)
    assert len(thing.outbox) == 0
    peer.sent.clear()
    peer.states.clear()
    heap.append(allocated())


def made_thing(table):
    if table:
        with open("/model.json", "wb") as file:
            file.write(unhexlify(table))
    crash.handler_failed = failed
    thing = Thing(peer, "/model.json" if table else None)
    for name in ("Switch", "Count", "Label"):
        thing.property(name)(lambda value: None)

    @thing.service("Reset")
    def reset(delay=0):
        return {"accepted": 1, "delay": delay}

    return thing


def failed(device, problem, topic):
    """What handlers raise is theirs: these raise nothing but for inputs, or for values that cannot be sent."""
    if not isinstance(problem, (TypeError, ValueError)):
        raise problem


def served():
    while peer.queue:
        try:
            made[0].poll(0)
        except AliotError as problem:
            assert problem.code and problem.retry in ("now", "later", "never"), problem


def bounded(most):
    """After no more than `most` bytes stay of all messages; the least of ten calls' ends, since a stale pointer may
    hold what is gone."""
    assert min(heap[-10:]) - heap[0] < most, heap


def allocated():
    gc.collect()
    return gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0
