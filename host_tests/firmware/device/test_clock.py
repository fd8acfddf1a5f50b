"""The clock: several servers, nothing implausible, never before the build date, and no single wrong word."""

import machine
import ntptime

import aliot.clock
import aliot.sntp
from aliot import clock, sntp

GOOD = sntp.BUILT + 5000
WRONG = GOOD + 10 * 365 * 86400
EPOCH = 946684800
ALL = ("a", "b", "c")
DAY = 86400000


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
    """The year 2000, and an uptime that the test turns: its list's only item, in ms."""
    machine.RTC().datetime((2000, 1, 1, 5, 0, 0, 0, 0))
    passed = [0]
    aliot.clock.uptime = aliot.sntp.uptime = lambda: passed[0]
    return passed


def near(seconds):
    return abs(clock.utc() - seconds) < 5


def test_the_first_good_answer_sets_the_clock():
    power_up()
    asked = servers({"a": OSError(116), "b": GOOD, "c": GOOD + 99})
    assert clock.due() and sntp.synchronize(ALL) and clock.server == "b"
    assert asked == ["a", "b"]
    assert near(GOOD) and not clock.due()


def test_wrong_years_are_passed_over():
    power_up()
    asked = servers(
        {
            "a": sntp.BUILT - 1,
            "b": sntp.BUILT + 21 * 365 * 86400,
            "c": EPOCH,
            "d": OSError(-202),
            "e": 2085978496,
        }
    )
    assert not sntp.synchronize(("a", "b", "c", "d", "e")) and clock.server is None
    assert len(asked) == 5


def test_without_an_answer_the_clock_is_at_the_build_date():
    power_up()
    servers({"a": OSError(116)})
    assert not sntp.synchronize(("a",))
    assert near(sntp.BUILT) and clock.due()


def test_a_clock_that_is_later_already_is_left_alone():
    power_up()
    servers({"a": GOOD})
    sntp.synchronize(("a",))
    servers({"a": OSError(116)})
    assert not sntp.synchronize(("a",))
    assert near(GOOD) and clock.server == "a"


def test_a_clock_is_asked_again_after_a_day():
    passed = power_up()
    servers({"a": GOOD})
    sntp.synchronize(("a",))
    passed[0] = DAY - 1
    assert not clock.due()
    passed[0] = DAY
    assert clock.due()
    servers({"a": GOOD + 200})
    assert sntp.synchronize(("a",)) and near(GOOD + 200) and not clock.due()


def test_a_doubted_server_is_asked_last():
    power_up()
    servers({"a": WRONG, "b": GOOD, "c": GOOD + 1})
    sntp.synchronize(ALL)
    assert near(WRONG)
    clock.doubt()
    asked = servers({"a": WRONG, "b": GOOD, "c": GOOD + 1})
    assert clock.due() and sntp.synchronize(ALL)
    assert asked == ["b", "c"] and near(GOOD) and clock.server == "c" and not clock.due()


def test_one_server_alone_does_not_move_a_clock_far():
    power_up()
    servers({"a": GOOD, "b": OSError(116), "c": OSError(116)})
    sntp.synchronize(ALL)
    servers({"a": WRONG, "b": OSError(116), "c": OSError(116)})
    assert not sntp.synchronize(ALL) and near(GOOD)


def test_two_servers_that_disagree_do_not_move_a_clock_either():
    power_up()
    servers({"a": GOOD, "b": GOOD, "c": GOOD})
    sntp.synchronize(ALL)
    servers({"a": WRONG, "b": WRONG + 86400, "c": WRONG + 2 * 86400})
    assert not sntp.synchronize(ALL) and near(GOOD)


def test_the_same_server_confirms_itself_a_minute_later():
    passed = power_up()
    servers({"a": WRONG})
    sntp.synchronize(("a",))
    clock.doubt()
    servers({"a": GOOD})
    assert not sntp.synchronize(("a",))
    passed[0] = 59999
    servers({"a": GOOD + 60})
    assert not sntp.synchronize(("a",)) and near(WRONG) and clock.due()
    passed[0] = 60000
    assert sntp.synchronize(("a",)) and near(GOOD + 60) and not clock.due()


def test_a_wrong_answer_that_comes_back_right_confirms_nothing():
    passed = power_up()
    servers({"a": GOOD})
    sntp.synchronize(("a",))
    servers({"a": WRONG})
    sntp.synchronize(("a",))
    passed[0] = 120000
    servers({"a": GOOD + 120})
    assert sntp.synchronize(("a",)) and near(GOOD + 120)
    servers({"a": WRONG + 120})
    assert not sntp.synchronize(("a",)) and near(GOOD + 120)
