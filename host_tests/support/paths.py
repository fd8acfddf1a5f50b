"""Where the tests' files lie: the checkout, the protocol's vectors as JSON, the tests that run on a board; its make."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "host_tests" / "support" / "vectors"
DEVICE = ROOT / "host_tests" / "firmware" / "device"


def make(*arguments):
    """(status, commands, error output) of what `make` would run; nothing is set up or run."""
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", "-o", ".venv/.installed", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr
