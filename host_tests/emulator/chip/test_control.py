"""A board that another program holds on pipes, and its flash out of an identity."""

import json
import stat
import subprocess
import sys

import pytest

from tools.cli import main
from tools.image import flash_image

IDENTITY = {"product_key": "a1TESTpk001", "device_name": "dev_0001", "device_secret": "S3cret" * 5 + "ab"}
MAIN = b"""import network, sys
wlan = network.WLAN(network.STA_IF)
wlan.active(True)
while True:
    word = sys.stdin.readline().strip()
    if word == "join":
        wlan.connect("emulated", "")
        while wlan.status() == network.STAT_CONNECTING:
            pass
    print(word, wlan.isconnected())
"""


class Held:
    """A board on pipes."""

    def __init__(self, folder, *arguments):
        command = [sys.executable, "-m", "tools", "board", "--control", "--boot-blank"]
        self.process = subprocess.Popen(
            [*command, "--flash", str(folder / "flash.bin"), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def send(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def until(self, kind, text):
        """Reads up to the event `kind` that has `text` in it."""
        read = ""
        for line in self.process.stdout:
            event = json.loads(line)
            read += str(event.get(kind, ""))
            if text in read:
                return event
        raise AssertionError(read)

    def ask(self, word):
        self.send(type=word + "\n")


@pytest.fixture
def held(tmp_path):
    (tmp_path / "flash.bin").write_bytes(flash_image.build(files={"/main.py": MAIN}, with_firmware=False))
    board = Held(tmp_path)
    yield board
    board.process.stdin.close()
    board.process.stdout.read()
    assert board.process.wait(20) == 0


def test_power_and_what_is_typed(held):
    held.until("power", "True")
    held.ask("hello")
    held.until("console", "hello False")
    held.send(power=False)
    held.until("power", "False")
    held.ask("lost")
    held.send(power=True)
    held.until("console", "POWERON_RESET")
    held.send(reset=True)
    held.until("power", "True")
    held.ask("again")
    held.until("console", "again False")


def test_wifi_goes_and_comes(held):
    held.ask("join")
    held.until("console", "join True")
    held.send(wifi=False)
    held.ask("gone")
    held.until("console", "gone False")
    held.send(wifi=True)
    held.ask("join")
    held.until("console", "join True")


def test_a_line_that_is_no_command_is_answered_and_no_more(held):
    for line in ("", "x", "[]", "{}", '{"power": 1}', '{"type": true}', '{"other": true}'):
        held.process.stdin.write(line + "\n")
        held.process.stdin.flush()
        held.until("error", "no command" if "power" not in line and "type" not in line else " takes a JSON ")
    held.ask("hello")
    held.until("console", "hello False")


def test_a_new_flash_has_identity_and_application_and_is_private(tmp_path):
    (tmp_path / "cert.json").write_text(json.dumps(IDENTITY))
    (tmp_path / "config.json").write_text('{"ssid": "net-1"}')
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text("print('the application')\n")
    paths = {"--cert": "cert.json", "--config": "config.json", "--files": "app"}
    board = Held(tmp_path, *(word for name, path in paths.items() for word in (name, str(tmp_path / path))))
    board.until("console", "the application")
    board.process.stdin.close()
    shown = board.process.stdout.read()
    assert board.process.wait(20) == 0
    flash = tmp_path / "flash.bin"
    assert stat.S_IMODE(flash.stat().st_mode) == 0o600
    assert IDENTITY["device_secret"].encode() in flash.read_bytes()
    assert IDENTITY["device_secret"] not in shown


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--config", "c.json"], "say --cert"),
        (["--ota-key", "k.pub"], "say --cert"),
        (["--control", "--play", "there"], "leave --listen and --play out"),
        (["--control", "--listen", "127.0.0.1:0"], "leave --listen and --play out"),
        (["--cert", "missing.json"], "missing.json"),
        (["--console"], "--play"),
    ],
)
def test_what_does_not_go_together_is_one_line(tmp_path, capsys, arguments, message):
    assert main(["board", "--flash", str(tmp_path / "flash.bin"), *arguments]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert message in output.err
