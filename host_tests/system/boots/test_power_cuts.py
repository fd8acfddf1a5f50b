"""Power goes at every flash operation, and between any two steps of the protocol, of a first boot.

Whatever happened, the next boot ends connected and the one after it does not register: the identity was never lost.
"""

import random

import pytest

from host_tests.support.fleet import KINDS, MICROPYTHON, comes_back, online


def test_a_first_boot_registers_once_and_no_later_boot_does(fleet):
    for kind in KINDS:
        board = fleet.board(kind)
        first = online(board)
        assert first.state("stored") and first.operations > 0
        again = comes_back(board)
        assert again.operations == 0, "a boot that has all it needs writes nothing"
        assert fleet.registrations(board) == 1


@MICROPYTHON
@pytest.mark.parametrize("torn", [False, True], ids=["before", "torn"])
@pytest.mark.parametrize("kind", KINDS)
def test_at_every_flash_operation(fleet, kind, torn, tally):
    whole = online(fleet.board(kind)).operations
    for operation in range(1, whole + 1):
        board = fleet.board(kind)
        cut = board.boot(until="connected", cut_at=operation, torn=torn)
        assert cut.reason == "power cut" and not cut.state("stored"), cut.lines
        comes_back(board)
        board.flash.unlink()
        tally("power cuts")


@MICROPYTHON
@pytest.mark.parametrize("kind", KINDS)
def test_again_and_again_while_it_recovers(fleet, kind, campaign, tally):
    seed = random.randrange(2**32)
    draw = random.Random(seed)
    for _ in range(campaign(6)):
        board = fleet.board(kind)
        for _ in range(draw.randint(2, 12)):
            at = draw.randint(1, draw.choice((4, 12, 32)))
            boot = board.boot(until="connected", cut_at=at, torn=draw.random() < 0.5)
            if boot.reason != "power cut":
                assert boot.reason == "stopped", (f"seed {seed}", boot.lines)
                break
            tally("power cuts")
        comes_back(board)
        board.flash.unlink()


@pytest.mark.parametrize(
    "state", ["boot", "wifi", "clock", "registering", "stored", "connecting", "connected"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_at_every_state(fleet, kind, state, tally):
    board = fleet.board(kind)
    boot = board.boot(until=state)
    assert boot.reason == "stopped" and boot.state(state)
    comes_back(board)
    tally("power cuts")


# the platform did its part, and its answer was lost with the power
@pytest.mark.parametrize(
    "kind, when",
    [
        ("https", "register"),
        ("https", "connect"),
        ("mqtt", "register"),
        ("mqtt", "push"),
        ("mqtt", "connect"),
        ("regnwl", "register"),
        ("regnwl", "push"),
        ("regnwl", "connect"),
    ],
)
def test_when_only_the_answer_was_lost(fleet, cloud, kind, when, tally):
    board = fleet.board(kind)
    where = "https" if (kind, when) == ("https", "register") else "mqtt_tls"
    cloud.arm(
        {"where": where, "when": when, "kind": "half_open", "pk": board.product_key, "dn": board.device_name}
    )
    since = max((event["seq"] for event in cloud.admin("GET", "/log")), default=0)
    board.start()
    board.wait_for("connecting" if when == "connect" else "registering")
    seen_by_cloud(cloud, board, since, "online" if when == "connect" else "registered")
    board.power_off()
    comes_back(board)
    tally("power cuts")


def seen_by_cloud(cloud, board, since, event, tries=2000):
    for _ in range(tries):
        if cloud.admin("GET", f"/log?after={since}&event={event}&dn={board.device_name}"):
            return
    raise AssertionError(f"the cloud never saw '{event}'")
