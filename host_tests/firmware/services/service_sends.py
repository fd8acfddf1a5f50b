"""What the platform may send to the services, as to a thing: host_tests/firmware/test_platform_sends.py makes it up."""

import gc
from binascii import unhexlify

import aliot.thing.requests
from aliot.errors import AliotError
from aliot.services import broadcast, rrpc
from aliot.services.config import RemoteConfig
from aliot.services.jobs import Jobs
from aliot.services.log import Log
from aliot.services.ntp import Ntp
from aliot.services.raw import Raw
from aliot.services.shadow import Shadow
from aliot.services.upload import Upload
from device_peer import DevicePeer

peer = DevicePeer()
made = []
heap = []


def sleep(ms):
    peer.ms += ms


aliot.thing.requests.sleep_ms = sleep


def start():
    made.append(Upload(peer))
    made.append(RemoteConfig(peer, lambda file: None))
    made.append(Jobs(peer, lambda job: None))
    made.append(Log(peer))
    made.append(Ntp(peer))
    made.append(Raw(peer, lambda payload: b"x"))
    made.append(Shadow(peer, lambda desired: {"a": 1}))
    rrpc.on(peer, lambda payload: {"a": 1})
    rrpc.on(peer, lambda payload: "x", "user/get")
    broadcast.on(peer, lambda payload: None)
    peer.connect()
    heap.append(allocated())


def services(value):
    """No handler of a service raises anything, and no poll anything but AliotError, whatever comes and is answered."""
    if not made:
        start()
    for topic, text in value["messages"]:
        data = unhexlify(text)
        peer.answer = lambda topic, message: [(topic + "_reply", data)]
        peer.deliver(topic, data)
        for _ in range(4):
            polled()
        assert not [one for one in peer.failures if not isinstance(one, AliotError)], (topic, peer.failures)
        for _, fields in peer.states:
            assert fields.get("code") != "handler", (topic, fields)
        for state in (peer.sent, peer.states, peer.failures):
            state.clear()
    peer.answer = None
    peer.disconnect()
    peer.connect()
    heap.append(allocated())


def polled():
    try:
        made[0].poll(100)
    except AliotError as problem:
        assert problem.code and problem.retry in ("now", "later", "never"), problem


def bounded(most):
    """The least of ten calls' ends, since a stale pointer may hold what is gone."""
    assert min(heap[-10:]) - heap[0] < most, heap


def allocated():
    gc.collect()
    return gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0
