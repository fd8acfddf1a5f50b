"""Fixtures for an application's tests: `cloud`, an emulated cloud, and `board`, an emulated board that runs it.

    def test_it_posts_and_acts(cloud, board):
        board.wait_for("connected")
        assert cloud.wait_for("thing/event/property/post").json()["params"] == {"Switch": 0}
        cloud.set_properties({"Switch": 1})
        assert cloud.wait_for("thing/service/property/set_reply").json()["code"] == 200

A plugin of pytest, which `python -m tools test DIR` hands over. The application is what lies in pytest's root
folder. When a test fails, its report ends with the board's console.
"""

import json
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tools.emulator.board.boot import RELEASES, Board, BoardError
from tools.emulator.cloud.process import Cloud, CloudError
from tools.errors import UserError
from tools.flash import file_list, leaks
from tools.image import application, config, flash_image, identity, release, tsl

SECONDS = 30.0  # to wait, where a test does not say how long


@dataclass(frozen=True)
class Message:
    """One message that the device published; `topic` is whole."""

    number: int = field(repr=False)  # grows from message to message
    topic: str
    payload: bytes
    qos: int

    def json(self) -> Any:
        """What the payload says; ValueError when it is not JSON."""
        return json.loads(self.payload)


class ProjectCloud(Cloud):
    """The emulated cloud, with one product and one device in it; the product's model is that of `folder`, if any.

    Topics are completed as `Device` does it: `user/update`, `thing/event/property/post`, or whole from a `/` on.
    Beside the calls of `Cloud` (`arm`, `advance`, `act`, `stop`, `restart`, ...) it has those that a test wants.
    """

    product_key, device_name = "a1PROJECT01", "board-1"

    def __init__(self, run_dir: Path, folder: Path | None = None) -> None:
        self.device_secret = secrets.token_hex(16)
        self._waited_for: dict[str, int] = {}  # topic -> number of the last message that a test has got
        device = {"device_name": self.device_name, "device_secret": self.device_secret}
        product = {"product_key": self.product_key, "auth": "secret", "node": "direct", "device": [device]}
        model = None if folder is None else tsl.path_in(folder)
        super().__init__(
            {
                "instance": {"kind": "public", "region": "cn-shanghai"},
                "product": [product | ({"tsl": str(model)} if model else {})],
            },
            run_dir,
        )

    def burned(self) -> dict[str, str]:
        """The identity of the device, as a cert.json has it."""
        return {
            "product_key": self.product_key,
            "device_name": self.device_name,
            "device_secret": self.device_secret,
        }

    def messages(self, topic: str | None = None) -> list[Message]:
        """What the device has published so far, to one topic or to all."""
        wanted = None if topic is None else self.full_topic(topic)
        found = self.admin("GET", f"/messages?direction=up&pk={self.product_key}&dn={self.device_name}")
        return [
            _message(one) for one in found if one["outcome"] == "taken" and wanted in (None, one["topic"])
        ]

    def wait_for(self, topic: str, timeout: float = SECONDS) -> Message:
        """The next message that the device publishes to `topic`: each call gives a later one."""
        __tracebackhide__ = True
        topic, ends = self.full_topic(topic), time.monotonic() + timeout
        while True:
            late = time.monotonic() > ends
            for message in self.messages(topic):
                if message.number > self._waited_for.get(topic, 0):
                    self._waited_for[topic] = message.number
                    return message
            if late:
                pytest.fail(f"the device published nothing to {topic} within {timeout:g} seconds")
            time.sleep(0.05)  # the admin API has no event to wait for

    def set_properties(self, params: dict[str, Any]) -> None:
        """Set properties, as the platform's console does it (application.md 2)."""
        __tracebackhide__ = True
        answer = self.act(self.product_key, self.device_name, "property", {"params": params})
        self._delivered("thing/service/property/set", answer)

    def publish(self, topic: str, payload: str | bytes | dict[str, Any], qos: int = 1) -> None:
        """Send the device a message: text, bytes, or a dict, which goes as JSON."""
        __tracebackhide__ = True
        text = json.dumps(payload) if isinstance(payload, dict) else payload
        data = text.encode() if isinstance(text, str) else text
        values = {"topic": self.full_topic(topic), "payload_hex": data.hex(), "qos": qos}
        self._delivered(topic, self.admin("POST", "/publish", values))

    def full_topic(self, topic: str) -> str:
        if topic.startswith("/"):
            return topic
        return f"{'' if topic.startswith('user/') else '/sys'}/{self.product_key}/{self.device_name}/{topic}"

    def _delivered(self, topic: str, outcomes: dict[str, Any]) -> None:
        __tracebackhide__ = True
        if not outcomes["sent"]:
            pytest.fail(
                f"the device did not get what was sent to {topic}: it is offline, or has not subscribed"
            )


