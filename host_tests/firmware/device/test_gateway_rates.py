"""No window of time holds more than the platform takes; gateway.md 12."""

from aliot.pace import noted, pause
from aliot.gateway.rates import allowed, counted, held
from test_session import Dice


def test_no_second_holds_more_than_200_logins_or_20_requests():
    for size in (50, 17, 1):
        asked, now, sent = [], 0, []
        for step in range(120):
            while True:
                wait = pause(asked, now, size)
                if not wait:
                    break
                now += wait
            begun = now
            now += 1 + step * 7919 % 40  # the answer's way
            asked.append(noted(now, size))
            sent.append((begun, now))
        for begun, answered in sent:
            # the platform may have taken a request at any time between its sending and its answer
            near = [
                one for one in sent if one[1] >= begun and one[0] < begun + 1000 and one[1] - begun < 1000
            ]
            assert len(near) <= 20 and len(near) * size <= 200 + size - 1
        most = 20 if size == 1 else 200 // size
        assert now < 1100 * (120 // most + 1)


def test_no_minute_holds_a_sixth_login_of_one_subdevice():
    dice, value, now, done = Dice(), 0, 100000, []
    for _ in range(3000):
        now += dice(9)
        if allowed(value, now):
            value = counted(value, now)
            done.append(now)
    for at in range(len(done) - 5):
        assert done[at + 5] - done[at] >= 60
    assert len(done) > 3000 * 4 // 60


def test_five_at_once_are_allowed():
    value = 0
    for _ in range(5):
        assert allowed(value, 7)
        value = counted(value, 7)
    assert not allowed(value, 66) and allowed(value, 67)


def test_one_that_is_held_waits_for_minutes():
    for kind, least in (("lowest", 420), ("highest", 301)):
        value = held(50000, Dice(kind))
        assert not allowed(value, 50000 + least - 1) and allowed(value, 50000 + least)
        assert allowed(counted(value, 50000 + least), 50000 + least)


def test_a_value_fits_16_bits_at_any_time():
    for now in (0, 8191, 8192, 2**31, 2**40 + 12345):
        assert 0 <= held(now, Dice("highest")) < 65536 and 0 <= counted(65535, now) < 65536
