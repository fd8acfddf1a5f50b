"""What application.md calls "Each step by hand" does what it says, on what `make board FILES=` starts."""

import argparse
import json
import re
import shlex
import urllib.request
from contextlib import ExitStack

import pytest

from host_tests.support.fleet import MICROPYTHON, until
from host_tests.support.paths import ROOT, make
from tools.emulator.board.boot import MAC
from tools.emulator.chip import companion_cloud, verb
from tools.firmware import FOLDER
from tools.image import application, flash_image
from tools.image.identity import parse

TEXT = (ROOT / "firmware/guides/application.md").read_text("utf-8")
SECTION = TEXT.partition("\n### Each step by hand\n")[2].partition("\n## ")[0]
LINES = re.findall(r"^cloud (.*)$", SECTION, re.M)
EXAMPLE = FOLDER / "examples/thermostat"


class Hand:
    """A person's shell: `line(text)` is what the line of the guide that has that text answers."""

    def __init__(self, play):
        ready = json.loads((play.cloud / "ready.json").read_text())
        self.cloud = f"http://127.0.0.1:{ready['ports']['admin']}/"
        self.headers = {"Authorization": f"Bearer {ready['admin_token']}"}
        self.names = {
            "PK": json.loads(play.cert.read_text())["product_key"],
            "DN": MAC.replace(":", ""),
        }

    def line(self, text):
        [line] = [one for one in LINES if text in one]
        words = shlex.split(line, comments=True)
        words = [re.sub(r"\$(\w+)", lambda name: self.names[name[1]], word) for word in words]
        data = words[2].encode() if len(words) > 1 else None
        request = urllib.request.Request(self.cloud + words[0], data, self.headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    @property
    def values(self):
        return self.line("values")["properties"]


def of_make_board():
    """The arguments of `make board FILES=`."""
    _, commands, _ = make("board", f"FILES={EXAMPLE}")
    [command] = [line for line in commands.replace("\\\n", "").splitlines() if " -m tools board " in line]
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    return parser.parse_args(shlex.split(command)[4:])


@pytest.fixture
def started(board, tmp_path):
    """(the board, online with the example, and a Hand)."""
    args = of_make_board()
    with ExitStack() as stack:
        play = stack.enter_context(companion_cloud.open_at(tmp_path / "play", MAC, EXAMPLE, args.console))
        image = flash_image.build(
            identity=parse(json.loads(play.cert.read_text())),
            roots=[play.root],
            config=json.loads(play.config.read_text()),
            files=application.read(EXAMPLE).compiled(),
        )
        made = board(image, mac=MAC, cloud=play.cloud, sealed=True, memory=args.memory, heap=args.heap)
        made.access_point("emulated")
        made.start()
        stack.callback(made.power_off)
        made.wait_for("connected", timeout=60)
        yield made, Hand(play)


@MICROPYTHON
def test_a_reader_does_each_step(started):
    board, hand = started
    until(board, lambda: hand.values == {"Temperature": 19, "Target": 20, "Heating": 1})
    assert hand.line("/property -d")["reply"]["code"] == 200
    until(board, lambda: hand.values["Target"] == 21)
    assert hand.line("/service/Boost")["reply"]["data"] == {"accepted": 1}
    until(board, lambda: hand.values["Target"] == 22)
    hand.line("faults -d")
    hand.line("/kick")
    board.wait_for("offline")
    hand.line("SetDeviceDesiredProperty")
    assert hand.values["Target"] == 22
    board.wait_for("connected", timeout=60)
    until(board, lambda: hand.values == {"Temperature": 19, "Target": 16, "Heating": 0})
    topics = [one["topic"] for one in hand.line("server_messages")]
    assert any(topic.endswith("/thing/downlink/reply/message") for topic in topics)
