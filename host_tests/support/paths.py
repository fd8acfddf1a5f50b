"""Where the tests' files lie: the checkout, the protocol's vectors as JSON, the tests that run on a board."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "host_tests" / "support" / "vectors"
DEVICE = ROOT / "host_tests" / "firmware" / "device"
