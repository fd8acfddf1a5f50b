"""The examples run on an emulated board, from its flash, against the emulated cloud."""

import contextlib
import json
import time
import urllib.request

import pytest

from host_tests.support.fleet import Fleet, until
from host_tests.support.paths import ROOT
from tools.emulator.board.boot import MAC
from tools.emulator.chip import companion_cloud
from tools.firmware import FOLDER
from tools.image import flash_image
from tools.image.identity import parse

KEY, NAME, SECRET = "a1EXAMPLE01", "example_1", "0123456789abcdef0123456789abcdef"
GATE_KEY, SUB_KEY = "a1EXAMPLEGW", "a1EXAMPLESB"
FLEET = Fleet
CLOUD = {
    "instance": {"kind": "enterprise", "id": "iot-06z00abc", "region": "cn-shanghai"},
    "product": [
        {
            "product_key": KEY,
            "product_secret": "ProductSecret016",
            "auth": "secret",
            "node": "direct",
            "device": [{"device_name": NAME, "device_secret": SECRET}],
        },
        {
            "product_key": GATE_KEY,
            "node": "gateway",
            "device": [{"device_name": NAME, "device_secret": SECRET}],
        },
        {
            "product_key": SUB_KEY,
            "node": "subdevice",
            "dynamic_registration": True,
            "device": [{"device_name": "probe-1"}, {"device_name": "probe-2"}, {"device_name": "probe-3"}],
        },
    ],
}


@pytest.fixture
def run(fleet):
    """Starts a board with an example as its /main.py."""

    def start(example, key=KEY, config=None, files=None):
        burned = {"product_key": key, "device_name": NAME, "device_secret": SECRET}
        program = (FOLDER / "examples" / example).read_text()
        config = {"ssid": "home", "password": "12345678", **(config or {})}
        image = fleet.image(fleet.loaded(burned), program, files, config=config)
        board = fleet.add(image, key, NAME, heap="112K")
        board.start()
        return board

    return start


def printed(board, text):
    """Wait until the board's console shows `text`, or has shown it."""
    if not any(text in line for line in board.run.lines):
        board.wait_line(text, timeout=30)


# what a platform, or a person at its console, may send to any topic
POISON = {
    "no JSON": b"not json",
    "no id": b'{"params":{}}',
    "no params": b'{"id":"1"}',
    "no text": b"\xff\x00\xfe",
    "empty": b"",
    "null": b"null",
    "a list": b"[]",
    "a number": b"5",
    "a text": b'"text"',
    "wrong types": b'{"id":{},"params":[["Switch",{}]]}',
    "a text as params": b'{"id":"1","params":"Switch"}',
    "another property": b'{"id":"1","params":{"Other":1}}',
    "an object as a property": b'{"id":"1","params":{"Switch":{"a":[]}}}',
    "a terminal's orders": b'{"id":"\\u001b[2J","params":{"\\u001b]0;x\\u0007":"\x7f"}}',
    "brackets": b"[" * 1500,
    "deep": b'{"id":"1","params":{"Other":' + b"[" * 200 + b"]" * 200 + b"}}",
    "long": b'{"id":"1","params":{"Switch":"' + b"x" * 8000 + b'"}}',
    "longer than a board keeps": b"x" * 20000,
}
SET, GET = "/sys/{}/{}/thing/service/property/set", "/{}/{}/user/get"
ECHO, POST = "/sys/{}/{}/thing/service/echo", "/sys/{}/{}/thing/event/property/post"
ASKED = {"id": "%s", "version": "1.0", "params": {"Switch": 1, "Interval": 60}}
# program: topics that it hears; {topic of a good message: where it answers}
SHIPPED = {
    "main.py": ([SET, POST + "_reply"], {SET: SET + "_reply"}),
    "examples/minimal.py": ([GET], {GET: "/{}/{}/user/update"}),
    "examples/commands.py": ([SET, ECHO], {SET: SET + "_reply", ECHO: ECHO + "_reply"}),
    "examples/with_asyncio.py": ([], {}),
}
# page -> what its first example publishes and prints when it gets "first"
PAGES = {"firmware/README.md": ("hello", "b'first'"), "README.md": ("first", "")}


class Shipped:
    """A board as `make board` makes it (an open network, a board that registers), with a program as its /main.py."""

    def __init__(self, play, program, board):
        self.play, self.program, self.board = play, program, board
        self.names = json.loads(play.cert.read_text())["product_key"], board.mac.replace(":", "")
        self.ports = json.loads((play.cloud / "ready.json").read_text())["ports"]

    def admin(self, path, values=None):
        data = None if values is None else json.dumps(values).encode()
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.ports['admin']}{path}", data, timeout=30
        ) as answer:
            return json.load(answer)

    def send(self, topic, payload):
        """Send a message of QoS 1 down; True where the board has subscribed."""
        values = {"topic": topic.format(*self.names), "payload_hex": payload.hex(), "qos": 1}
        return self.admin("/publish", values)["sent"] == 1

    def published(self, topic, text):
        """Wait until the board has published `text` to `topic`."""
        path = "/messages?direction=up&topic=" + topic.format(*self.names)
        until(self.board, lambda: any(text in message.get("payload", "") for message in self.admin(path)))

    def states(self, *names):
        return [state for state in self.board.run.states if state["aliot"] in names]

    def unacknowledged(self):
        device = self.admin("/devices/%s/%s" % self.names)
        return [session["unacknowledged"] for session in device["sessions"]]

    def answers(self, number):
        """Send a good message to each topic that is answered, and wait for the answers."""
        for topic, answer in SHIPPED[self.program][1].items():
            good = json.dumps(ASKED) % number
            assert self.send(topic, good.encode())
            self.published(answer, f'"{number}"')


