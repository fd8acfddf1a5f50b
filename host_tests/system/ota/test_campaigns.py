"""A board and a campaign of the emulated cloud: from the task to a release that is good, or taken back and reported."""

import pytest

from host_tests.support.fleet import MICROPYTHON
from host_tests.support.updates import UpdateFleet, runs, said

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
