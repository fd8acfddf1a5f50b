"""Days of a device on a controlled clock, with outages of platform and Wi-Fi at random; both interpreters."""

import random

import pytest

from host_tests.support import device_tests
from host_tests.support.paths import DEVICE

CASES = DEVICE / "day.py"


@pytest.mark.parametrize("interpreter", device_tests.INTERPRETERS)
def test_a_device_keeps_its_promises(interpreter, campaign, tally):
    """At most five connects in any minute, online whenever nothing was wrong for minutes, always subscribed."""
    hours, seed = campaign(24), random.randrange(2**31)
    with device_tests.conversation(CASES, interpreter, heap="112K") as ask:
        while hours > 0:
            now = min(hours, 24)
            failed = ask("days", {"seed": seed, "hours": now})
            assert failed is None, f"seed {seed}, {now} hours: {failed}"
            tally("session hours", now)
            hours, seed = hours - now, seed + 1
