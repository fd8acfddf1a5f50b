"""What to look at when something is refused: `explain`, `doctor`."""

from tools import firmware  # noqa: F401 (its modules take `aliot` from there, whichever of them is first)
