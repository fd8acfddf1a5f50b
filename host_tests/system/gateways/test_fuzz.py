"""Property-based: whatever flash holds or the platform says, a gateway keeps to its own errors."""

import json
import random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from host_tests.support import device_tests
from host_tests.support.paths import DEVICE

CASES = DEVICE / "gateway_received.py"
NAMES = [{"productKey": "a1SubProdKy", "deviceName": f"sensor-0{number}"} for number in (1, 2, 3)]
KEYS = [
    "id",
    "code",
    "data",
    "message",
    "params",
    "status",
    "subList",
    "productKey",
    "deviceName",
    "deviceSecret",
    "successes",
    "failures",
    "errorDetail",
]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["a1SubProdKy", "sensor-01", "sensor-02", 200, "200", 429, 520, 521, 427, 8, 2])
)
values = st.recursive(
    scalars | st.sampled_from(NAMES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)
bodies = st.fixed_dictionaries({}, optional={key: values for key in ("code", "data", "message", "params")})


@st.composite
def texts(draw):
    """JSON of a reply or a notice, sometimes changed in a few bytes."""
    body = {"id": draw(st.sampled_from(["@ID", "@ID", "@ID", "7"])), **draw(bodies)}
    if draw(st.booleans()):
        body["code"] = draw(st.sampled_from([200, "200", 429, 6100, 6401, 500]))
    data = bytearray(json.dumps(body).encode())
    source = random.Random(draw(st.integers(0, 2**32)))
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        data[source.randrange(len(data))] = source.randrange(256)
    return bytes(data).hex()


files = st.fixed_dictionaries(
    {
        "attached": st.lists(st.integers(0, 5), max_size=6),
        "cut": st.none() | st.integers(0, 500),
        "changes": st.lists(st.tuples(st.integers(0, 500), st.integers(0, 255)), max_size=4),
        "more": st.binary(max_size=40).map(bytes.hex),
    }
)
replies = st.fixed_dictionaries(
    {
        "tail": st.sampled_from(["register", "topo/add", "batch_login", "topo/get", "product_register"]),
        "data": texts(),
    }
)
notices = st.fixed_dictionaries(
    {
        "topic": st.sampled_from(
            [
                "/ext/error@",
                "/sys@/thing/topo/change",
                "/sys@/thing/topo/add/notify",
                "/sys@/thing/gateway/permit",
                "/sys/a1SubProdKy/sensor-01/thing/disable",
                "/sys/a1SubProdKy/sensor-01/thing/enable",
                "/sys/a1SubProdKy/sensor-02/thing/delete",
                "/sys/a1SubProdKy/sensor-01/thing/x",
            ]
        )
        | st.text(max_size=20),
        "data": texts() | st.binary(max_size=30).map(bytes.hex),
    }
)
lists = st.fixed_dictionaries(
    {"data": texts() | st.binary(max_size=60).map(bytes.hex), "piece": st.integers(1, 40)}
)
INPUTS = {"files": files, "replies": replies, "notices": notices, "lists": lists}


@pytest.fixture(scope="module", params=device_tests.INTERPRETERS)
def ask(request):
    with device_tests.conversation(CASES, request.param, heap="1M") as asking:
        yield asking


@pytest.mark.parametrize("what", list(INPUTS))
def test_an_outcome_or_an_error_of_the_tree(ask, what, campaign, tally):
    count = 0

    @settings(
        max_examples=campaign(12),
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(INPUTS[what], min_size=1, max_size=12))
    def holds(inputs):
        nonlocal count
        count += len(inputs)
        failed = ask(what, inputs)
        assert failed is None, failed

    holds()
    tally("fuzzed inputs", count)
