"""Whatever a network sends: errors of the module's own, never accepted, never hung; on both interpreters."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_tests.support import device_tests
from host_tests.support.id2 import HEAP, session
from host_tests.support.paths import DEVICE

CAMPAIGN = float(os.environ.get("ALIOT_CAMPAIGN", "1"))
NAME = "aes128_id2_suite_D003"
SESSION = session(NAME)
RECEIVED = bytes.fromhex(SESSION["received"])

few = settings(
    max_examples=max(10, int(60 * CAMPAIGN)),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module", params=device_tests.INTERPRETERS)
def ask(request):
    """`ask(function, value)` on a board that stays on; fails with what the board printed."""
    with device_tests.conversation(DEVICE / "id2_fuzz.py", request.param, heap=HEAP) as conversation:

        def run(function, value):
            failed = conversation(function, value)
            assert failed is None, failed

        yield run


def hexed(strategy):
    return strategy.map(bytes.hex)


def blob(most=200, least=0):
    return hexed(st.binary(min_size=least, max_size=most))


@st.composite
def damaged(draw):
    """The server's side of the recorded session with a few edits."""
    data = bytearray(RECEIVED[: 47 + 292 + 85])
    before = bytes(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1))
        piece = draw(st.binary(max_size=8))
        data[at : at + draw(st.integers(0, 8))] = piece
    if bytes(data) == before:
        data[draw(st.integers(0, len(data) - 1))] ^= 1 + draw(st.integers(0, 254))
    return bytes(data).hex()


@few
@given(body=st.binary(max_size=400) | damaged().map(lambda text: bytes.fromhex(text)[47 + 9 : 47 + 292]))
def test_any_server_hello(ask, body):
    message = b"\x02" + len(body).to_bytes(3, "big") + body
    record = b"\x16\x03\x03" + len(message).to_bytes(2, "big") + message
    if record != RECEIVED[47 : 47 + len(record)]:
        ask("handshake", [SESSION, (RECEIVED[:47] + record + RECEIVED[47 + 292 :]).hex()])


@few
@given(
    value=st.lists(
        st.tuples(st.integers(0, 65535) | st.sampled_from([1, 0x2002, 0x2003]), blob(100)), max_size=6
    )
)
def test_any_extensions(ask, value):
    ask("extensions", value)


@few
@given(value=st.tuples(blob(80) | blob(64, 64), blob(48, 48), blob(48, 48)))
def test_any_premaster(ask, value):
    ask("premaster", value)


@few
@given(
    value=st.tuples(
        st.sampled_from(["d001", "d002", "d003", "d004"]), st.integers(21, 23), blob(1024), blob(400)
    )
)
def test_any_record(ask, value):
    ask("record_body", value)


@few
@given(
    received=st.one_of(
        damaged(),
        blob(300),
        blob(60).map(lambda text: RECEIVED[:47].hex() + text),
        st.integers(0, 423).map(lambda size: RECEIVED[:size].hex()),
    )
)
def test_any_server(ask, received):
    ask("handshake", [SESSION, received])


@few
@given(value=blob(110) | blob(89, 89) | blob(88, 88).map(lambda text: "01" + text))
def test_any_provisioning_response(ask, value):
    ask("response", value)


@few
@given(
    value=st.one_of(
        st.text(max_size=60),
        st.from_regex(r"\A[ix][12][0-9][!-~]{20,60}\Z"),
        st.binary(min_size=14, max_size=40).map(
            lambda key: "i21XXXXX" + __import__("base64").b64encode(key).decode()
        ),
    )
)
def test_any_product_secret(ask, value):
    ask("product_secret", value)


@few
@given(
    value=st.tuples(
        st.integers(-1, 5),
        blob(40) | hexed(st.text("0123456789ABCDEF", max_size=32).map(str.encode)),
        blob(20) | blob(600),
    )
)
def test_any_device_code(ask, value):
    ask("device_code", value)


@few
@given(value=blob(1100) | st.integers(0, 66).flatmap(lambda n: blob(16 * n, 16 * n)))
def test_any_ciphertext(ask, value):
    ask("decrypt", value)


@few
@given(value=st.tuples(blob(60) | blob(40, 40), st.lists(st.integers(0, 40000), max_size=40)))
def test_any_count_and_clock(ask, value):
    ask("quota", value)
