"""The session's decisions on a clock that the test turns."""

from aliot import retry
from aliot.session import Session

MINUTE = 60000
HOUR = 60 * MINUTE
LATER, NEVER, NOW = "later", "never", "now"


class Dice:
    """Numbers that look random and are the same in every run; or always the highest, or the lowest."""

    def __init__(self, kind="mixed"):
        self.kind = kind
        self.state = 12345

    def __call__(self, n):
        assert n > 0
        if self.kind != "mixed":
            return n - 1 if self.kind == "highest" else 0
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.state >> 8) % n


def test_the_first_connect_is_at_once():
    assert Session(Dice("highest")).wait(0) == 0


def test_faults_wait_longer_up_to_128_s():
    session, now = Session(Dice("highest")), 0
    waits = []
    for _ in range(12):
        session.attempt(now)
        retry.wait_after_failure(session, now, NOW)
        waits.append(session.wait(now))
        now += waits[-1]
    assert waits[0] == 1999 and waits[1] == 3999
    assert max(waits) == 127999 and waits[-1] == 127999


def test_jitter_is_full():
    session, waits = Session(Dice()), []
    for now in range(0, 500 * HOUR, HOUR):
        session.attempt(now)
        retry.wait_after_failure(session, now)
        waits.append(session.wait(now))
    late = waits[20:]
    assert min(late) < 6000 and max(late) > 120000
    assert 54000 < sum(late) // len(late) < 74000


def test_never_more_than_five_connects_in_any_minute():
    session, now, attempts = Session(Dice("lowest")), 0, []
    while len(attempts) < 300:
        now += session.wait(now)
        attempts.append(now)
        session.attempt(now)
        retry.wait_after_failure(session, now, NOW)
    assert now == 59 * MINUTE  # and as fast as that when every die falls low
    for at in range(len(attempts) - 5):
        assert attempts[at + 5] - attempts[at] >= MINUTE


def test_refusals_are_retried_after_minutes_and_then_hours():
    session, now, waits = Session(Dice("lowest")), 0, []
    for _ in range(7):
        session.attempt(now)
        retry.wait_after_failure(session, now, LATER)
        waits.append(session.wait(now) // MINUTE)
        now += session.wait(now)
    assert waits == [5, 10, 20, 40, 60, 60, 60]


def test_what_needs_a_person_waits_an_hour_at_least():
    session = Session(Dice("lowest"))
    retry.wait_after_failure(session, 0, NEVER)
    assert session.wait(0) == HOUR


def test_a_stable_connection_clears_the_back_off():
    session, now = Session(Dice("highest")), 0
    for _ in range(8):
        session.attempt(now)
        retry.wait_after_failure(session, now)
        now += session.wait(now)
    session.attempt(now)
    session.connected(now)
    now += 2 * MINUTE
    retry.wait_after_loss(session, now, False)
    assert session.wait(now) < 2000


def test_a_connection_that_is_lost_at_once_does_not():
    session, now = Session(Dice("highest")), 0
    for _ in range(8):
        session.attempt(now)
        session.connected(now)
        retry.wait_after_loss(session, now + 10, False)
        now += 10 + session.wait(now + 10)
    session.attempt(now)
    session.connected(now)
    retry.wait_after_loss(session, now, False)
    assert session.wait(now) > 120000


def test_thrown_off_three_times_soon_after_connecting_is_a_twin():
    session, now = Session(Dice("lowest")), 0
    for count in range(3):
        assert not session.twin
        session.attempt(now)
        session.connected(now)
        now += 20000
        retry.wait_after_loss(session, now, True)
        if count < 2:
            now += session.wait(now)
    assert session.twin
    assert session.wait(now) >= 5 * MINUTE
    # thrown off again: still a twin, still slow
    now += session.wait(now)
    session.attempt(now)
    session.connected(now)
    retry.wait_after_loss(session, now + MINUTE, True)
    assert session.twin and session.wait(now + MINUTE) >= 5 * MINUTE
    # left alone: no twin any more
    session.connected(now)
    now += 11 * MINUTE
    retry.wait_after_loss(session, now, True)
    assert not session.twin and session.wait(now) < 2000


def test_faults_of_the_network_are_no_twin():
    session, now = Session(Dice("lowest")), 0
    for _ in range(10):
        session.attempt(now)
        session.connected(now)
        now += 20000
        retry.wait_after_loss(session, now, False)
        now += session.wait(now)
    assert not session.twin


def test_a_network_that_comes_back_spreads_the_fleet_over_seconds():
    session, now = Session(Dice("highest")), 0
    for _ in range(8):
        session.attempt(now)
        retry.wait_after_failure(session, now)
        now += session.wait(now)
    retry.wait_after_failure(session, now)
    retry.wait_after_return(session, now)
    assert session.wait(now) == 4999


def test_a_network_that_comes_back_does_not_shorten_a_refusal():
    session = Session(Dice("lowest"))
    retry.wait_after_failure(session, 0, LATER)
    retry.wait_after_return(session, 1000)
    assert session.wait(1000) == 299000


def test_no_wait_is_longer_than_its_rule_whatever_the_clock_did():
    session = Session(Dice("highest"))
    retry.wait_after_failure(session, 10 * 24 * HOUR, NEVER)
    assert session.wait(10 * 24 * HOUR) == 2 * HOUR - 1
    assert session.wait(0) == 2 * HOUR  # ten days "earlier"
    session.attempts = [9 * 24 * HOUR] * 5
    assert session.wait(0) == 2 * HOUR


def test_pings():
    session = Session(Dice(), 300000, 15000)
    assert session.ping(0, 0, None) is None
    assert session.ping(149999, 149999, None) is None
    assert session.ping(150000, 0, None) == "ping"
    assert session.ping(0, 150000, None) == "ping"  # only sending does not prove that anybody listens
    assert session.ping(0, 0, 0) is None
    assert session.ping(0, 0, 14999) is None
    assert session.ping(0, 0, 15000) == "dead"


def test_a_day_with_outages():
    """A simulated day: the platform away at times, Wi-Fi gone at times. Limits hold, and the board is mostly online."""
    dice = Dice()
    session = Session(Dice())
    now, attempts, online = 0, [], 0
    outages = [(at, at + dice(20 * MINUTE)) for at in range(HOUR, 24 * HOUR, 2 * HOUR)]
    while now < 24 * HOUR:
        now += session.wait(now)
        attempts.append(now)
        session.attempt(now)
        away = [end for begin, end in outages if begin <= now < end]
        if away:
            now += 3000
            retry.wait_after_failure(session, now, NOW)
            continue
        session.connected(now)
        ahead = [begin for begin, end in outages if begin > now] + [24 * HOUR]
        until = min(ahead[0], now + 1 + dice(3 * HOUR))
        online += until - now
        now = until
        retry.wait_after_loss(session, now, False)
    for at in range(len(attempts) - 5):
        assert attempts[at + 5] - attempts[at] >= MINUTE
    down = sum([end - begin for begin, end in outages])
    assert online > 24 * HOUR - down - 12 * 4 * MINUTE - 30 * MINUTE
    assert not session.twin
