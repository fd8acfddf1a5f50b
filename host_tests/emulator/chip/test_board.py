"""The verb `board` as a process, its console, and unmodified mpremote on it."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import serial

from tools.cli import main
from tools.emulator.chip import verb as board_verb
from tools.errors import UserError
from tools.flash.loader import Loader
from tools.flash.verbs import mip
from tools.image import flash_image, release

MPREMOTE = [sys.executable, "-m", "mpremote"]


def _mpremote(bench, *arguments):
    done = subprocess.run(
        [*MPREMOTE, "connect", bench.url, *arguments], capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, (done.stdout + done.stderr, bench.log, bench.software.board.run.lines[-20:])
    return done.stdout


@pytest.fixture
def running(bench, tmp_path):
    """A board that runs its main.py, from a flash image of `tools/image`."""
    image = flash_image.build(files={"/main.py": b"print('main runs')\n", "/mine.txt": b"mine"})
    (tmp_path / "flash.bin").write_bytes(image)
    return bench(software=True, boot_blank=True)


def test_mpremote_connects_executes_and_handles_files(running, tmp_path):
    assert _mpremote(running, "exec", "print(6 * 7)") == "42\n"
    assert _mpremote(running, "eval", "'a' * 3") == "aaa\n"
    listing = _mpremote(running, "fs", "ls")
    assert re.search(r"^ +4 mine\.txt$", listing, re.MULTILINE) and "aliot/" in listing
    assert _mpremote(running, "fs", "cat", ":mine.txt") == "mine"
    (tmp_path / "there.bin").write_bytes(os.urandom(3000))
    _mpremote(running, "fs", "cp", str(tmp_path / "there.bin"), ":there.bin")
    _mpremote(running, "fs", "cp", ":there.bin", str(tmp_path / "back.bin"))
    assert (tmp_path / "back.bin").read_bytes() == (tmp_path / "there.bin").read_bytes()


def test_what_is_typed_on_the_port_reaches_nothing_of_the_machine(running):
    """On the port of `make board`, by the console: what host_tests/emulator/board/test_sealed.py tries in a program."""
    for attack in (
        "import ffi; ffi.open(None).func('i', 'system', 's')('id')",
        "import sys, builtins; sys.modules.clear(); sys.path.clear(); del builtins.__import__; "
        "import os; os.system('id')",
        "import vfs; vfs.VfsPosix('/')",
        "import _chip",
        f"import socket; socket.socket().connect(('127.0.0.1', {running.server.port}))",
    ):
        program = f"try:\n exec({attack!r})\n print('REACHED')\nexcept Exception as error: print('refused')"
        assert _mpremote(running, "exec", program) == "refused\n", attack


def test_mpremote_resets_softly_and_hard(running):
    _mpremote(running, "exec", "import builtins; builtins.kept = 1")
    _mpremote(running, "soft-reset")
    assert (
        _mpremote(
            running,
            "exec",
            "import machine, builtins; print(machine.reset_cause(), hasattr(builtins, 'kept'))",
        )
        == "5 False\n"
    )
    before = len(running.log)
    _mpremote(running, "reset")
    assert _mpremote(running, "resume", "exec", "import machine; print(machine.reset_cause())") == "2\n"
    assert any("ended in a reset" in line for line in running.log[before:])


def test_what_mpremote_wrote_is_in_the_flash_file_and_outlives_the_power(running):
    _mpremote(running, "exec", "with open('/kept', 'w') as f: f.write('yes')")
    running.call(running.chip.power_off)
    running.call(running.chip.power_on)
    assert _mpremote(running, "fs", "cat", ":kept") == "yes"


def test_what_mip_installs_boots(bench, tmp_path):
    """A board of stock MicroPython with a file system of its own, and the package that `make mip` writes."""
    mip.write(tmp_path / "mip")
    made = flash_image.build(
        files={"/main.py": b"from aliot.device import Device\nDevice().start()\n"}, with_firmware=False
    )
    (tmp_path / "flash.bin").write_bytes(made)
    board = bench(software=True, boot_blank=True)
    output = _mpremote(board, "mip", "install", "--target", "/", str(tmp_path / "mip" / "package.json"))
    assert "Done" in output and "umqtt" not in output
    files = _mpremote(board, "fs", "ls", ":aliot/roots")
    assert "aliyun.der" in files and "globalsign_r1.der" in files
    board.call(board.chip.power_off)
    board.call(board.chip.power_on)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not _printed(board, "nothing is burned"):
        time.sleep(0.05)
    assert _printed(board, '"aliot":"boot"') and _printed(board, release.build().version)
    assert _printed(board, "nothing is burned")


def _printed(board, text):
    return any(text in line for line in board.software.board.run.lines)


def test_a_reset_by_the_lines_prints_the_rom_then_runs_main(running):
    with serial.serial_for_url(running.url, timeout=20) as port:
        port.dtr = False
        port.rts = True
        port.rts = False
        output = port.read_until(b">>> ")
        assert b"rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)" in output and b"main runs" in output
        port.write(b"print(1 +")
        port.read_until(b"print(1 +")
        port.write(b"\x03")
        port.read_until(b">>> ")
        port.write(b"2 ** 5\r\n")
        assert re.search(rb"2 \*\* 5\r\n32\r?\n", port.read_until(b">>> "))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--listen", "nowhere"],
        ["--listen", "127.0.0.1:99999"],
        ["--mac", "24:0a:c4"],
        ["--flash-size", "3"],
        ["--fault", "fire"],
        ["--fault", "stall"],
        ["--fault", "busy:3"],
        ["--cut-at", "0"],
        ["--baud-limit", "10"],
        ["--cloud", "a", "--play", "b"],
    ],
)
def test_what_is_wrong_with_its_arguments_is_one_line(tmp_path, capsys, arguments):
    assert main(["board", "--flash", str(tmp_path / "flash.bin"), *arguments]) == 1
    output = capsys.readouterr()
    assert output.out == "" and re.fullmatch(r"error: [^\n]+\n", output.err)


def test_a_port_in_use_and_a_file_that_is_no_flash_are_one_line(bench, tmp_path, capsys):
    taken = bench()
    assert (
        main(["board", "--flash", str(tmp_path / "other.bin"), "--listen", f"127.0.0.1:{taken.server.port}"])
        == 1
    )
    assert "cannot listen on 127.0.0.1" in capsys.readouterr().err
    (tmp_path / "short").write_bytes(b"short")
    assert main(["board", "--flash", str(tmp_path / "short"), "--listen", "127.0.0.1:0"]) == 1
    assert "has 5 bytes" in capsys.readouterr().err


@pytest.fixture
def verb(tmp_path):
    """Starts `python -m tools board ... --json`; gives (process, url)."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tools",
                "board",
                "--flash",
                str(tmp_path / "verb.bin"),
                "--listen",
                "127.0.0.1:0",
                "--json",
                *arguments,
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process, json.loads(process.stdout.readline())["url"]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_verb_serves_until_it_is_told_to_stop(verb, tmp_path):
    process, url = verb(
        "--chip", "esp32c3", "--mac", "7c:df:a1:00:00:02", "--efuses", str(tmp_path / "efuses")
    )
    done = subprocess.run(
        [sys.executable, "-m", "esptool", "--port", url, "--no-stub", "read-mac"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0 and "7c:df:a1:00:00:02" in done.stdout and "ESP32-C3" in done.stdout
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert (tmp_path / "verb.bin").stat().st_size == 4 << 20 and (tmp_path / "efuses").stat().st_size == 512


def test_boards_take_free_ports_and_play_anywhere_with_secrets_that_only_the_owner_reads(tmp_path):
    """Without --listen, from another folder than the checkout's, with a relative --play."""
    where = Path(board_verb.__file__).resolve().parents[3]
    command = [sys.executable, "-m", "tools", "board", "--json", "--flash"]
    boards = [
        subprocess.Popen(
            [*command, name, "--play", f"there/{name}"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(where)},
        )
        for name in ("one", "two")
    ]
    try:
        output = [[json.loads(board.stdout.readline()) for _ in range(3)] for board in boards]
        urls = {lines[0]["url"] for lines in output}
        assert len(urls) == 2 and all(url.startswith("rfc2217://127.0.0.1:") for url in urls)
        assert "ROOT=there/one/cloud/ca.der CERT=there/one/cert.json" in output[0][2]["hint"]
        folder = tmp_path / "there" / "one"
        private = ["cert.json", "config.json", "cloud/cloud.toml", "cloud/state.sqlite"]
        assert [stat.S_IMODE((folder / name).stat().st_mode) for name in private] == [0o600] * len(private)
    finally:
        for board in boards:
            board.kill()
            board.wait()
            board.stdout.close()


def test_the_verb_gives_the_board_a_chip_s_memory(verb, tmp_path):
    """162 KB are free for Python on a chip that has just booted: what growth may add is counted."""
    (tmp_path / "verb.bin").write_bytes(flash_image.build(with_firmware=False))
    process, url = verb("--boot-blank", "--memory")
    done = subprocess.run(
        [*MPREMOTE, "connect", url, "exec", "import gc; gc.collect(); print(gc.mem_free())"],
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0 and 150 < int(done.stdout) / 1024 < 170, done.stdout + done.stderr


def test_the_verb_ends_when_power_is_cut(verb):
    process, url = verb("--cut-at", "3")
    with pytest.raises(UserError, match="went away"), Loader(url) as loader:
        loader.start()
        loader.write(0x10000, b"d" * 20000)
    assert process.wait(20) == 3
    assert '"cut"' in process.stdout.read()
