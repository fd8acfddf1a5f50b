"""Property-based: whatever a network sends to a board, on both interpreters, it keeps to its own errors."""

import json
import random
import struct

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from host_tests.support import device_tests
from host_tests.support.paths import DEVICE
from tools.firmware import record

CASES = DEVICE / "received.py"
OWN = {"productKey": "a1TESTpk001", "deviceName": "dev_0001"}
SECRET = {"deviceSecret": "0123456789abcdef0123456789abcdef"}
TOKEN = {"clientId": "CID123", "deviceToken": "TOKEN456"}
VARIANTS = 19  # changed copies of each input that hypothesis makes up

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=40)
    | st.sampled_from([*OWN.values(), *SECRET.values(), *TOKEN.values(), 200, "200", 6289])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*OWN, *SECRET, *TOKEN, "code", "data", "message"]), inner)
    ),
    max_leaves=8,
)
ends = st.sampled_from(["closed", "closed", "reset", "silent"])
pieces = st.sampled_from([0, 0, 1, 3, 17])


def shown(value):
    """`value` as an answer may be: no secret in the platform's message, which is there to be shown to people."""
    if isinstance(value, dict) and any(secret in str(value.get("message")) for secret in SECRET.values()):
        return {**value, "message": "failed"}
    return value


def text(value):
    return json.dumps(value, separators=(",", ":")).encode()


@st.composite
def https_answers(draw):
    """(bytes, whether they are a genuine answer)."""
    good = draw(st.booleans())
    body = text(
        {"code": 200, "data": {**OWN, **SECRET}, "message": "success"} if good else shown(draw(values))
    )
    status = draw(
        st.sampled_from(
            [b"200 OK", b"200 "]
            if good
            else [b"200 OK", b"400 Bad Request", b"500", b"abc", b"302 Found", b""]
        )
    )
    others = draw(
        st.lists(
            st.sampled_from(
                [b"Server: Tengine", b"Date: x", b"Connection: close"]
                + ([] if good else [b"", b":", b"x", b"content-length: 5", b"Transfer-Encoding: x"])
            ),
            max_size=4,
        )
    )
    if draw(st.booleans()):
        size = draw(st.integers(1, 60))
        parts = [body[at : at + size] for at in range(0, len(body), size)]
        length = b"Transfer-Encoding: chunked"
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    else:
        count = (
            len(body) if good else draw(st.sampled_from([len(body), len(body) - 1, 0, -1, 10**9, 2048, 2049]))
        )
        length = b"Content-Length: %d" % count
    head = b"\r\n".join([b"HTTP/1.1 " + status, *others, length, b"", b""])
    return head + body, good


def packet(kind, body):
    length, size = b"", len(body)
    while True:
        length += bytes([size & 127 | (128 if size > 127 else 0)])
        size >>= 7
        if not size:
            return bytes([kind]) + length + body


def publish(topic, payload, number=0):
    return packet(
        0x32 if number else 0x30,
        struct.pack("!H", len(topic)) + topic + (struct.pack("!H", number) if number else b"") + payload,
    )


def pushes(more):
    @st.composite
    def made(draw):
        good = draw(st.booleans())
        topic = (
            b"/ext/register"
            if good
            else draw(st.sampled_from([b"/ext/register", b"/ext/regnwl", b"/x", b""]))
        )
        payload = text({**OWN, **more} if good else draw(values))
        before = b"".join(
            draw(
                st.lists(
                    st.sampled_from([publish(b"/ext/other", b"x"), b"\x40\2\0\7", b"\xd0\0"]), max_size=2
                )
            )
        )
        connack = (
            b"\x20\2\0\0" if good else draw(st.sampled_from([b"\x20\2\0\0", b"\x20\2\0\4", b"\x20\1\0", b""]))
        )
        return connack + before + publish(topic, payload, draw(st.integers(0, 65535))), good

    return made()


@st.composite
def conversations(draw):
    """(packets, how many messages are in them if all of them are allowed)."""
    topic = st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name)
    messages = draw(
        st.lists(st.builds(publish, topic, st.binary(max_size=300), st.integers(0, 65535)), max_size=6)
    )
    others = draw(st.lists(st.sampled_from([b"\xd0\0", b"\x40\2\0\7", b"\x90\3\0\7\0"]), max_size=3))
    bad = draw(
        st.lists(
            st.binary(max_size=30) | st.builds(packet, st.integers(0, 255), st.binary(max_size=40)),
            max_size=1,
        )
    )
    everything = draw(st.permutations([*messages, *others, *bad]))
    return b"".join(everything), 0 if bad else len(messages)


@st.composite
def records(draw):
    fields = draw(st.dictionaries(st.integers(1, 255), st.binary(max_size=80), max_size=6))
    return record.encode(
        draw(st.sampled_from([record.BURNED, record.ISSUED])), draw(st.integers(0, 2**32 - 1)), fields
    ), True


def changed(source, data):
    """One to three changes: a byte, a piece cut out, doubled or thrown in, the end lost."""
    data = bytearray(data)
    for _ in range(source.randint(1, 3)):
        at, kind = source.randrange(len(data) + 1), source.randrange(5)
        if kind == 0 and at < len(data):
            data[at] = source.choice((data[at] ^ 1 << source.randrange(8), source.randrange(256)))
        elif kind == 1:
            del data[at : at + source.randrange(20)]
        elif kind == 2:
            data[at:at] = data[at : at + source.randrange(20)]
        elif kind == 3:
            data[at:at] = source.randbytes(source.randrange(8))
        else:
            del data[at:]
    return bytes(data)


@pytest.fixture(scope="module", params=device_tests.INTERPRETERS)
def ask(request):
    with device_tests.conversation(CASES, request.param, heap="1M") as asking:
        yield asking


PARSERS = {
    "https_answers": https_answers(),
    "pushes": pushes(SECRET),
    "token_pushes": pushes(TOKEN),
    "mqtt_packets": conversations(),
    "records": records(),
}


@pytest.mark.parametrize("parser", list(PARSERS))
def test_an_error_of_the_tree_or_a_right_result(ask, parser, campaign, tally):
    count = 0

    @settings(
        max_examples=campaign(25),
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(PARSERS[parser], ends, pieces, st.integers(0, 2**32))
    def holds(made, end, piece, seed):
        nonlocal count
        (data, good), source = made, random.Random(seed)
        inputs = [{"data": data.hex(), "good": good, "end": end, "piece": piece}]
        inputs += [
            {"data": changed(source, data).hex(), "good": False, "end": end, "piece": piece}
            for _ in range(VARIANTS)
        ]
        count += len(inputs)
        few = max(1, 4000 // (len(data) + 50))
        for at in range(0, len(inputs), few):
            failed = ask(parser, inputs[at : at + few])
            assert failed is None, failed

    holds()
    tally("fuzzed inputs", count)


def test_a_time_is_taken_only_if_it_can_be_one(ask, campaign, tally):
    near = st.sampled_from(
        [
            1795219199,
            1795219200,
            1795219200 + 20 * 365 * 86400 - 1,
            1795219200 + 20 * 365 * 86400,
            2085978496,
            0,
            946684800,
        ]
    )

    @settings(max_examples=campaign(5), deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(
            st.integers(-(2**31), 2**33) | st.integers(1795219200, 2425939200) | near, min_size=1, max_size=20
        )
    )
    def holds(times):
        failed = ask("times", times)
        assert failed is None, failed
        tally("fuzzed inputs", len(times))

    holds()
