"""The station on emulated boards that fail, are cut off, are erased, or come back under another name."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from host_tests.line.conftest import PRODUCT, secret
from host_tests.line.emulated_line import FLASH, WHO, Line, bench, burned_name, mac, results
from tools.emulator.chip.thread import Bench
from tools.firmware import record
from tools.image import burn
from tools.image import flash_image as layouts
from tools.image.flash_file import FlashFile
from tools.line import job_contents


def test_an_application_that_stops_is_red_with_its_exception_and_place(tmp_path):
    line = Line(
        tmp_path,
        files={"main.py": "import json\nprint('hello')\njson.load(open('/config.json'))\n"},
        seconds=10,
    )
    with bench(tmp_path, 1) as board:
        status, events = line.burn(board)
    outcome, why = results(events)["1"]
    assert (status, outcome) == (1, "failed")
    assert (
        why.startswith("its application has ended: OSError: [Errno 2] ENOENT (")
        and '"/main.py", line 3' in why
    )


def test_eight_boards_at_once_with_every_fault_end_right(tmp_path):
    """Power cuts, a pulled cable, a wrong chip, a chip that is closed, a ledger that goes away: each in one
    bay.
    """
    line = Line(tmp_path)
    with contextlib.ExitStack() as stack:
        boards = [
            stack.enter_context(bench(tmp_path, number, **how))
            for number, how in [
                (1, {}),
                (2, {}),
                (3, {"cut_at": 25}),
                (4, {}),
                (5, {"chip": "esp32s3"}),
                (6, {"faults": {"bad-md5": 1}}),
                (7, {}),
                (8, {}),
            ]
        ]
        process = line.start(*boards)
        events, pulled = [], False
        for text in process.stdout:
            event = json.loads(text)
            events.append(event)
            if event["event"] == "flash" and event["bay"] == "4" and not pulled:
                pulled = True
                boards[3].call(boards[3].server.drop)
            if event["event"] == "pulled" and event["bay"] == "3":
                boards[2].call(boards[2].chip.power_on)
            if event["event"] == "reserved" and len([e for e in events if e["event"] == "reserved"]) == 3:
                os.rename(tmp_path / "ledger.db", tmp_path / "away.db")
                threading.Timer(0.5, os.rename, (tmp_path / "away.db", tmp_path / "ledger.db")).start()
        status = process.wait()
        found = results(events)
        assert status == 1 and found.pop("5")[1].startswith("this is an esp32s3")
        again = [bay for bay, (outcome, _) in found.items() if outcome != "done"]
        if again:  # a bad MD5 is red: the board comes back
            assert again == ["6"] and "reads back otherwise" in found["6"][1]
            assert line.burn(boards[5])[0] == 0
    good = [1, 2, 3, 4, 6, 7, 8]
    names = [burned_name(tmp_path, number) for number in good]
    assert len(set(names)) == 7
    with line.ledger() as ledger:
        assert ledger.counts()[PRODUCT] | {"free": 3, "done": 7} == ledger.counts()[PRODUCT]
        assert [ledger.find(mac=mac(number)).device_name for number in good] == names
        assert any(event["action"] == "reject" for event in ledger.history(mac=mac(5)))
    assert {event["event"] for event in events} >= {"pulled", "flash", "burn", "written", "verified"}


@pytest.mark.parametrize("at", [3, 14, 22])
def test_a_station_killed_in_mid_burn_is_followed_by_one_that_finishes(tmp_path, at):
    """SIGKILL after the n-th event; the board is left wherever esptool was."""
    line = Line(tmp_path)
    with bench(tmp_path, 1) as board:
        process = line.start(board)
        for number, _ in enumerate(process.stdout, 1):
            if number == at:
                break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        status, events = line.burn(board)
        assert status == 0, events[-3:]
    assert burned_name(tmp_path, 1) == "dev00000"
    with line.ledger() as ledger:
        assert ledger.counts()[PRODUCT] | {"free": 9, "done": 1} == ledger.counts()[PRODUCT]


def test_a_board_whose_flash_was_erased_gets_its_identity_back_and_its_issued_secret(tmp_path):
    line = Line(tmp_path)
    with bench(tmp_path, 1) as board:
        assert line.burn(board)[0] == 0
        with line.ledger() as ledger:
            ledger.keep_issued(ledger.find(mac=mac(1)), {record.DEVICE_SECRET: b"issued-secret-0123"}, WHO)
        board.call(board.nor.erase, 0, FLASH)
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "tools",
                "line",
                "restore",
                str(tmp_path / "job.toml"),
                "--ledger",
                line.url,
                "--mac",
                mac(1),
                "--port",
                board.url,
                "--station-file",
                str(tmp_path / "station.toml"),
            ],
            capture_output=True,
            text=True,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")},
        )
    assert done.stdout.startswith(f"dev00000 is back on {mac(1)}, generation "), done.stderr
    assert done.stdout.endswith("with its issued secret\n")
    with FlashFile(tmp_path / "flash1.bin") as flash:
        copies = burn.look(flash, layouts.layout_of("ESP32_GENERIC")).copies
    assert {copy.name: copy.fields.get(record.DEVICE_SECRET) for copy in copies if copy.medium == "nvs"} == {
        "burned": secret(0).encode(),
        "issued": b"issued-secret-0123",
    }


def test_a_chip_with_its_own_usb_is_found_again_by_its_place_when_it_comes_back_under_another_name(tmp_path):
    from tools.image import identity
    from tools.line import job
    from tools.line.station.port_wire import PortWire

    wanted = job_contents.with_tree(
        job.Job(
            "lamp",
            PRODUCT,
            "ESP32_GENERIC_C3",
            files=str(tmp_path),
            endpoint={"region": "cn-shanghai"},
            seconds=60,
        )
    )
    path = tmp_path / "flash.bin"
    layout = layouts.layout_of("ESP32_GENERIC_C3")
    path.write_bytes(layouts.assemble(layout, [], {})[:0x9000].ljust(FLASH, b"\xff"))
    with Bench(
        path, chip="esp32c3", mac=mac(1), style="usb", renumber=True, software=True, boot_blank=True
    ) as board:
        first = board.url
        wire = PortWire(first, wanted, locate=lambda: board.url, folder=str(tmp_path / "state"))
        wire.identify()
        wire.held()
        wire.flash(wanted, lambda step, part: None)
        wire.burn(
            identity.parse({"product_key": PRODUCT, "device_name": "dev1", "device_secret": secret(1)}),
            None,
            False,
            lambda step, part: None,
        )
        tested = wire.self_test(wanted, None, lambda step, part: None)
        wire.close()
        assert board.url != first and wire.device == board.url
    assert tested.last("boot")["device_name"] == "dev1"
