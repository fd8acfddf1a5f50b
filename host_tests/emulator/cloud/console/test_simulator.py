"""The simulator: boards of each kind as processes, what their page does to them, and what keeps their secrets."""

import json
import os
import re
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from host_tests.support.cloud.client import DN, DS, PK, PS, settings
from tools.emulator.cloud.console.simulator import boards

XPK, IPK, GPK, SPK = "a1X509Simul", "a1Id2Simula", "a1GateSimul", "a1SubSimula"
CLOUD = settings(name="Lamp")
CLOUD["product"] += [
    {"product_key": XPK, "auth": "x509"},
    {"product_key": IPK, "auth": "id2"},
    {"product_key": GPK, "node": "gateway"},
    {
        "product_key": SPK,
        "node": "subdevice",
        "dynamic_registration": True,
        "device": [{"device_name": "sub-1"}],
    },
]
WAIT = 60


class Fake:
    """A process of a board that does nothing."""

    def __init__(self):
        self.stdin, self.sent, self.closed = self, [], False

    def write(self, data):
        self.sent.append(json.loads(data))

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True


@pytest.fixture
def started(cloud, monkeypatch):
    """The boards that were started, without a process: [(command, {file: text})]."""
    found = []

    async def start(*command, **options):
        folder = Path(command[command.index("--cert") + 1]).parent
        paths = [path for path in folder.rglob("*") if path.is_file()]
        found.append((command, {str(path.relative_to(folder)): path.read_bytes() for path in paths}))
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in paths)
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
        return Fake()

    async def follow(board):
        pass

    monkeypatch.setattr(boards.asyncio, "create_subprocess_exec", start)
    monkeypatch.setattr(boards.Board, "follow", follow)
    yield found
    cloud.call(cloud.server.console.simulator.stop())


def identity(started):
    return json.loads(started[-1][1]["cert.json"])


ROWS = [  # (form, what the identity has)
    ({"product": PK, "device_name": DN}, {"device_secret": DS, "auth": "mqtt"}),
    ({"product": PK, "kind": "https"}, {"method": "https", "product_secret": PS, "instance": "iot-test01"}),
    ({"product": PK, "kind": "mqtt", "device_name": DN}, {"method": "mqtt", "device_name": DN}),
    (
        {"product": PK, "kind": "regnwl", "device_name": "free-1"},
        {"method": "regnwl", "device_name": "free-1"},
    ),
    ({"product": XPK, "device_name": "meter-1", "create": "1"}, {"certificate": "board.cer"}),
    ({"product": IPK}, {"way": "id2", "host": "iot-test01.itls.cn-shanghai.aliyuncs.com"}),
    ({"product": IPK, "kind": "id2_token"}, {"way": "id2"}),
    ({"product": GPK, "subdevices": SPK + " sub-1", "create": "1"}, {"sub_products": [{"product_key": SPK}]}),
    ({"product": PK, "device_name": DN, "auth": "https", "bootstrap": "region"}, {"bootstrap": "region"}),
]


@pytest.mark.parametrize(("form", "wanted"), ROWS)
def test_a_board_of_each_kind_gets_its_identity_by_a_file(visitor, started, form, wanted):
    page = visitor.post("/simulator/start", **form)
    assert re.fullmatch(r"Board \d+ starts: .*", page.notices[0])
    found = identity(started)
    assert wanted.items() <= found.items()
    secrets = [value for name, value in found.items() if "secret" in name or name == "id2_key"]
    assert not any(value in " ".join(map(str, started[-1][0])) for value in secrets)
    assert not any(value in page.html for value in secrets)


def test_a_gateway_has_its_application_and_the_list_of_its_subdevices(visitor, started):
    visitor.post("/simulator/start", product=GPK, subdevices=SPK + " sub-1", create="1")
    command, files = started[-1]
    assert files["app/subdevices.txt"] == f"{SPK} sub-1\n".encode()
    assert b"Gateway(device)" in files["app/main.py"]
    assert str(command[command.index("--files") + 1]).endswith("/app")


REFUSED = [
    ({"product": "none"}, "There is no product none."),
    ({"product": SPK}, "A sub-device has no board of its own here"),
    ({"product": PK, "kind": "x509"}, "authenticates in another way"),
    ({"product": PK, "device_name": "x"}, "must be 4 to 32 characters"),
    ({"product": PK, "device_name": "unknown-1"}, "There is no device unknown-1"),
    ({"product": PK, "device_name": DN, "region": "us-west-1"}, "us-west-1 cannot be chosen"),
    ({"product": PK, "device_name": DN, "bootstrap": "moon"}, "moon cannot be chosen"),
    ({"product": IPK, "id2": "x"}, "An ID² has 24 hex digits."),
    ({"product": IPK, "id2": "A" * 24}, "no identity " + "A" * 24),
]


@pytest.mark.parametrize(("form", "sentence"), REFUSED)
def test_what_no_board_can_be_made_of_is_a_sentence(visitor, started, form, sentence):
    assert sentence in visitor.post("/simulator/start", **form).notices[0]
    assert not started