class ProjectBoard(Board):
    """The emulated board. `wait_for` and `wait_line` fail the test where they wait in vain."""

    def wait_for(self, state: str | Callable[[dict], bool], timeout: float = SECONDS) -> dict[str, Any]:
        """The next state line of that name (firmware/README.md, "What a board says"), as a dict."""
        __tracebackhide__ = True
        try:
            return super().wait_for(state, timeout)
        except BoardError as error:
            problem = _first_line(error)
        pytest.fail(problem)

    def wait_line(self, text: str, timeout: float = SECONDS) -> str | dict[str, Any]:
        """The next line of the console that has `text` in it; a state line as a dict."""
        __tracebackhide__ = True
        try:
            return super().wait_line(text, timeout)
        except BoardError as error:
            problem = _first_line(error)
        pytest.fail(problem)

    def console(self) -> str:
        """What the board has printed, with the places of tracebacks as those of the sources."""
        return release.build().translate("\n".join(self.run.lines)) if self.run else ""


@pytest.fixture
def cloud(pytestconfig: pytest.Config, tmp_path: Path) -> Iterator[ProjectCloud]:
    """An emulated cloud that runs, and knows the device that `board` is, and the application's model."""
    try:
        running = ProjectCloud(tmp_path / "cloud", pytestconfig.rootpath)
        running.start()
    except (UserError, CloudError) as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def board(cloud: ProjectCloud, pytestconfig: pytest.Config, tmp_path: Path) -> Iterator[ProjectBoard]:
    """An emulated board that was flashed with the application and has just booted."""
    try:
        made = ProjectBoard(
            image(pytestconfig.rootpath, cloud),
            cloud=cloud.run_dir,
            folder=tmp_path / "board",
            memory=RELEASES[-1],
        )
        made.start(follow=True)
    except UserError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    yield made
    made.power_off()


def image(folder: Path, cloud: ProjectCloud) -> bytes:
    """The flash of a blank board after `make flash FILES= CONFIG= CERT= ROOT=` with what is in `folder`. UserError."""
    own, settings = application.read(folder), folder / "config.json"
    leaks.refuse(own.sources)
    wanted = file_list.wanted(own, [cloud.ca_pem])
    if settings.is_file():
        wanted = wanted.with_config(config.encoded(config.read(settings)))
    tree = file_list.decide(wanted, lambda path: None).onto({})
    return flash_image.build(identity=identity.parse(cloud.burned()), files=tree, with_firmware=False)


def pytest_configure(config: pytest.Config) -> None:
    """Let tests import the application's modules, behind all others: they must not hide those of the tools."""
    sys.path.append(str(config.rootpath))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    board = getattr(item, "funcargs", {}).get("board")
    if report.failed and isinstance(board, ProjectBoard):
        report.sections.append(("console of the board", board.console()))
    return report


def _message(entry: dict[str, Any]) -> Message:
    payload = entry["payload"].encode() if "payload" in entry else bytes.fromhex(entry["payload_hex"])
    return Message(entry["seq"], entry["topic"], payload, entry["qos"])


def _first_line(error: BoardError) -> str:
    """What was waited for: what the board printed last stands in the report."""
    return str(error).partition("\n")[0].rstrip(":")
