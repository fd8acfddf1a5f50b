"""What the platform may send to a thing, whatever it is: host_tests/firmware/test_platform_sends.py makes it up."""

import gc
from binascii import unhexlify

from aliot.errors import AliotError
from aliot.thing.requests import of
from peer import Peer

TAGS = "thing/deviceinfo/update"
LARGEST = 2000  # bytes that may stay behind


def requests(value):
    """Each of `messages` is (topic, hex). Nothing but AliotError is raised, and nothing stays of them.

    A reply is given at most once to whoever waits, and afterwards a good one still finds its request.
    """
    peer = Peer()
    made = of(peer)
    asked = []
    for topic in ("thing/service/#", "thing/config/push", "/ext/rrpc/#", "rrpc/request/#"):
        made.on(topic, lambda topic, message: asked.append(made.answer(topic, message)))
    before = allocated()
    for topic, text in value["messages"]:
        got = []
        id = peer.last_id = 41
        made.send(TAGS, {}, lambda data, problem: got.append(problem), 100)
        peer.say(topic, unhexlify(text))
        served(peer, made)
        assert len(got) < 2, topic
        peer.run(made, 200)
        assert len(got) == 1 and not made.waiting, topic
        peer.sent.clear()
        asked.clear()
    after = allocated()
    assert after - before < LARGEST, after - before
    peer.answer = lambda topic, message: (200, {"good": id})
    assert made.ask(TAGS, {}) == {"good": 41}


def served(peer, made):
    while peer.queue:
        try:
            made.poll(0)
        except AliotError as problem:
            assert problem.code and problem.retry in ("now", "later", "never"), problem


def allocated():
    """Bytes of the heap in use; 0 where nobody counts them."""
    gc.collect()
    return gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0
