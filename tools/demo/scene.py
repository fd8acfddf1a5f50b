"""The stage of the demo: one emulated cloud, boards that come and go, and a narrator."""

import json
import secrets
import string
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from tools.demo import narration
from tools.emulator.board.boot import Board, BoardError
from tools.emulator.cloud.process import Cloud
from tools.errors import UserError
from tools.image import flash_image, identity

REGION, INSTANCE = "cn-shanghai", "iot-06z00abc"
ABROAD = ["ap-southeast-1", "eu-central-1"]  # the other centres that the cloud stands for
WIDTH = 120  # columns in a pipe
INDENT = 12  # columns of the word before each line
PATIENCE = 30  # seconds that a step may take before the demo gives up


def text(length: int) -> str:
    """A secret of this run: nothing that is shown here exists anywhere else."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))


@dataclass
class Figures:
    """What one boot took, up to its first acknowledged property."""

    scene: str
    boot: str
    handshakes: int
    sent: int  # bytes on the wire, TLS included, as the cloud counted them
    received: int
    seconds: float  # power on to connected
    heap: int  # bytes in use when connected, garbage collected, without the port's own share


class Stage:
    """Runs scenes against one cloud in `folder`; `figures` collects what they took."""

    def __init__(
        self, folder: Path, products: Sequence[dict[str, Any]], console: Console | None = None
    ) -> None:
        self.folder = folder
        self.console = console or Console(highlight=False)
        if not self.console.is_terminal:
            self.console.width = WIDTH
        self.cloud = Cloud(
            {
                "instance": {"kind": "enterprise", "id": INSTANCE, "region": REGION, "centres": ABROAD},
                "product": products,
            },
            folder / "cloud",
        )
        self.figures: list[Figures] = []
        self._seen = 0  # number of the last event of the cloud's log that was told

    def __enter__(self):
        self.cloud.start()
        return self

    def __exit__(self, *_):
        self.cloud.stop()

    # --- what is printed

    def title(self, message: str) -> None:
        self.console.print(f"\n[bold]{message}[/bold]")

    def report(self, event: str, message: str) -> None:
        style = narration.STYLES.get(event, "")
        self.console.print(f"  {event:<{INDENT - 2}}", style=style, end="")
        if self.console.is_terminal:  # a line that does not fit goes on under its own beginning
            lines = Text(message).wrap(self.console, max(20, self.console.width - INDENT))
            message = ("\n" + " " * INDENT).join(line.plain.rstrip() for line in lines)
        self.console.print(message, markup=False, soft_wrap=True)

    def _report_log(self):
        for event in self.cloud.admin("GET", f"/log?after={self._seen}"):
            self._seen = max(self._seen, event["seq"])
            line = narration.of_event(event)
            if line:
                self.report(*line)

    def _report(self, state):
        if state["aliot"] not in narration.BEFORE:
            self._report_log()
        line = narration.of_state(state)
        if line:
            self.report(*line)

    # --- boards

    def burn(
        self,
        fields: Mapping[str, Any],
        name: str,
        files: Mapping[str, bytes | None] | None = None,
        config: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Board:
        """A board with that certificate in its flash; says what was burned.

        `files` replace files of the image, `config` adds to config.json, `options` are those of a `Board`.
        """
        certificate = self.folder / f"{name}.json"
        certificate.write_text(json.dumps({"region": REGION, "instance": INSTANCE, **fields}))
        who = identity.load(certificate)
        image = flash_image.build(
            identity=who,
            roots=[self.cloud.ca_der],
            files=files,
            config={"ssid": "demo", "password": text(12), **(config or {})},
        )
        shown = ", ".join(
            f"{key} {value}"
            for key, value in who.masked().items()
            if key not in ("way", "region", "instance")
        )
        self.report("burn", shown)
        return Board(
            image, cloud=self.cloud.run_dir, folder=self.folder / name, measure="connected", **options
        )

    def until(self, board: Board, name: str) -> dict[str, Any]:
        """Tell what the board does until it reaches the state `name`; returns that state line."""
        while True:
            state = self._step(board.wait_for, lambda _: True)
            self._report(state)
            if state["aliot"] == name:
                return state

    def run(
        self,
        scene: str,
        board: Board,
        which: str,
        name: tuple[str, str],
        posts: Callable[[], object] | None = None,
        reached: str = "connected",
    ) -> None:
        """One boot, told up to `reached`, then an acknowledged property, and a power cut. Collects its figures.

        Where the application is not main.py, `posts()` waits for its property and tells of it.
        """
        before = self._traffic(name)
        self.report("power", f"on: {which} boot")
        began = time.monotonic()
        board.start()
        self.until(board, "connected")
        seconds = time.monotonic() - began
        if reached != "connected":
            self.until(board, reached)
        if posts:
            posts()
        else:
            self.line(board, '"acknowledged", "code": 200')
            self.report("posted", "Uptime and FreeMemory with QoS 1: PUBACK, and code 200 from the platform")
        self.report("power", "cut, without warning")
        ran = board.power_off()
        assert ran is not None  # it was started
        heap = ran.heap
        after = self._traffic(name, offline=True)
        taken = {key: after[key] - before[key] for key in after}
        self.figures.append(
            Figures(
                scene,
                which,
                taken["tls_handshakes"],
                taken["bytes_in"],
                taken["bytes_out"],
                seconds,
                heap["used"] - heap["port"],
            )
        )

    def line(self, board: Board, text: str) -> str:
        """The board's next console line that has `text` in it."""
        return self._step(board.wait_line, text)

    @staticmethod
    def pause() -> None:
        """Between two looks at what the cloud has."""
        time.sleep(0.1)  # it is another process, which has no event to wait for

    def _traffic(self, name, offline=False):
        """What the cloud counted for a device; with `offline` once it has seen the connection end."""
        product_key, device_name = name
        ends = time.monotonic() + PATIENCE
        while True:
            device = next(
                (
                    item
                    for item in self.cloud.admin("GET", "/devices")
                    if (item["product_key"], item["device_name"]) == name
                ),
                None,
            )
            if device is None:
                return {"tls_handshakes": 0, "bytes_in": 0, "bytes_out": 0}
            if not offline or device["status"] != "online":
                traffic = self.cloud.device(product_key, device_name)["traffic"]
                return {key: traffic[key] for key in ("tls_handshakes", "bytes_in", "bytes_out")}
            if time.monotonic() > ends:
                raise UserError(f"the cloud still sees {device_name} online after {PATIENCE} seconds")
            time.sleep(0.01)

    def _step(self, wait, *arguments):
        try:
            return wait(*arguments, timeout=PATIENCE)
        except BoardError as error:
            raise UserError("the demo failed: " + str(error).replace("\n", " | ")) from None
