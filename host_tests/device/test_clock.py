"""The clock: several servers, nothing implausible, never before the build date."""

import machine
import ntptime

from aliot import clock

GOOD = clock.BUILT + 5000
EPOCH = 946684800


def servers(answers):
    """SNTP servers that give seconds since 1970, or an error; the names asked are collected."""
    asked = []

    def time():
        asked.append(ntptime.host)
        answer = answers[ntptime.host]
        if isinstance(answer, Exception):
            raise answer
        return answer - EPOCH

    ntptime.time = time
    return asked


def power_up():
    machine.RTC().datetime((2000, 1, 1, 5, 0, 0, 0, 0))


def test_the_first_good_answer_sets_the_clock():
    power_up()
    asked = servers({"a": OSError(116), "b": GOOD, "c": GOOD + 99})
    assert clock.synchronize(("a", "b", "c")) == "b"
    assert asked == ["a", "b"]
    assert 0 <= clock.now() - GOOD < 5


def test_wrong_years_are_passed_over():
    power_up()
    asked = servers({"a": clock.BUILT - 1, "b": clock.BUILT + 21 * 365 * 86400, "c": EPOCH, "d": OSError(-202),
                     "e": 2085978496})
    assert clock.synchronize(("a", "b", "c", "d", "e")) is None
    assert len(asked) == 5


def test_without_an_answer_the_clock_is_at_the_build_date():
    power_up()
    servers({"a": OSError(116)})
    assert clock.synchronize(("a",)) is None
    assert 0 <= clock.now() - clock.BUILT < 5


def test_a_clock_that_is_later_already_is_left_alone():
    servers({"a": GOOD})
    clock.synchronize(("a",))
    servers({"a": OSError(116)})
    assert clock.synchronize(("a",)) is None
    assert 0 <= clock.now() - GOOD < 5
