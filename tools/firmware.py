"""Makes the pure parts of the firmware importable on the host: one source for the chip and the tools.

`from tools.firmware import record` gives `firmware/aliot/record.py` itself.
"""

import importlib.util
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "firmware"
# the one module of MicroPython that the pure parts import (for const), as the emulated board's port has it
_MICROPYTHON = Path(__file__).resolve().parent / "emulator/board/port/cpython/micropython.py"

if str(FOLDER) not in sys.path:
    sys.path.insert(0, str(FOLDER))
if "micropython" not in sys.modules:
    _spec = importlib.util.spec_from_file_location("micropython", _MICROPYTHON)
    assert _spec and _spec.loader
    sys.modules["micropython"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["micropython"])

from aliot import advice, record, rules, settings  # noqa: E402

advice.FILE = str(FOLDER / "aliot/advice.txt")

__all__ = ["FOLDER", "advice", "record", "rules", "settings"]
