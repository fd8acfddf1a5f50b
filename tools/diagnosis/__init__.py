"""The verbs that find out why a board is refused: `doctor` checks the route, `explain` shows what is signed."""

from tools import firmware  # noqa: F401 (its modules take `aliot` from there, whichever of them is first)
