"""What to look at when something is refused: `explain`, `doctor`."""

import tools.firmware  # noqa: F401 - the modules here import `aliot`, which it makes importable
