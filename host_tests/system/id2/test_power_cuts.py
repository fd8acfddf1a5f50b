"""Power goes at every flash operation of the first boot of a board that asks for its identity (id2.md 1.4).

After any cut the board has the identity whole, or none and asks again: never half of one. That the platform then
gives the same identity again is a choice of this cloud (`id2_fingerprint_again`); with the other, a licence is lost
with the power between answer and flash, and the board says so (test_boots.py).
"""

import itertools

from host_tests.support.fleet import MICROPYTHON, online
from host_tests.support.id2 import EMPTY, Id2Fleet, id2_config

FLEET, CLOUD = Id2Fleet, id2_config(id2_fingerprint_again="same")


def given(cloud, board):
    """The IDs that the platform has given to this board."""
    mac = board.mac.replace(":", "").upper()
    return [one["id2"] for one in cloud.admin("GET", "/identities") if one["fingerprint"] == mac]


@MICROPYTHON
def test_a_first_boot_is_cut_at_every_flash_operation(fleet, cloud, campaign, tally):
    whole = online(fleet.board()).operations
    assert whole > 10
    for operation, torn in itertools.product(range(1, whole + 1), (False, True)):
        if campaign(1) == 1 and operation % 2 == torn:
            continue  # either way at every second operation, unless the campaign is a long one
        board = fleet.board()
        cut = board.boot(until="connected", cut_at=operation, torn=torn)
        assert cut.reason == "power cut", "\n".join(cut.lines)
        before = given(cloud, board)
        online(board)
        assert len(given(cloud, board)) == 1 and given(cloud, board)[: len(before)] == before
        assert cloud.device(EMPTY, board.device_name)["id2"] == given(cloud, board)[0]
        board.flash.unlink()
        tally("power cuts")


@MICROPYTHON
def test_cut_again_and_again_it_comes_back_within_its_requests(fleet, cloud, tally):
    """Four requests a day are all that a board makes; three of them may be lost with the power."""
    board = fleet.board()
    for _ in range(3):
        cloud.arm({"where": "itls", "when": "provision", "kind": "half_open"})
        board.start()
        board.wait_for("connecting")
        struck = any(not cloud.admin("GET", "/faults") for _ in range(5000))
        board.power_off()
        assert struck, "\n".join(board.run.lines)
        tally("power cuts")
    online(board)
    assert len(given(cloud, board)) == 1
