"""What follows an error that nobody handled: one line, a wait that grows, a reset."""

import machine

from aliot import log, restart
from aliot.errors import CredentialError
from aliot.log import Secret

SECRET = "0123456789abcdef0123456789abcdef"


def crash(problem, ticks=1000, watchdog=0):
    """(the line's fields, seconds waited) of one crash, `ticks` ms after the start."""
    done = []
    restart.time.sleep = lambda seconds: done.append(seconds)
    restart.time.ticks_ms = lambda: ticks
    machine.reset = lambda: done.append("reset")
    log.state = lambda state, fields: done.append((state, fields))
    restart.after(problem, watchdog)
    (state, fields), waited, reset = done
    assert state == "error" and reset == "reset" and fields["wait"] == waited
    return fields, waited


def test_the_wait_grows_with_each_crash_since_power_on_and_has_an_end():
    machine.RTC().memory(b"")
    waits = [crash(ValueError("x"))[1] for _ in range(12)]
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300, 300, 300, 300]


def test_a_run_that_lasted_starts_the_count_anew():
    machine.RTC().memory(b"")
    for _ in range(5):
        crash(ValueError("x"))
    assert crash(ValueError("x"), 600001)[1] == 5


def test_the_line_says_what_and_where_and_no_secret():
    Secret(SECRET)
    try:
        raise ValueError("it was " + SECRET)
    except ValueError as problem:
        fields = crash(problem)[0]
    assert fields["code"] == "ValueError" and "test_restart" in fields["place"]
    assert SECRET not in log.line("error", fields)


def test_an_error_of_the_tree_brings_its_code_and_advice():
    fields = crash(CredentialError("nothing is burned"))[0]
    assert fields["code"] == "credential" and fields["detail"] == "nothing is burned" and fields["advice"]


def test_a_watchdog_lets_it_wait():
    machine.RTC().memory(b"")
    timeouts = []
    machine.WDT = lambda timeout: timeouts.append(timeout)
    crash(ValueError("x"))
    assert not timeouts
    waited = crash(ValueError("x"), watchdog=8000)[1]
    assert timeouts[0] > waited * 1000
