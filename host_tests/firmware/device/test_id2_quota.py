"""Ten authentications a day, across resets and whatever the clock says (id2.md 1.6)."""

import esp32
from aliot import id2
from aliot.errors import AliotError
from aliot.id2 import Quota
from id2_script import Blobs
from scripted import Medium, raises

DAY = 86400


class Clock:
    def __init__(self, now=800000000):
        self.now = now

    def __call__(self):
        return self.now


def quota(nvs, clock, limit=10):
    """A count after a reset; `nvs` is a Medium, or None for the board's own NVS."""
    id2.NVS = esp32.NVS if nvs is None else lambda space: Blobs(nvs)
    id2.time = clock
    return Quota("id2.logins", limit)


def spend(nvs, clock, count):
    made = quota(nvs, clock)
    for _ in range(count):
        made.spend()
    return made


def test_the_eleventh_in_a_day_is_refused_and_told_when():
    clock, nvs = Clock(), Medium("nvs")
    made = spend(nvs, clock, 9)
    clock.now += 100
    made.spend()
    problem = raises(AliotError, made.spend)
    assert (problem.code, problem.retry) == ("id2.quota", "later")
    assert "86300 s" in problem.detail
    raises(AliotError, made.check)
    clock.now += DAY - 101
    raises(AliotError, made.check)
    clock.now += 1
    for _ in range(9):
        made.spend()
    raises(AliotError, made.spend)


def test_no_window_of_a_day_ever_holds_more_than_ten():
    clock, nvs, done = Clock(), Medium("nvs"), []
    for step in range(600):
        clock.now += 1 + step * 7919 % 1800
        made = quota(nvs, clock)  # a reset each time
        try:
            made.spend()
            done.append(clock.now)
        except AliotError:
            pass
    assert len(done) > 40
    assert max([len([at for at in done if start <= at < start + DAY]) for start in done]) == 10


def test_the_count_outlives_a_reset_in_real_nvs():
    clock = Clock()
    spend(None, clock, 10)
    raises(AliotError, quota(None, clock).check)
    clock.now += DAY
    quota(None, clock).check()


def test_a_refused_one_is_not_counted():
    clock, nvs = Clock(), Medium("nvs")
    made = spend(nvs, clock, 10)
    kept = dict(nvs.kept)
    clock.now += 5
    raises(AliotError, made.spend)
    assert nvs.kept == kept and len(kept["id2.logins"]) == 40


def test_it_is_written_before_it_is_made():
    nvs = Medium("nvs")
    spend(nvs, Clock(), 1)
    assert nvs.writes == 1


def test_a_clock_that_fell_back_neither_frees_nor_locks_for_more_than_a_day():
    for back in (1, DAY, 400 * DAY):
        clock, nvs = Clock(), Medium("nvs")
        units = [spend(nvs, clock, 10), quota(nvs, clock)]  # the same run, and the next after a reset
        clock.now -= back
        for unit in units:
            raises(AliotError, unit.check)
        clock.now += DAY - 1
        for unit in units:
            assert "next in 1 s" in str(raises(AliotError, unit.check))
        clock.now += 1
        for unit in units:
            unit.check()


def test_without_nvs_it_counts_until_the_next_reset():
    for fault in ("reads", "full"):
        nvs = Medium("nvs", fault)
        made = spend(nvs, Clock(), 10)
        raises(AliotError, made.check)


def test_an_nvs_that_cannot_be_opened_is_no_fault():
    def cannot(space):
        raise OSError(-4353, "ESP_ERR_NVS_NOT_INITIALIZED")

    made = quota(Medium("nvs"), Clock())
    id2.NVS = cannot
    for _ in range(10):
        made.spend()
    raises(AliotError, made.check)
    assert list(Quota("id2.logins", 10).times) == []


def test_a_spoiled_count_is_no_fault():
    for data in (b"", b"\1\2\3", bytes(41), b"\xff" * 400):
        nvs = Medium("nvs")
        nvs.kept["id2.logins"] = data
        made = quota(nvs, Clock())
        try:
            made.spend()
        except AliotError as problem:
            assert problem.code == "id2.quota"


def test_two_counts_do_not_mix():
    clock, nvs = Clock(), Medium("nvs")
    spend(nvs, clock, 10)
    Quota("id2.requests", 4).spend()
    raises(AliotError, quota(nvs, clock).check)
