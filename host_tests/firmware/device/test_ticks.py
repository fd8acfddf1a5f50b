"""Time that passes, on ticks that the test turns: it never goes back, whatever the period of the ticks."""

import time

import aliot.ticks
from aliot.ticks import Deadline, uptime

PERIOD = time.ticks_add(0, -1) + 1
DAY = 86400000


def turn(ms):
    """Let the chip's ticks be at `ms` since power-on."""
    aliot.ticks.ticks_ms = lambda: ms % PERIOD


def test_uptime_counts_past_the_period_of_the_ticks():
    turn(0)
    begin, last = uptime(), 0
    for at in range(0, 60 * DAY, DAY // 3):
        turn(at)
        passed = uptime() - begin
        assert passed == at and passed >= last, (at, passed)
        last = passed


def test_a_device_that_did_not_ask_for_long_loses_no_more_than_a_period():
    turn(0)
    begin = uptime()
    for days in (7, 10, 12):  # more than half of a chip's period
        turn(days * DAY)
        assert uptime() - begin == days * DAY
        turn(0)
        begin = uptime()


def test_a_deadline_over_the_end_of_the_ticks():
    turn(PERIOD - 10)
    deadline = Deadline(100)
    assert deadline.left() == 100
    turn(PERIOD + 50)
    assert deadline.left() == 40
    turn(PERIOD + 91)
    assert deadline.left() == 0