def test_a_certificate_needs_its_key(visitor, started):
    files = {"certificate": ("a.cer", b"x"), "private_key": ("", b"")}
    page = visitor.post("/simulator/start", product=XPK, device_name="meter-1", create="1", files=files)
    assert page.notices == ["A certificate and its private key go together."]


def test_an_empty_line_in_a_list_of_subdevices_is_none(visitor, started):
    visitor.post("/simulator/start", product=GPK, subdevices=f"{SPK} sub-1\r\n   \r\n{SPK} sub-2", create="1")
    assert identity(started)["sub_products"] == [{"product_key": SPK}]


def test_there_is_an_end_of_boards_that_are_asked_for_at_once(cloud, visitor, started, monkeypatch):
    """Somebody who clicks again while boards are on their way gets no more of them."""
    with ThreadPoolExecutor(boards.BOARDS_MAX + 4) as pool:
        answers = pool.map(
            lambda _: visitor.send("/simulator/start", product=XPK, create="1"), range(boards.BOARDS_MAX + 4)
        )
    assert {answer.status for answer in answers} == {303}
    assert len(cloud.server.console.simulator.boards) <= boards.BOARDS_MAX
    visitor.get("/simulator")


def test_there_is_an_end_of_boards(visitor, started):
    for _ in range(boards.BOARDS_MAX):
        visitor.post("/simulator/start", product=IPK)
    assert "boards at once are enough" in visitor.post("/simulator/start", product=IPK).notices[0]


def test_power_wifi_and_typing_reach_the_board(cloud, visitor, started):
    page = visitor.post("/simulator/start", product=PK, device_name=DN)
    number = re.search(r"Board (\d+) starts", page.notices[0])[1]
    board, at = cloud.server.console.simulator.boards[number], f"/simulator/{number}"
    for line in (b'{"ready": "on pipes"}', b'{"power": true}'):
        board.take(line)
    assert visitor.post(at + "/power", on="0").notices == ["The power was cut, without warning."]
    assert visitor.post(at + "/wifi", on="0").notices == ["The access point is out of reach."]
    assert visitor.post(at + "/type", line="x").notices == ["The console is read only: allow typing first."]
    visitor.post(at + "/typing", on="1")
    assert visitor.post(at + "/type", line="print(1)").notices == ["Typed."]
    visitor.post(at + "/type", special="interrupt")
    sent = [{"power": False}, {"wifi": False}, {"type": "print(1)\r"}, {"type": "\x03"}]
    assert board.process.sent == sent
    visitor.post(at + "/remove")
    assert not board.folder.exists()
    assert visitor.get(at).status == 404


def test_what_a_board_prints_is_text_and_has_an_end(cloud, visitor, started):
    page = visitor.post("/simulator/start", product=PK, device_name=DN)
    number = re.search(r"Board (\d+) starts", page.notices[0])[1]
    board = cloud.server.console.simulator.boards[number]
    printed = "<script>alert(1)</script>\r\n" + '{"aliot":"connected","port":1}\r\n' + "half"
    board.take(json.dumps({"console": printed}).encode())
    page = visitor.get(f"/simulator/{number}")
    assert "&lt;script&gt;alert(1)" in page.html
    assert ("script", {}) not in page.parsed.tags
    assert "Last state connected" in page.text
    board.take(json.dumps({"console": "x" * 5000 + "\n" + "line\n" * 1000}).encode())
    assert len(board.console()) < boards.LINES * (boards.LINE_CHARACTERS + 1)
    board.take(b"error: cannot read cert.json")
    assert "error: cannot read cert.json" in visitor.get(f"/simulator/{number}").text


@pytest.mark.parametrize("line", [b"null", b"5", b"[" * 30_000, b'"x"', b"\xff"])
def test_a_line_that_is_no_event_is_why_a_board_failed(cloud, visitor, started, line):
    page = visitor.post("/simulator/start", product=PK, device_name=DN)
    number = re.search(r"Board (\d+) starts", page.notices[0])[1]
    board = cloud.server.console.simulator.boards[number]
    board.take(json.dumps({"console": '{"aliot":' + "[" * 30_000 + "\n"}).encode())
    assert board.state == {} and not board.failed
    board.take(line)
    assert board.failed and board.status == "failed"
    assert visitor.get(f"/simulator/{number}").status == 200


def of_process(process, name):
    """A file of /proc of a process."""
    return Path(f"/proc/{process.pid}/{name}").read_bytes()


def test_a_real_board_connects_and_ends_with_the_cloud_s_page(cloud, visitor):
    page = visitor.post("/simulator/start", product=PK, device_name=DN)
    number = re.search(r"Board (\d+) starts", page.notices[0])[1]
    board = cloud.server.console.simulator.boards[number]
    limit = time.monotonic() + WAIT
    while cloud.device()["status"] != "online":
        assert time.monotonic() < limit, board.console() + board.failed
        time.sleep(0.05)  # a board in another process has no event to wait for
    process = board.process
    assert DS.encode() not in of_process(process, "cmdline") + of_process(process, "environ")
    visitor.post(f"/simulator/{number}/remove")
    assert not os.path.exists(f"/proc/{process.pid}") or b"Z" in of_process(process, "stat")
    assert not board.folder.exists()
