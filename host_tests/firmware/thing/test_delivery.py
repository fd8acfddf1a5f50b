"""What a Thing posts arrives: offline, with replies that are lost, twice or refused, and power cuts."""

import os

from aliot import clock
from aliot.thing import Outbox, Thing, entries
from peer import Peer

HEAP = "512K"
NOW = 1800000000
POST = "thing/event/property/post"
HISTORY = "thing/event/property/history/post"
PATH = "/outbox"
TABLES = {
    "test_no_sequence_loses_or_reorders_a_value": [
        ("memory", 0),
        ("memory", 1),
        ("memory", 2),
        ("memory", 3),
        ("memory", 4),
        ("file", 5),
        ("file", 6),
        ("file", 7),
        ("file", 8),
        ("file", 9),
    ],
    "test_what_the_platform_refuses_for_now_goes_again": [(400,), (429,), (500,), (6760,), (None,)],
}


class Cloud:
    """Takes what a device posts: `points` {identifier: [(time, value)]} as they came, `now` the current values.

    `codes` of the next replies; None is a reply that is lost, though the message arrived.
    """

    def __init__(self):
        self.codes = []
        self.points = {}
        self.now = {}
        self.messages = []  # (topic, id)

    def __call__(self, topic, message):
        code = self.codes.pop(0) if self.codes and topic[:12] == "thing/event/" else 200
        if code in (None, 200) and topic[:12] == "thing/event/":
            self.messages.append((topic, message["id"]))
            self.take(topic, message["params"])
        return None if code is None else (code, {})

    def take(self, topic, params):
        if topic == HISTORY:
            for item in params:
                assert item["identity"] == {"productKey": "a1ThingPk01", "deviceName": "dev_0001"}
                for properties in item.get("properties", ()):
                    self.keep(properties)
                for events in item.get("events", ()):
                    self.keep(events)
        elif topic == POST:
            self.keep(params)
            self.now.update({name: params[name]["value"] for name in params})
        else:
            self.keep({topic[12:-5]: params})

    def keep(self, points):
        for name, point in points.items():
            self.points.setdefault(name, []).append((point["time"], point["value"]))

    def once(self, name):
        """The points of an identifier in the order of their times, each once."""
        return sorted(set(self.points.get(name, ())))


def start(peer, outbox=None):
    clock.server = "server"
    clock.utc = lambda: NOW + peer.ms // 1000
    return Thing(peer, None, Outbox(200, 16384) if outbox is None else outbox)


def test_hours_offline_arrive_as_history_and_the_newest_is_current():
    cloud = Cloud()
    peer = Peer(cloud)
    thing = start(peer)
    peer.client = None
    for number in range(25):
        assert thing.post(T=number) is False
        peer.ms += 60000
        thing.poll(1)
    thing.event("Alarm", code=1)
    thing.post(H=5)
    assert not peer.sent and len(thing.outbox) == 27
    peer.connect()
    peer.run(thing, 2000)
    assert [topic for topic, id in cloud.messages] == [HISTORY] * 3 + [POST]
    assert [value for time, value in cloud.points["T"]] == list(range(25)) + [24]
    times = [time for time, value in cloud.points["T"]]
    assert times == sorted(times) and times[23] - times[0] == 23 * 60000
    assert cloud.points["Alarm"][0][1] == {"code": 1}
    assert cloud.now == {"T": 24, "H": 5} and len(thing.outbox) == 0


def test_one_that_waits_goes_as_what_it_is():
    cloud = Cloud()
    peer = Peer(cloud)
    thing = start(peer)
    peer.client = None
    thing.post(T=1)
    peer.connect()
    peer.run(thing, 100)
    assert [topic for topic, id in cloud.messages] == [POST] and cloud.now == {"T": 1}


def test_what_the_platform_refuses_for_now_goes_again(code):
    cloud = Cloud()
    peer = Peer(cloud)
    thing = start(peer)
    peer.connect()
    cloud.codes = [code, code, code]
    thing.post(T=1)
    peer.run(thing, 120000)
    sent = peer.messages(POST)
    assert len(sent) == 4 and len(thing.outbox) == 0
    assert all(message == sent[0] for message in sent)  # the same id and time
    assert cloud.once("T") == [(sent[0]["params"]["T"]["time"], 1)]


def test_a_file_system_that_is_full_is_a_line_each_and_no_error():
    if PATH[1:] in os.listdir("/"):
        os.remove(PATH)
    peer = Peer(Cloud())
    thing = start(peer, Outbox(path=PATH))
    write = thing.outbox.file._write
    full = []

    def fail(data):
        full.append(data)
        raise thing.outbox.file._failed(OSError(28))

    thing.outbox.file._write = fail
    peer.sent.clear()
    peer.states.clear()
    assert thing.post(A=1) is False and thing.event("E") is False
    thing.property("S")(lambda value: None)
    peer.deliver("thing/service/property/set", {"id": "1", "params": {"S": 1}})
    peer.run(thing, 1000)
    assert peer.connected and peer.messages("thing/service/property/set_reply")[0]["code"] == 200
    assert POST not in peer.topics() and len(full) == 3
    assert [fields["code"] for state, fields in peer.states] == ["store.full"] * 3
    assert all([state == "error" and fields["advice"] for state, fields in peer.states])
    thing.outbox.file._write = write
    assert thing.post(A=2) is True


