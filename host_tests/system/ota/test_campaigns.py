"""A board and a campaign of the emulated cloud: from the task to a release that is good, or taken back and reported."""

import pytest

from host_tests.support.fleet import MICROPYTHON, REGISTERED, until
from host_tests.support.updates import UpdateFleet, runs, said
from tools.image import updates

FLEET = UpdateFleet
TOLD = 'on_reset=lambda: say(app="told")'


@MICROPYTHON
@pytest.mark.parametrize("protocol", ["HTTPS", "MQTT"])
def test_a_release_arrives_is_tried_and_good(fleet, protocol):
    board = fleet.on(fleet.updated(hooks=TOLD))
    data = fleet.release(2)
    job = fleet.campaign(board, data, protocol=protocol)
    task = fleet.ended(board, job, 90)
    board.wait_for(lambda state: state.get("state") == "good")
    assert task["TaskStatus"] == "SUCCEEDED", (task, board.run.lines)
    assert runs(board)[:2] == ["golden", "release 2"]
    assert fleet.versions(board)[:2] == ["1.0.0", "2.0.0"]
    steps = [step for step, _ in fleet.steps(board)]
    assert steps == [1, *range(10, 101, 10)]
    assert not said(board, "error") and '{"app": "told"}' in "\n".join(board.run.lines)
    board.power_off()


@MICROPYTHON
def test_a_cut_and_an_expired_address_cost_little(fleet):
    """The connection ends in the middle, then the address is refused: the rest comes by a new one."""
    # whether 112 KB are enough hangs on some names of the release: a table of names that doubles takes 7
    board = fleet.on(fleet.updated(heap="116K"))
    data = fleet.release(2)
    at = {"where": "https", "when": "download", "pk": board.product_key, "dn": board.device_name}
    fleet.cloud.arm({**at, "kind": "cut", "bytes": 40000}, {**at, "kind": "expired"})
    task = fleet.ended(board, fleet.campaign(board, data), 90)
    assert task["TaskStatus"] == "SUCCEEDED", (task, board.run.lines)
    first, refused, rest = fleet.downloads(board)
    assert (first[1], refused[1], rest[1]) == (206, 403, 206)
    assert int(rest[0].removeprefix("bytes=").rstrip("-")) > 36000
    board.power_off()


@MICROPYTHON
def test_a_bad_release_is_taken_back_and_reported(fleet):
    board = fleet.on(fleet.updated())
    job = fleet.campaign(board, fleet.release(2, inside="raise ValueError('bad')"))
    task = fleet.ended(board, job, 90)
    assert (task["TaskStatus"], task["TaskDesc"]) == ("FAILED", "it ended with an error"), board.run.lines
    assert runs(board) == ["golden", "release 2", "golden"]
    assert fleet.steps(board)[-1] == (-1, "it ended with an error")
    board.power_off()


@MICROPYTHON
def test_power_goes_in_the_middle_and_the_rest_is_taken(fleet):
    board = fleet.on(fleet.updated())
    data = fleet.release(2)
    job = fleet.campaign(board, data, protocol="MQTT")
    until(board, lambda: asked(fleet, board) > 40, 60)
    board.power_off()
    board.start(follow=True)
    task = fleet.ended(board, job, 90)
    assert task["TaskStatus"] == "SUCCEEDED", (task, board.run.lines)
    assert asked(fleet, board) <= len(data) // 1024 + 40  # manifest and the file under way come once more
    assert fleet.versions(board) == ["1.0.0", "2.0.0"], "the old version is not published meanwhile"
    board.power_off()


@MICROPYTHON
def test_a_board_with_the_platform_s_key_takes_what_the_platform_has_signed(fleet, tmp_path):
    """Refused while the product's secure upgrade is off, taken once it is on; the key is put there as a flash does."""
    place = f"/products/{REGISTERED}/secure_upgrade"
    key = tmp_path / "platform.pem"
    key.write_text(fleet.cloud.admin("POST", place, {"enabled": True})["pem"])
    fleet.cloud.admin("POST", place, {"enabled": False})
    board = fleet.on(fleet.updated(updates.key_files((), key)))
    data = fleet.release(2)
    task = fleet.ended(board, fleet.campaign(board, data), 60)
    assert (task["TaskStatus"], task["Progress"]) == ("FAILED", "-3"), (task, board.run.lines)
    assert task["TaskDesc"].startswith("update.signature") and not fleet.downloads(board)
    fleet.cloud.admin("POST", place, {"enabled": True})
    try:
        task = fleet.ended(board, fleet.campaign(board, data), 90)
    finally:
        fleet.cloud.admin("POST", place, {"enabled": False})
    assert task["TaskStatus"] == "SUCCEEDED", (task, board.run.lines)
    board.power_off()


def asked(fleet, board):
    """Blocks that a board has asked for."""
    found = fleet.cloud.admin("GET", f"/messages?direction=up&pk={board.product_key}&dn={board.device_name}")
    return sum(one["topic"].endswith("thing/file/download") for one in found)
