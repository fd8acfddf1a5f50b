"""A fleet in a grey campaign: bad networks, weak boards, power cuts; each board ends on a whole release."""

import random

from host_tests.support.fleet import MICROPYTHON
from host_tests.support.rollout import NEW, OLD, Rollout, held
from host_tests.support.updates import UpdateFleet
from tools.ota import package

FLEET = UpdateFleet
BOARDS, MOST = 20, 200


@MICROPYTHON
def test_a_release_reaches_a_fleet(fleet, campaign, tally):
    seed = random.SystemRandom().randrange(2**30)
    rollout = Rollout(fleet, min(MOST, campaign(BOARDS)), random.Random(seed))
    rollout.run()
    assert rollout.cut, seed
    files = contents(package.parse(rollout.release))
    for board in rollout.boards:
        name = board.device_name
        task = rollout.tasks[name]
        weak = name in rollout.weak
        seen = seed, name, task
        assert task["TaskStatus"] == ("FAILED" if weak else "SUCCEEDED"), seen
        assert held(board, {"new": files}) == ("golden" if weak else "new, good"), seen
        versions = fleet.cloud.call(
            "ListOTAModuleVersionsByDevice", ProductKey=board.product_key, DeviceName=name
        )["List"]
        assert versions == [{"ModuleName": "default", "FirmwareVersion": OLD if weak else NEW}], seen
        if weak:
            assert task["TaskDesc"] == "it ended with an error", seen
    tally("boards in a grey campaign", len(rollout.boards))
    tally("power cuts in a grey campaign", len(rollout.cut))


def contents(made):
    """{path: bytes} of the files of a package."""
    data, found = made.contents, {}
    for file in made.manifest.files:
        found[file.path], data = data[: file.size], data[file.size :]
    return found