def test_what_was_acknowledged_is_not_sent_again():
    cloud = Cloud()
    peer = Peer(cloud)
    thing = start(peer)
    peer.connect()
    for number in range(5):
        thing.post(T=number)
    cloud.codes = []
    peer.run(thing, 60000)
    peer.disconnect()
    peer.connect()
    peer.run(thing, 60000)
    assert [value for time, value in cloud.points["T"]] == list(range(5))


def test_one_that_is_refused_does_not_hold_the_others():
    cloud = Cloud()
    peer = Peer(cloud)
    thing = start(peer)
    peer.client = None
    for number in range(4):
        thing.post(T=number)
    cloud.codes = [460, 200, 6306, 200, 200]
    peer.connect()
    peer.run(thing, 60000)
    assert [value for time, value in cloud.once("T")] == [0, 2, 3] and len(thing.outbox) == 0
    assert [fields["code"] for state, fields in peer.states if state == "error"] == ["thing.6306"]


def kept():
    """(cloud, peer, thing) with four values that wait for a connection."""
    cloud = Cloud()
    peer = Peer(cloud)
    thing = start(peer)
    peer.client = None
    for number in range(4):
        thing.post(T=number)
    return cloud, peer, thing


def arrive(cloud, peer, thing):
    """The four values arrive in order once there is a connection."""
    peer.connect()
    peer.run(thing, 60000)
    assert [value for time, value in cloud.once("T")] == [0, 1, 2, 3] and len(thing.outbox) == 0


def test_a_message_that_memory_is_too_short_for_goes_one_by_one():
    cloud, peer, thing = kept()
    publish = peer.publish

    def short(topic, payload, qos=0):
        if topic == HISTORY:
            raise MemoryError
        publish(topic, payload, qos)

    peer.publish = short
    arrive(cloud, peer, thing)


def test_entries_that_memory_is_too_short_for_are_read_one_by_one():
    cloud, peer, thing = kept()
    head = entries.head

    def short(outbox, count=1, after=0):
        if count > 2:
            raise MemoryError
        return head(outbox, count, after)

    entries.head = short
    try:
        arrive(cloud, peer, thing)
    finally:
        entries.head = head


def test_a_flood_keeps_the_platforms_rate():
    cloud = Cloud()
    peer = Peer(cloud)
    thing = start(peer)
    peer.connect()
    times = []
    peer.answer = lambda topic, message: times.append(peer.ms) or cloud(topic, message)
    for number in range(150):
        thing.post(T=number)
        thing.poll(10)
    peer.run(thing, 20000)
    assert [value for time, value in cloud.once("T")] == list(range(150))
    for begin in times:
        assert len([one for one in times if begin <= one < begin + 1000]) <= 30


def test_values_from_before_the_clock_get_their_time():
    cloud = Cloud()
    peer = Peer(cloud)
    thing = start(peer)
    peer.client = None
    clock.server = None
    thing.post(T=1)
    peer.ms += 7000
    thing.poll(1)
    thing.post(T=2)
    clock.server = "server"
    peer.connect()
    peer.run(thing, 1000)
    (first, one), (second, two) = cloud.once("T")[:2]
    assert (one, two) == (1, 2) and 6000 <= second - first <= 8000 and first // 1000 >= NOW - 2


def test_no_sequence_loses_or_reorders_a_value(kind, seed):
    """Random posts, outages, lost and refused replies, duplicates, and restarts where the outbox is a file."""
    for name in (PATH, PATH + ".new"):
        try:
            os.remove(name)
        except OSError:
            pass
    state = seed * 7919 + 1

    def random(n):
        nonlocal state
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        return (state >> 8) % n

    def outbox():
        return Outbox(200, 16384, PATH if kind == "file" else None)

    cloud = Cloud()
    peer = Peer(cloud)
    thing = start(peer, outbox())
    peer.connect()
    posted = []
    for _ in range(120):
        what = random(12)
        if what < 5:
            posted.append(len(posted))
            thing.post(T=posted[-1])
        elif what == 5 and peer.connected:
            peer.disconnect()
        elif what == 6 and not peer.connected:
            peer.connect()
        elif what == 7:
            cloud.codes = [(None, 200, 429, 500)[random(4)] for _ in range(random(4))]
        elif what == 8 and peer.queue:
            peer.queue.append(peer.queue[random(len(peer.queue))])
        elif what == 9 and kind == "file":
            peer.client = None
            peer.restart()
            thing = start(peer, outbox())
        elif peer.connected:
            peer.run(thing, random(3000))
        else:
            peer.ms += random(3000)
    cloud.codes = []
    if not peer.connected:
        peer.connect()
    peer.run(thing, 900000)
    found = cloud.once("T")
    assert [value for time, value in found] == posted, (found, posted)  # each with one time, in order
    assert len(thing.outbox) == thing.outbox.dropped == 0 and cloud.now == {"T": posted[-1]}
