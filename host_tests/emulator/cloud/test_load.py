"""The bench of the cloud, small: what it measures still works. `make bench` holds 5,000 and 500."""

import os

from host_tests.bench import load_itls
from host_tests.bench.load import measure

FACTOR = float(os.environ.get("ALIOT_CAMPAIGN", "1"))


def test_many_devices_are_held_at_once_over_tcp_and_tls():
    tcp, tls = (max(20, int(count * FACTOR)) for count in (300, 30))
    rows = measure(min(tcp, 5000), min(tls, 500), 20)
    assert [row["count"] for row in rows] == [min(tcp, 5000), min(tls, 500), 20]


def test_devices_with_an_id2_are_held_at_once():
    count = max(20, min(500, round(20 * FACTOR)))
    rows = load_itls.table(count / 500).rows
    assert [row[:2] for row in rows] == [("D003", count), ("D004", count)]
