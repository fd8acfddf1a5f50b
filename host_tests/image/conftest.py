import os
import sys
from pathlib import Path

SHARED = Path(__file__).parents[2] / "tools" / "emulator" / "board" / "port" / "shared"
sys.path.insert(0, str(SHARED))
sys.path.insert(0, str(Path(__file__).parent))


def campaign(count):
    """A number of examples, scaled by ALIOT_CAMPAIGN."""
    return max(1, int(count * float(os.environ.get("ALIOT_CAMPAIGN", "1"))))
