"""The machine: its command line, what is no QEMU, and a console and a monitor that a program plays."""

import shlex
import time

import pytest

from tools.errors import UserError
from tools.qemu import machine as qemu_machine
from tools.qemu.machine import MachineError

COMMAND = """
qemu -machine esp32 -display none -monitor none
-drive file=flash.bin,if=mtd,format=raw
-drive file=efuses.bin,if=none,format=raw,id=efuse -global driver=nvram.esp32.efuse,property=drive,value=efuse
-global driver=timer.esp32.timg,property=wdt_disable,value=true
-nic user,model=esp32_wifi,id=wifi
-chardev socket,id=console,path=console,server=on,wait=on -serial chardev:console
-qmp unix:monitor,server=on,wait=off
-accel tcg -L 'a folder'
"""
STATE = '{"aliot":"offline","code":"timeout","detail":"TLS handshake"}'


def test_the_command_line_has_documented_options_only():
    assert qemu_machine.command("qemu", "-accel tcg -L 'a folder'") == shlex.split(COMMAND)


def test_efuses_hold_the_mac_and_its_crc():
    burned = qemu_machine.efuses("240ac4000001")
    # the four blocks' registers; what espefuse shows as BLOCK0 of such a chip begins 00000000 c4000001 00XX240a
    assert len(burned) == 4 * (7 + 3 * 8)
    assert burned[4:10] == bytes.fromhex("010000c40a24")
    assert burned[10] == _crc8(bytes.fromhex("240ac4000001"))


def _crc8(data):
    """CRC-8/MAXIM by its definition, bit by bit."""
    value = 0
    for bit in (byte >> place & 1 for byte in data for place in range(8)):
        value = value >> 1 ^ (0x8C if (value ^ bit) & 1 else 0)
    return value


def test_a_board_s_folder_may_lie_deeper_than_a_socket_s_path_is_long(machine, tmp_path, monkeypatch):
    deep = tmp_path / ("deep" * 40)
    monkeypatch.setattr(qemu_machine, "START_SECONDS", 10)
    board = machine("ets Jun  8 2016", folder=deep)
    board.power_on()
    assert board.wait(lambda line: "ets" in line.text, 20)


@pytest.mark.parametrize(
    "program, message",
    [
        (
            None,
            "there is no '.*': --qemu is the path of a qemu-system-xtensa that emulates the ESP32 with Wi-Fi",
        ),
        ("#!/bin/sh\necho hello", "is not a QEMU: it says 'hello' to --version"),
        ("#!/bin/sh\n", "is not a QEMU: it says 'nothing' to --version"),
        ("#!/no/such/shell\n", "does not run: No such file or directory"),
        ("#!/bin/sh\necho QEMU emulator version 9.9\n", "has no machine 'esp32'"),
    ],
)
def test_what_is_no_such_qemu_is_refused_in_one_line(tmp_path, program, message):
    path = tmp_path / "program"
    if program is not None:
        path.write_text(program)
        path.chmod(0o755)
    with pytest.raises(UserError, match=message) as raised:
        qemu_machine.check(path)
    assert "\n" not in str(raised.value)


def test_a_file_that_may_not_run_is_refused(tmp_path):
    (tmp_path / "text").write_text("x")
    with pytest.raises(UserError, match="does not run: "):
        qemu_machine.check(tmp_path / "text")


def test_a_qemu_says_its_version(qemu):
    assert qemu_machine.check(qemu) == "QEMU emulator version 0.0.0"


def test_lines_are_read_in_order_and_states_are_found(machine):
    board = machine("ets Jul 29 2019", "", '{"app": "posted"}', STATE, '{"aliot":"connected"}', "[1, 2]")
    board.power_on()
    trouble = board.wait(lambda line: line.trouble, 10)
    assert trouble.trouble == "timeout" and 0 <= trouble.seconds <= board.seconds
    assert board.wait_state("boot", "connected", timeout=10).is_state == "connected"
    board.wait(lambda line: line.text == "[1, 2]", 10)
    assert [line.is_state for line in board.lines] == [None, None, None, "offline", "connected", None]
    assert (board.folder / "console.log").read_bytes().startswith(b"ets Jul 29 2019\r\n")


def test_what_does_not_come_is_said_with_the_last_line_in_short(machine):
    board = machine(STATE, "")
    board.power_on()
    board.wait(lambda line: not line.text, 10)
    with pytest.raises(
        MachineError, match="^not within 0.1 s; the last line: offline timeout TLS handshake$"
    ):
        board.wait_state("connected", timeout=0.1)


def test_a_qemu_that_ends_says_why(machine):
    board = machine("first", "END")
    with pytest.raises((MachineError, UserError), match="fake: nothing more to play"):
        board.power_on()
        board.wait_state("connected", timeout=10)


def test_a_qemu_that_does_not_start_says_why(machine, qemu):
    board = machine()
    qemu.write_text("#!/bin/sh\necho 'unsupported NIC model: esp32_wifi' >&2\nexit 1\n")
    with pytest.raises(UserError, match="^QEMU does not start: unsupported NIC model: esp32_wifi$"):
        board.power_on()


def test_power_can_go_and_come_back(machine):
    board = machine("one")
    for _ in range(2):
        board.power_on()
        board.wait(lambda line: line.text == "one", 10)
        assert len(board.lines) == 1
        began = time.monotonic()
        board.power_off()
        assert time.monotonic() - began < 5
    assert (board.folder / "flash.bin").stat().st_size == 16


def test_the_access_point_is_moved_by_the_monitor(machine):
    board = machine("on")
    board.power_on()
    board.link(False)
    board.link(True)
    board.wait(lambda line: line.text == "link up", 10)
    assert [line.text for line in board.lines] == ["on", "link down", "link up"]
    with pytest.raises(MachineError, match="^query-nothing: The command query-nothing has not been found$"):
        board.monitor("query-nothing")
