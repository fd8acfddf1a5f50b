"""Makes the pure parts of the firmware importable on the host: one source for the chip and the tools.

`from tools.firmware import record` gives `firmware/aliot/record.py` itself.
"""

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "firmware"

if str(FOLDER) not in sys.path:
    sys.path.insert(0, str(FOLDER))

from aliot import record  # noqa: E402

__all__ = ["FOLDER", "record"]