@pytest.fixture
def ship(board, tmp_path):
    with contextlib.ExitStack() as stack:

        def start(program):
            play = stack.enter_context(companion_cloud.open_at(tmp_path / "play", MAC))
            image = flash_image.build(
                identity=parse(json.loads(play.cert.read_text())),
                roots=[play.root],
                config=json.loads(play.config.read_text()),
                files={"/main.py": source(program)},
            )
            made = board(image, mac=MAC, cloud=play.cloud)
            made.access_point("emulated")
            made.start()
            stack.callback(made.power_off)
            made.wait_for("connected", timeout=30)
            return Shipped(play, program, made)

        yield start


def source(program):
    """The bytes of a program of firmware/, or of a page's first example."""
    if program in PAGES:
        return (ROOT / program).read_text("utf-8").partition("```python\n")[2].partition("```")[0].encode()
    return (FOLDER / program).read_bytes()


def test_every_program_is_here():
    found = {
        str(path.relative_to(FOLDER)) for path in [FOLDER / "main.py", *(FOLDER / "examples").glob("*.py")]
    }
    # the demo, which host_tests/demo plays, has the thermostat of thing.py and the device of updates.py
    assert found == {*SHIPPED, "examples/gateway.py", "examples/thing.py", "examples/updates.py"}


@pytest.mark.parametrize("program", SHIPPED)
def test_as_shipped_on_the_board_that_make_board_makes(ship, program):
    shipped = ship(program)
    shipped.answers("first")
    texts = {
        "main.py": ['"app": "posted"', '"app": "acknowledged", "code": 200'],
        "examples/minimal.py": ["sent", "got b'"],
        "examples/commands.py": [
            '"app": "set", "state": {"Switch": 1}',
            '"app": "called", "service": "echo"',
        ],
        "examples/with_asyncio.py": ['"app": "posted"', '"app": "blinked"'],
    }
    for text in texts[program]:
        printed(shipped.board, text)
    assert not shipped.states("error", "refused", "offline")


@pytest.mark.parametrize("page", PAGES)
def test_the_first_example_of_a_page(ship, page):
    shipped = ship(page)
    assert shipped.send(GET, b"first")
    shipped.published("/{}/{}/user/update", PAGES[page][0])
    printed(shipped.board, PAGES[page][1])
    assert not shipped.states("error", "refused", "offline")


@pytest.mark.parametrize("program", SHIPPED)
def test_any_payload_costs_a_line_at_most(ship, program):
    shipped = ship(program)
    sent = 0
    for what, payload in POISON.items():
        for topic in SHIPPED[program][0]:
            assert shipped.send(topic, payload)
            shipped.answers(f"{what}, {topic}")
            sent += 1
            assert len(shipped.states("error")) <= sent, shipped.board.run.lines
    short = {"aliot": "error", "code": "handler"}  # where a large payload left no memory to say more
    large = sum(len(payload) > 1000 for payload in POISON.values()) * len(SHIPPED[program][0])
    errors = shipped.states("error")
    starved = [error for error in errors if error.get("detail", "MemoryError")[:11] == "MemoryError"]
    assert len(starved) <= large  # wherever they left none
    for error in [error for error in errors if error != short]:
        assert error["code"] == "handler" and error["advice"] and error["topic"].startswith("/")
        if (
            not shipped.board.interpreter and error not in starved
        ):  # CPython's json is in Python, and a place of its own
            assert error["place"].startswith('File "/main.py", line') and ", in " in error["place"]
    if SHIPPED[program][0]:
        # what a handler has answered it acknowledges when it ends
        until(shipped.board, lambda: shipped.unacknowledged() == [0])
    assert len(shipped.states("connected")) == 1 and not shipped.states("offline", "refused")
    assert all(line.isprintable() and line.isascii() for line in shipped.board.run.lines)
    if "json.loads" in (FOLDER / program).read_text():
        assert shipped.states("error")  # "no JSON" is one


def test_tasks_go_on_whatever_is_sent_to_topics_that_nobody_subscribed(ship):
    shipped = ship("examples/with_asyncio.py")
    for payload in POISON.values():
        assert not shipped.send(SET, payload)
    count = len(shipped.admin("/messages?direction=up"))
    until(shipped.board, lambda: len(shipped.admin("/messages?direction=up")) > count)
    assert not shipped.states("error", "offline")


def test_gateway(run, cloud):
    names = "# three of them\n" + "".join(f"{SUB_KEY} {name}\n" for name in ("probe-1", "probe-2", "unknown"))
    board = run("gateway.py", GATE_KEY, {"spread": 0}, {"/subdevices.txt": names.encode()})
    board.wait_for("connected", timeout=30)
    printed(board, '"posted", "subdevice": "probe-2"')
    assert any(
        '"subdevice": "unknown"' in line and "6100" in line and "exactly this DeviceName" in line
        for line in board.run.lines
    )
    cloud.admin("POST", f"/devices/{SUB_KEY}/probe-1/property", {"params": {"Switch": 1}})
    printed(board, '"app": "set"')
    notify = {"subdevices": [{"product_key": SUB_KEY, "device_name": "probe-3"}]}
    cloud.admin("POST", f"/devices/{GATE_KEY}/{NAME}/notify", notify)
    until(board, lambda: cloud.device(SUB_KEY, "probe-3")["status"] == "online")


def test_gateway_without_its_file_of_names(run):
    board = run("gateway.py", GATE_KEY, {"spread": 0})
    board.wait_for("connected", timeout=30)
    printed(board, '"gateway.names"')
    time.sleep(2)  # some rounds of the example, in which it must not be said again
    failed = [line for line in board.run.lines if '"gateway.names"' in line]
    assert len(failed) == 1 and "correct the file of names" in failed[0]
