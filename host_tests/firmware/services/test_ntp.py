"""The platform's time over MQTT, against a scripted peer."""

import json
import time

import machine
from aliot import clock
from aliot.services.ntp import Ntp
from device_peer import NAMES, DevicePeer, raised

HEAP = "256K"
REQUEST, RESPONSE = "/ext/ntp/%s/request" % NAMES, "/ext/ntp/%s/response" % NAMES
NOW = 1800000000000
TABLES = {
    "test_what_is_no_answer_counts_as_none": [
        ("not JSON", "{"),
        ("a list", "[1]"),
        ("another request's", '"%s7"', '"1800000000000"', '"1800000000001"'),
        ("no request's", "null", '"1800000000000"', '"1800000000001"'),
        ("times that are none", '"%s"', "{}", "[]"),
        ("sent before received", '"%s"', '"1800000000001"', '"1800000000000"'),
        ("in the past", '"%s"', '"1010"', '"1015"'),
        ("in the far future", '"%s"', '"4202444800000"', '"4202444800001"'),
        ("infinite", '"%s"', "1e999", "1e999"),
    ],
    "test_text_and_number_alike": [("text", '"%d"'), ("number", "%d")],
}


def made(there=0, back=0, form='"%d"'):
    """A peer whose messages take so many ms each way, 5 in between."""

    def answer(topic, message):
        peer.ms += there
        text = '{"deviceSendTime":%s,"serverRecvTime":%s,"serverSendTime":%s}' % (form, form, form)
        text %= int(message["deviceSendTime"]), NOW + peer.ms, NOW + peer.ms + 5
        peer.ms += 5 + back
        return [(RESPONSE, text)]

    peer = DevicePeer(answer)
    return peer


def test_the_round_trip_halves():
    peer = made(40, 40)
    ntp = Ntp(peer)
    assert ntp.time() == NOW + peer.ms
    assert peer.sent == [(REQUEST, {"deviceSendTime": "0"})] and peer.subscribed == [RESPONSE]
    peer.ms += 1000
    assert ntp.time() == NOW + peer.ms
    peer = made(0, 100)
    assert Ntp(peer).time() == NOW + peer.ms - 50


def test_text_and_number_alike(name, form):
    peer = made(3, 3, form)
    assert Ntp(peer).time() == NOW + peer.ms


def test_what_is_no_answer_counts_as_none(name, text, *times):
    if times:
        text = '{"deviceSendTime":%s,"serverRecvTime":%s,"serverSendTime":%s}' % (text, times[0], times[1])

    def answer(topic, message):
        return [(RESPONSE, text.replace("%s", message["deviceSendTime"]))]

    peer = DevicePeer(answer)
    ntp = Ntp(peer)
    assert raised(ntp.time, 2000).code == "thing.silent" and peer.ms <= 2001 and not peer.failures
    assert ntp.found == []


def test_an_answer_that_nobody_waits_for_is_dropped():
    peer = made()
    ntp = Ntp(peer)
    for _ in range(3):
        peer.deliver(
            RESPONSE, json.dumps({"deviceSendTime": "0", "serverRecvTime": NOW, "serverSendTime": NOW})
        )
    peer.wait()
    assert ntp.found == [] and not peer.failures


def test_it_waits_in_no_handler_and_for_no_connection():
    peer = made()
    ntp = Ntp(peer)
    peer.client.busy = True
    assert raised(ntp.time).code == "thing.handler" and not peer.sent
    peer.client.busy = False
    peer.disconnect()
    assert raised(ntp.time).code == "offline"
    peer = DevicePeer(lambda topic, message: peer.disconnect())
    assert raised(Ntp(peer).time).code == "offline"


def test_the_clock_is_set_only_when_asked():
    machine.RTC().datetime((2000, 1, 1, 5, 0, 0, 0, 0))
    clock.server = None
    peer = made(10, 10)
    ntp = Ntp(peer)
    ntp.time()
    assert time.gmtime()[0] == 2000 and clock.server is None
    now = ntp.set_clock()
    assert now == NOW + peer.ms and abs(clock.utc() - NOW // 1000) < 5 and clock.server == "mqtt"
    assert not clock.due()
