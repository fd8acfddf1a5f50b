"""What follows an error that nobody handled: one line, a wait that grows, a reset, whatever happens meanwhile."""

import sys

import machine

import aliot
import scripted
from aliot import crash, log
from aliot.errors import CredentialError
from aliot.log import Secret

SECRET = "0123456789abcdef0123456789abcdef"


class Done(Exception):
    """The board was reset."""


def restart(problem, uptime=1000):
    """(the line's fields, or None when none could be printed; seconds waited) of one crash."""
    states, waits = [], []

    def reset():
        raise Done

    crash.time.sleep = lambda seconds: waits.append(seconds)
    crash.uptime = lambda: uptime
    machine.reset = reset
    log.report = lambda state, fields: states.append((state, fields))
    try:
        crash.restart(problem)
    except Done:
        pass
    else:
        raise AssertionError("no reset")
    waited = sum(waits)
    assert not states or states[0][0] == "error" and states[0][1]["wait"] == waited
    return states[0][1] if states else None, waited


def test_the_wait_grows_with_each_crash_since_power_on_and_has_an_end():
    machine.RTC().memory(b"")
    waits = [restart(ValueError("x"))[1] for _ in range(12)]
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300, 300, 300, 300]


def test_a_run_that_lasted_starts_the_count_anew():
    machine.RTC().memory(b"")
    for _ in range(5):
        restart(ValueError("x"))
    assert restart(ValueError("x"), 600001)[1] == 5


def test_the_line_says_what_and_where_and_no_secret():
    line = log.line
    Secret(SECRET)
    try:
        raise ValueError("it was " + SECRET)
    except ValueError as problem:
        fields = restart(problem)[0]
    assert fields["code"] == "ValueError" and "test_crash" in fields["place"]
    assert SECRET not in line("error", fields)


def test_an_error_of_the_tree_brings_its_code_and_advice():
    fields = restart(CredentialError("nothing is burned"))[0]
    assert fields["code"] == "credential" and fields["detail"] == "nothing is burned" and fields["advice"]


def test_a_watchdog_is_fed_while_it_waits():
    machine.RTC().memory(b"")
    fed = []

    class Watchdog:
        def feed(self):
            fed.append(1)

    aliot.watchdog = Watchdog()
    waited = restart(ValueError("x"))[1]
    assert len(fed) >= waited


def test_a_line_that_cannot_be_made_is_no_reason_not_to_reset():
    machine.RTC().memory(b"")
    place = crash._place

    def full(problem):
        raise MemoryError

    crash._place = full
    states, waited = restart(ValueError("x"))
    crash._place = place
    assert states is None and waited == 5
    assert restart(ValueError("x"))[1] == 10  # counted all the same


def run(main, *failures):
    """What became of aliot.run(main) when loading aliot.crash fails so: "reset", or what it raised."""
    failures = list(failures)
    loaded = aliot.load
    sys.modules["__main__"] = scripted  # in place of main.py, whose names are given up in the end

    def load(name):
        if failures:
            raise failures.pop(0)
        return loaded(name)

    aliot.load = load
    crash.time.sleep = lambda seconds: None
    machine.RTC().memory(b"")

    def reset():
        raise Done

    machine.reset = reset
    try:
        aliot.run(main)
    except Done:
        return "reset"
    except BaseException as problem:
        return type(problem).__name__
    finally:
        aliot.load = loaded
    return "ended"


def fail(problem):
    def main():
        raise problem

    return main


def test_what_ends_main_ends_in_a_reset():
    for problem in (ValueError("x"), MemoryError(), CredentialError("x"), OSError(5)):
        assert run(fail(problem)) == "reset"
    assert run(fail(MemoryError()), MemoryError()) == "reset"
    assert run(fail(MemoryError()), MemoryError(), MemoryError()) == "reset"
    assert not hasattr(scripted, "Stream")


def test_a_person_at_the_console_gets_the_prompt():
    assert run(fail(KeyboardInterrupt())) == "ended"
    assert run(fail(SystemExit())) == "SystemExit"
    assert run(lambda: None) == "ended"
