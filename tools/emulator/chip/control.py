"""A board in the hands of another program: commands and events as lines of JSON, on pipes that nobody else reads.

Standard input takes {"power": bool}, {"wifi": bool}, {"reset": true}, {"type": "text for its console"}; its end is
the board's. Standard output has {"console": text}, {"event": text}, {"power": bool}, {"error": text}.
"""

from __future__ import annotations

import asyncio
import codecs
import json
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from tools.emulator.chip.chip import OFF, Chip
from tools.emulator.chip.software import Software


class Control:
    """Takes commands for `chip`, whose application is `software`; `report(kind, value)` hears what happens.

    `wifi` is (name, password) of the access point in reach.
    """

    def __init__(
        self, chip: Chip, software: Software, wifi: tuple[str, str], report: Callable[[str, Any], None]
    ):
        self.chip, self.software, self.wifi, self.report = chip, software, wifi, report
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.commands: dict[str, Callable[[Any], None]] = {
            "power": self.power,
            "wifi": self.set_wifi,
            "reset": self.reset,
            "type": self.type,
        }

    async def serve(self, stop: asyncio.Event) -> None:
        """Switches the power on, then does what it is asked until `stop`, which the end of the input sets too."""
        loop = asyncio.get_running_loop()
        self.chip.transmit, self.chip.later, self.chip.off = self.transmit, loop.call_later, self.went_off
        self.set_wifi(True)
        self.power(True)
        threading.Thread(target=self.read, args=(loop, stop), daemon=True).start()
        await stop.wait()
        self.chip.power_off()

    def read(self, loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
        """Hands over each line of the standard input; on a thread, since a file cannot be polled."""
        with os.fdopen(os.dup(sys.stdin.fileno()), "rb") as source:
            for line in source:
                loop.call_soon_threadsafe(self.take, line)
        loop.call_soon_threadsafe(stop.set)

    def take(self, line: bytes) -> None:
        """Does what a line asks for; what cannot be read is reported."""
        try:
            [(name, value)] = json.loads(line).items()
            command, kind = self.commands[name], str if name == "type" else bool
        except (ValueError, AttributeError, KeyError, TypeError):
            self.report("error", f"no command: {line[:80]!r}; there are {', '.join(self.commands)}")
            return
        if type(value) is kind:
            command(value)
        else:
            self.report("error", f"{name} takes a JSON {kind.__name__}")

    # ---- what it does

    def power(self, on: bool) -> None:
        if on and self.chip.state == OFF:
            self.chip.power_on()
        elif not on:
            self.chip.power_off()
        self.report("power", on)

    def reset(self, _: bool) -> None:
        if self.chip.state != OFF:
            self.power(False)
            self.power(True)

    def set_wifi(self, in_reach: bool) -> None:
        self.software.board.access_point(*(self.wifi if in_reach else ()))

    def type(self, text: str) -> None:
        self.chip.receive(text.encode())

    # ---- what the chip does

    def transmit(self, data: bytes) -> None:
        text = self.decoder.decode(data)
        if text:
            self.report("console", text)

    def went_off(self) -> None:
        """Power went by itself."""
        self.report("power", False)
