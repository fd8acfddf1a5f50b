"""Requests and their replies, and the platform's requests to the device."""

from aliot.errors import LinkError
from aliot.thing.errors import ThingError
from aliot.thing.requests import of
from peer import Peer

HEAP = "256K"
TABLES = {
    "test_a_reply_is_matched_by_the_text_of_its_id": [("text", '"%d"'), ("number", "%d")],
    "test_what_is_no_reply_is_dropped": [
        ("not JSON", b"{"),
        ("a list", b"[]"),
        ("without an id", b'{"code":200,"data":{}}'),
        ("an id of another request", b'{"id":"77","code":200,"data":{}}'),
        ("an id that is none", b'{"id":{},"code":200,"data":{}}'),
    ],
    "test_codes": [
        (460, "thing.460", "never"),
        ("460", "thing.460", "never"),
        (6306, "thing.6306", "never"),
        (429, "thing.429", "later"),
        (500, "thing.500", "later"),
        (None, "thing.-1", "never"),
    ],
}
TAGS = "thing/deviceinfo/update"


def raised(kind, action, *arguments):
    try:
        action(*arguments)
    except kind as problem:
        return problem
    raise AssertionError("nothing was raised")


def collect():
    got = []
    return got, lambda data, problem: got.append((data, problem))


def test_a_request_is_the_documents():
    peer = Peer()
    requests = of(peer)
    assert of(peer) is requests and peer.extra == ",_ss=1"
    id = requests.send(TAGS, [{"attrKey": "a"}])
    assert peer.sent == [
        (
            TAGS,
            {
                "id": str(id),
                "version": "1.0",
                "params": [{"attrKey": "a"}],
                "method": "thing.deviceinfo.update",
            },
        )
    ]
    assert requests.send(TAGS, {}, method="other") == id + 1 and peer.sent[1][1]["method"] == "other"
    requests.send(TAGS, {}, id=id)
    assert peer.sent[2][1]["id"] == str(id) and 0 < id < 4294967296


def test_a_gateways_word_in_connect_stays():
    peer = Peer()
    peer.extra = ",_ss=1,ext=3"
    of(peer)
    assert peer.extra == ",_ss=1,ext=3"


def test_a_reply_is_matched_by_the_text_of_its_id(name, form):
    peer = Peer()
    requests = of(peer)
    got, done = collect()
    id = requests.send(TAGS, {}, done)
    text = '{"id":%s,"code":200,"data":{"a":1}}' % (form % id)
    peer.deliver("thing/other_reply", text.encode())
    peer.run(requests, 10)
    assert not got
    peer.deliver(TAGS + "_reply", text.encode())
    peer.deliver(TAGS + "_reply", text.encode())
    peer.run(requests, 20000)
    assert got == [({"a": 1}, None)]


def test_what_is_no_reply_is_dropped(name, payload):
    peer = Peer()
    requests = of(peer)
    peer.last_id = 100
    got, done = collect()
    requests.send(TAGS, {}, done, 1000)
    peer.deliver(TAGS + "_reply", payload)
    peer.run(requests, 900)
    assert not got
    peer.run(requests, 200)
    assert len(got) == 1 and got[0][1].code == "thing.silent" and not requests.waiting


def test_codes(code, found, retry):
    peer = Peer(lambda topic, message: (code, {}))
    problem = raised(ThingError, of(peer).ask, TAGS, {})
    assert (problem.code, problem.retry, problem.detail) == (found, retry, "m") and not of(peer).waiting


def test_ask_ends_with_its_reply_its_deadline_or_the_connection():
    peer = Peer(lambda topic, message: (200, {"n": message["params"]}))
    requests = of(peer)
    assert requests.ask(TAGS, 5) == {"n": 5}
    peer.answer = None
    before = peer.ms
    assert raised(ThingError, requests.ask, TAGS, {}, 3000).code == "thing.silent"
    assert 3000 <= peer.ms - before < 3100
    peer.answer = lambda topic, message: peer.disconnect()
    assert raised(LinkError, requests.ask, TAGS, {}).code == "offline"
    assert raised(LinkError, requests.send, TAGS, {}, len).code == "offline"
    assert not requests.waiting
    peer.connect()
    peer.client.busy = True
    assert raised(ThingError, requests.ask, TAGS, {}).code == "thing.handler"


def test_a_new_connection_ends_all_waiting():
    peer = Peer()
    requests = of(peer)
    got, done = collect()
    requests.send(TAGS, {}, done, 1000000)
    peer.disconnect()
    assert not got
    peer.connect()
    assert got[0][1].code == "thing.silent"


def test_requests_of_the_platform_reach_their_handlers():
    peer = Peer()
    requests = of(peer)
    got = []
    requests.on("thing/config/push", lambda topic, message: got.append((topic, message)))
    requests.on("/ext/rrpc/#", lambda topic, message: got.append((topic, message)))
    requests.on("thing/service/#", lambda topic, message: requests.answer(topic, message, 460, {}, "no"))
    peer.deliver("thing/config/push", {"id": 5, "params": {}})
    peer.deliver("/ext/rrpc/12/x", {"id": "6"})
    peer.deliver("thing/config/push", b"nothing")
    peer.deliver("thing/config/pushed", {"id": 5})
    for id in (7, "7"):
        peer.deliver("thing/service/X", {"id": id})
    peer.run(requests, 100)
    assert got == [("thing/config/push", {"id": 5, "params": {}}), ("/ext/rrpc/12/x", {"id": "6"})]
    assert peer.sent == [
        ("thing/service/X_reply", {"id": id, "code": 460, "data": {}, "message": "no"}) for id in (7, "7")
    ]


def test_no_second_has_more_messages_than_the_platform_takes():
    peer = Peer()
    requests = of(peer)
    times = []
    peer.answer = lambda topic, message: times.append(peer.ms)
    import aliot.thing.requests

    aliot.thing.requests.sleep_ms = peer.serve
    for _ in range(100):
        requests.send(TAGS, {})
    assert peer.ms < 6000
    for begin in times:
        assert len([one for one in times if begin <= one < begin + 1000]) <= 30


def test_duties_are_done_at_each_poll():
    peer = Peer(lambda topic, message: (200, {}))
    requests = of(peer)
    done = []
    requests.duties.append(lambda: done.append(requests.ask(TAGS, {})))
    requests.poll(0)
    requests.poll(0)
    assert done == [{}, {}]
