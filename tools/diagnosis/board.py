"""`doctor --port`: the board itself walks the way, over its console (mpremote)."""

import json
import subprocess
import sys
from pathlib import Path

from tools.diagnosis.stretches import Finding
from tools.errors import UserError

SCRIPT = Path(__file__).with_name("on_board.py")
PATIENCE = 120          # seconds for the whole walk


def examine(port, timeout):
    """The findings that the board on `port` prints. It is reset afterwards, so that its application goes on."""
    command = [sys.executable, "-m", "mpremote", "connect", port, "run", str(SCRIPT), "reset"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise UserError(f"the board on {port} did not come to an end within {PATIENCE} s; reset it and try again") from None
    findings = [Finding(line["doctor"], line["ok"], line["found"], line["advice"])
                for line in map(_parsed, done.stdout.splitlines()) if line]
    if not findings:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it said nothing"]
        raise UserError(f"the board on {port} does not answer with aliot's firmware ({said[0]}): flash it first, "
                        "or close the program that has the port")
    return findings


def _parsed(line):
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "doctor" in found else None
