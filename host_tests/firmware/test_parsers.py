"""What a network or a worn flash may send into the device's parsers: nothing but a result or an error of the tree.

Here the parsers run in this process, for the numbers; host_tests/device runs them on both interpreters.
"""

import importlib
import sys
import time
import types

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools.emulator.board import umqtt
from tools.firmware import record

SECRET = "0123456789abcdef0123456789abcdef"
GOOD = (
    b'{"code":200,"data":{"deviceName":"dev_0001","deviceSecret":"%s","productKey":"a1TESTpk001"},'
    b'"message":"success"}' % SECRET.encode()
)
WHOLE = b"HTTP/1.1 200 OK\r\nServer: Tengine\r\nContent-Length: %d\r\n\r\n%s" % (len(GOOD), GOOD)
MESSAGES = [(b"/a/b", b"hello", 0), (b"/t", b"", 7), (b"/long/topic", bytes(300), 8)]
COUNT = 200  # examples of each in CI


@pytest.fixture(scope="module")
def chip():
    """The modules of the device that need a chip's, imported over the least of one."""
    put = {"micropython": types.SimpleNamespace(const=lambda value: value)}
    for name in ("socket", "struct", "binascii"):
        put["u" + name] = importlib.import_module(name)
    ticks = {
        "ticks_ms": lambda: int(time.monotonic() * 1000),
        "ticks_add": lambda a, b: a + b,
        "ticks_diff": lambda a, b: a - b,
    }
    path, before = str(umqtt.folder()), dict(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        for name, module in put.items():
            patch.setitem(sys.modules, name, module)
        for name, function in ticks.items():
            patch.setattr(time, name, function, raising=False)
        patch.syspath_prepend(path)
        yield types.SimpleNamespace(
            **{
                name.rpartition(".")[2]: importlib.import_module(name)
                for name in ("aliot.errors", "aliot.credentials", "aliot.registration.https", "aliot.mqtt")
            }
        )
        for name in set(sys.modules) - set(before):
            if name.startswith(("aliot", "umqtt")):
                del sys.modules[name]


class Stream:
    """Gives `data` in pieces, then ends."""

    deadline = types.SimpleNamespace(left=lambda: 1000)

    def __init__(self, data, sizes=(1 << 20,), end=None):
        self.data, self.sizes, self.at, self.end = data, sizes, 0, end
        self.written = b""

    def readinto(self, view):
        if not self.data and self.end:
            raise self.end
        self.at += 1
        count = min(len(view), len(self.data), self.sizes[self.at % len(self.sizes)])
        view[:count] = self.data[:count]
        self.data = self.data[count:]
        return count

    def ready(self, ms):
        if not self.data and self.end:
            raise self.end
        return bool(self.data)

    def write(self, data):
        self.written += bytes(data)

    def close(self):
        pass


def examples(campaign):
    return settings(
        max_examples=campaign(COUNT),
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


@st.composite
def damaged(draw, whole):
    """`whole` with some bytes changed, cut out, put in or repeated."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        kind = draw(st.sampled_from("change cut insert repeat".split()))
        if kind == "change" and data:
            data[at] = draw(st.integers(0, 255))
        elif kind == "cut":
            del data[at : at + draw(st.integers(1, 40))]
        elif kind == "insert":
            data[at:at] = draw(st.binary(max_size=20))
        else:
            data[at:at] = data[at : at + 30]
    return bytes(data)


def test_records(campaign, tally):
    whole = record.encode(
        record.BURNED, 77, {record.KIND: b"device", record.DEVICE_SECRET: b"s" * 32, 99: b""}
    )

    @examples(campaign)
    @given(st.one_of(st.binary(max_size=200), damaged(whole)))
    def anything(data):
        tally("fuzzed inputs")
        try:
            kind, generation, fields = record.decode(data)
        except ValueError:
            return
        assert record.encode(kind, generation, fields) == data or sorted(fields) != list(fields)

    @examples(campaign)
    @given(
        st.sampled_from([record.BURNED, record.ISSUED]),
        st.integers(0, 2**32 - 1),
        st.dictionaries(st.integers(1, 255), st.binary(max_size=300), max_size=20),
    )
    def there_and_back(kind, generation, fields):
        tally("fuzzed inputs")
        assert record.decode(record.encode(kind, generation, fields)) == (kind, generation, fields)

    anything()
    there_and_back()


def test_registration_answers(chip, campaign, tally):
    who = chip.credentials.ProductCertificate("a1TESTpk001", "dev_0001", "ProductSecret016", "https")

    @examples(campaign)
    @given(st.one_of(damaged(WHOLE), st.binary(max_size=300)))
    def anything(data):
        tally("fuzzed inputs")
        try:
            made = chip.https.result(*chip.https.answer(Stream(data, end=chip.errors.Closed("x"))), who)
        except chip.errors.AliotError as problem:
            assert SECRET not in str(problem)
        else:
            assert (made.product_key, made.device_name) == ("a1TESTpk001", "dev_0001")

    anything()


def client(chip, stream):
    made = chip.mqtt.Client(
        stream, types.SimpleNamespace(client_id="i", username="u", password="p"), 300, 1000, 1000
    )
    made.got = []
    made.set_callback(lambda topic, message: made.got.append((topic, message)))
    return made


def packet(topic, payload, number):
    body = len(topic).to_bytes(2, "big") + topic + (number.to_bytes(2, "big") if number else b"") + payload
    size, length = b"", len(body)
    while length > 127:
        size, length = size + bytes([length & 127 | 128]), length >> 7
    return bytes([0x32 if number else 0x30]) + size + bytes([length]) + body


def drain(made, stream):
    while stream.data:
        made.poll(0)


def test_mqtt_input(chip, campaign, tally):
    whole = b"".join(packet(*message) for message in MESSAGES) + b"\xd0\0"

    @examples(campaign)
    @given(
        st.one_of(damaged(whole), st.binary(max_size=400)),
        st.lists(st.integers(1, 50), min_size=1, max_size=5),
    )
    def anything(data, sizes):
        tally("fuzzed inputs")
        stream = Stream(data, sizes)
        try:
            drain(client(chip, stream), stream)
        except chip.errors.AliotError:
            pass

    @examples(campaign)
    @given(st.lists(st.integers(1, 400), min_size=1, max_size=9))
    def whole_however_it_is_cut(sizes):
        tally("fuzzed inputs")
        stream = Stream(whole, sizes)
        made = client(chip, stream)
        drain(made, stream)
        assert made.got == [(topic, payload) for topic, payload, _ in MESSAGES]
        assert stream.written == b"\x40\x02\0\x07\x40\x02\0\x08"

    anything()
    whole_however_it_is_cut()


def test_what_is_published_is_what_mqtt_says(chip, campaign, tally):
    @examples(campaign)
    @given(
        st.text(
            st.characters(exclude_characters="+#\0", exclude_categories=["Cs"]), min_size=1, max_size=60
        ).filter(lambda topic: len(topic.encode()) <= 128),
        st.one_of(st.binary(max_size=3000), st.text(st.characters(exclude_categories=["Cs"]), max_size=300)),
    )
    def published(topic, payload):
        tally("fuzzed inputs")
        stream = Stream(b"")
        client(chip, stream).publish(topic, payload)
        assert stream.written == packet(
            topic.encode(), payload.encode() if isinstance(payload, str) else payload, 0
        )

    published()
