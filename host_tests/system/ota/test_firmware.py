"""Firmware for boards with two slots, from the platform's task to what runs: good, or taken back by the bootloader."""

import json

from host_tests.support.fleet import MICROPYTHON, until
from host_tests.support.updates import UpdateFleet, runs

FLEET = UpdateFleet
HEAP = "130K"  # esp32.Partition and the units for an image take 6 KB; on a chip the former takes none
WORD = 'import esp32; say(app="slot", label=esp32.Partition(esp32.Partition.RUNNING).info()[4])'


def slots(board):
    """The slots that a board ran from, one start after another."""
    lines = [line for line in board.run.lines if '"slot"' in line and "label" in line]
    return [json.loads(line)["label"] for line in lines]


def informed(fleet, board):
    return [json.loads(one["payload"])["params"] for one in fleet.came(board, "inform")]


def started(fleet):
    """A board that has published the version of its firmware too."""
    board = fleet.on(fleet.updated(slots="v1", inside=WORD, heap=HEAP))
    until(board, lambda: {"version": "v1", "module": "firmware"} in informed(fleet, board), 20)
    return board


@MICROPYTHON
def test_firmware_and_its_files_are_tried_and_good_together(fleet):
    board = started(fleet)
    data = fleet.release(2, firmware="v2", inside=WORD)
    task = fleet.ended(board, fleet.campaign(board, data), 90)
    board.wait_for(lambda state: state.get("state") == "good")
    board.wait_line('"slot"', 60)
    assert task["TaskStatus"] == "SUCCEEDED", (task, board.run.lines)
    assert runs(board) == ["golden", "release 2", "release 2"]
    assert slots(board) == ["ota_0", "ota_1", "ota_1"]
    assert {"version": "v2", "module": "firmware"} in informed(fleet, board)
    board.power_off()
    boot = board.boot(until=lambda state: state["aliot"] == "connected", timeout=60)
    assert slots(board) == ["ota_1"] and not boot.state("update"), boot.lines


@MICROPYTHON
def test_firmware_alone_comes_for_the_module_firmware(fleet):
    board = started(fleet)
    job = fleet.campaign(board, fleet.firmware(2, "v2"), "v2", module="firmware")
    task = fleet.ended(board, job, 90)
    board.wait_for(lambda state: state.get("state") == "good")
    assert task["TaskStatus"] == "SUCCEEDED", (task, board.run.lines)
    assert runs(board)[:2] == ["golden", "golden"] and slots(board)[:2] == ["ota_0", "ota_1"]
    board.power_off()


@MICROPYTHON
def test_firmware_that_does_not_come_online_is_taken_back_with_its_files(fleet):
    board = started(fleet)
    data = fleet.release(2, firmware="v2", inside=f"{WORD}; import time; time.sleep(1); machine.reset()")
    task = fleet.ended(board, fleet.campaign(board, data, module="firmware"), 90)
    assert task["TaskStatus"] == "FAILED", (task, board.run.lines)
    assert "or the bootloader took it back" in task["TaskDesc"]
    assert runs(board) == ["golden", "release 2", "golden"]
    assert slots(board) == ["ota_0", "ota_1", "ota_0"]
    until(board, lambda: informed(fleet, board)[-1] == {"version": "v1", "module": "firmware"}, 20)
    board.power_off()
