"""`Wire`: the calls that the station makes on a board at a port, and the two ways in which they fail.

`tools.line.station.port_wire` implements it with esptool and the console of a real or emulated chip, the tests with a
scripted board.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from tools.line.identities import Burnable
from tools.line.job import Job


class Pulled(Exception):
    """The board went away in the middle: cable, power or port. Nothing is said against the board."""


class Rejected(Exception):
    """The board is not fit: wrong chip, closed by eFuses, unreadable, another identity, failed self-test.
    One line.
    """


@dataclass(frozen=True)
class Chip:
    """The chip of a board. `mac`: twelve lower-case hex digits; `flash_size`: bytes."""

    name: str
    mac: str
    flash_size: int
    encrypted: bool = False
    secure_boot: bool = False


@dataclass(frozen=True)
class Held:
    """What a board holds: `burned` and `issued` as {record tag: bytes} or None, and the burned generation.

    `whole`: every medium that can hold the burned record does. `update`: the release over the air that runs, in words.
    """

    burned: dict[int, bytes] | None = field(default=None, repr=False)
    generation: int = 0
    issued: dict[int, bytes] | None = field(default=None, repr=False)
    whole: bool = True
    update: str = ""


@dataclass(frozen=True)
class Tested:
    """The self-test: the board's state lines as dicts, in order.

    `printed`: its other lines; `ended`: what ended its application, in one line.
    """

    lines: tuple[dict[str, Any], ...]
    printed: tuple[str, ...] = ()
    ended: str | None = None

    def last(self, state: str) -> dict[str, Any] | None:
        return next((line for line in reversed(self.lines) if line.get("aliot") == state), None)


Progress = Callable[[str, float], None]  # step in a word, part done (0 to 1)
Wifi = tuple[str, str]  # its name, its password
Flashed = dict[str, Any]  # "written" and "kept": bytes; "saved": where files of the board's went, if any


class Wire(Protocol):
    """One board on one port. Every call raises Pulled when it goes away, Rejected when it is not fit."""

    def identify(self) -> Chip:
        """Put the chip into its loader; its `Chip`."""

    def held(self) -> Held:
        """Decode the identity on the board, from NVS and the file system."""

    def flash(self, job: Job, progress: Progress) -> Flashed:
        """Bring firmware and files to what the job says, nothing else; returns {"written": bytes, "kept":
        bytes}.
        """

    def burn(
        self, identity: Burnable, issued: Mapping[int, bytes] | None, replace: bool, progress: Progress
    ) -> int:
        """Write the burned record (and `issued` fields, if not None), read back and compare; the
        generation.
        """

    def self_test(self, job: Job, wifi: Wifi | None, progress: Progress) -> Tested:
        """Reset, follow the console until the job's state; `wifi` (name, password) goes over in RAM only."""

    def left_over(self, job: Job, wifi: Wifi | None) -> str | None:
        """What the line would leave behind on the board: its Wi-Fi, or a root that the job does not name."""

    def close(self) -> None:
        """Let the port go; the board runs."""
