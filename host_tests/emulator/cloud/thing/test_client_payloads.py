"""Requests as official clients write them, byte for byte, and the bytes of the answers (application.md 1, 3, 16)."""

import pytest

from host_tests.support.cloud.thing import DN, NOW, PK

POST = "thing/event/property/post"
OK = b'{"code":200,"data":%b,"id":%b,"message":"success","method":"%b","version":"1.0"}'


def ok(number, method, data=b"{}"):
    return OK % (data, number, method)


# topic, payload -> the answer's payload, None for none
PAYLOADS = [
    # C 4.x data-model: ids as text, no method, sys.ack as the application has chosen
    (
        POST,
        b'{"id":"1","version":"1.0","params":{"Temp": 21.5},"sys":{"ack":1}}',
        ok(b'"1"', b"thing.event.property.post"),
    ),
    (POST, b'{"id":"2","version":"1.0","params":{"Temp": 21.5},"sys":{"ack":0}}', None),
    (
        "thing/event/alarm/post",
        b'{"id":"3","version":"1.0","params":{"errorCode": "E1"},"sys":{"ack":1}}',
        ok(b'"3"', b"thing.event.alarm.post"),
    ),
    (
        "thing/event/property/batch/post",
        b'{"id":"4","version":"1.0","params":{"properties":{"Temp":[{"value":21.5,"time":%d}]}},"sys":{"ack":1}}'
        % NOW,
        ok(b'"4"', b"thing.event.property.batch.post"),
    ),
    (
        "thing/property/desired/get",
        b'{"id":"5","version":"1.0","params":["Count"],"sys":{"ack":1}}',
        ok(b'"5"', b"thing.property.desired.get", b'{"Count":{"value":7,"version":1}}'),
    ),
    (
        "thing/property/desired/delete",
        b'{"id":"6","version":"1.0","params":{"Count":{"version":1}},"sys":{"ack":1}}',
        ok(b'"6"', b"thing.property.desired.delete"),
    ),
    ("thing/service/property/set_reply", b'{"id":"105917531","code":200,"data":{}}', None),
    # C 4.x elsewhere: a number, with blanks after the commas
    (POST, b'{"id":1, "params":{"Temp": 1}}', ok(b"1", b"thing.event.property.post")),
    # Python 1.2.13: a method of its own, blanks as json.dumps has them
    (
        POST,
        b'{"id": "7", "version": "1.0", "params": {"Temp": 21}, "method": "thing.event.property.post"}',
        ok(b'"7"', b"thing.event.property.post"),
    ),
    # Node 1.2.8: the topic of the reply is in the id
    (
        POST,
        b'{"id":"8|exp-topic|/sys/x/y/post_reply","version":"1.0","params":{"Temp":21},"method":"thing.event.property.post"}',
        ok(b'"8|exp-topic|/sys/x/y/post_reply"', b"thing.event.property.post"),
    ),
]


@pytest.mark.parametrize(("tail", "payload", "answer"), PAYLOADS)
def test_a_client_gets_the_bytes_that_it_waits_for(world, tail, payload, answer):
    found = world(tsl_check="strict")
    found.instance.desired.set(found.instance.registry.find(PK, DN), {"Count": 7}, {})
    packets = found.device.publish(tail, payload)
    assert [packet.payload for packet in packets] == ([] if answer is None else [answer])
    assert all(packet.topic == found.device.topic(tail) + "_reply" and packet.qos == 0 for packet in packets)
