"""The decision table of a task, event by event, and what any sequence of events leaves true (application.md 5.8)."""

import random
from dataclasses import replace

import pytest

from tools.emulator.cloud.ota import tasks
from tools.emulator.cloud.ota.tasks import (
    CANCELED,
    CONFIRM,
    FAILED,
    IN_PROGRESS,
    MOVES,
    NOTIFIED,
    QUEUED,
    SUCCEEDED,
    Rules,
    Task,
)

NOW, MINUTE = 1_750_000_000_000, 60_000
TIMED = Rules(timeout=60 * MINUTE)
RETRYING = Rules(timeout=60 * MINUTE, retry_after=10 * MINUTE, retries=2)


def task(status, **more):
    deadline = NOW + 60 * MINUTE if status == IN_PROGRESS else None
    one = Task("t", "j", "pk", "dn", "default", "1.0", "2.0", 1, NOW, NOW, status, deadline=deadline)
    return replace(one, **more)


def report(step, rules=TIMED):
    return lambda one: one.report(rules, step, "", NOW)


def inform(version, rules=TIMED):
    return lambda one: one.inform(rules, version, NOW)


ORDER = (CONFIRM, QUEUED, NOTIFIED, IN_PROGRESS, SUCCEEDED, FAILED, CANCELED)
# event -> the state after it, for each state of ORDER; "" for the same task
TABLE = {
    "push": (lambda one: one.push(NOW), ("", NOTIFIED, "", "", "", "", "")),
    "the first progress": (report(1), ("", "", IN_PROGRESS, IN_PROGRESS, "", "", "")),
    "progress 0": (report(0), ("", "", IN_PROGRESS, IN_PROGRESS, "", "", "")),
    "100 % is no success": (report(100), ("", "", IN_PROGRESS, IN_PROGRESS, "", "", "")),
    "a negative step": (report(-2), ("", "", FAILED, FAILED, "", "", "")),
    "a negative step, retried": (report(-2, RETRYING), ("", "", IN_PROGRESS, IN_PROGRESS, "", "", "")),
    "the target": (inform("2.0"), (SUCCEEDED, SUCCEEDED, SUCCEEDED, SUCCEEDED, "", "", "")),
    "the source": (inform("1.0"), ("", "", "", FAILED, "", "", "")),
    "the source, retried": (inform("1.0", RETRYING), ("", "", "", IN_PROGRESS, "", "", "")),
    "another version": (inform("9"), (FAILED, FAILED, FAILED, FAILED, "", "", "")),
    "another version, retried": (
        inform("9", RETRYING),
        (FAILED, FAILED, NOTIFIED, IN_PROGRESS, "", "", ""),
    ),
    "another version, adopted": (
        inform("9", Rules(adopts=True)),
        (CONFIRM, QUEUED, FAILED, FAILED, "", "", ""),
    ),
    "before the timeout": (lambda one: one.wake(NOW + 60 * MINUTE - 1), ("",) * 7),
    "the timeout": (lambda one: one.wake(NOW + 60 * MINUTE), ("", "", "", FAILED, "", "", "")),
    "ConfirmOTATask": (lambda one: one.confirm(NOW), (QUEUED, "", "", "", "", "", "")),
    "cancel": (lambda one: one.cancel(NOW), (CANCELED, CANCELED, CANCELED, CANCELED, "", "", "")),
    "overwritten": (lambda one: one.yield_to(NOW), (FAILED, FAILED, FAILED, "", "", "", "")),
}


@pytest.mark.parametrize("event", TABLE)
def test_each_event_in_each_state(event):
    change, after = TABLE[event]
    for status, expected in zip(ORDER, after):
        before = task(status)
        found = change(before)
        assert found.status == (expected or status), status
        assert (found is before) == (expected == ""), status


def test_the_first_progress_starts_the_clock_of_the_timeout_and_later_ones_do_not():
    first = task(NOTIFIED).report(TIMED, 5, "", NOW + MINUTE)
    assert first.deadline == NOW + 61 * MINUTE and first.due == first.deadline
    assert first.report(TIMED, 50, "half", NOW + 9 * MINUTE).deadline == first.deadline
    assert task(NOTIFIED).report(Rules(), 5, "", NOW).due is None


def test_retries_are_counted_and_the_state_stays_while_one_is_awaited():
    one = task(IN_PROGRESS)
    for retried in (0, 1):
        one = one.report(RETRYING, -3, "digest", NOW)
        assert (one.status, one.retry_at, one.retried, one.desc) == (
            IN_PROGRESS,
            NOW + 10 * MINUTE,
            retried,
            "digest",
        )
        for nothing in (report(-1), report(50), inform("1.0"), inform("9")):
            assert nothing(one) is one
        one = one.push(NOW + 10 * MINUTE)
        assert (one.retry_at, one.retried) == (None, retried + 1)
    assert one.report(RETRYING, -3, "", NOW).status == FAILED


def test_a_timeout_while_a_retry_is_awaited_ends_the_task():
    one = task(IN_PROGRESS).report(RETRYING, -1, "", NOW)
    assert one.wake(NOW + 60 * MINUTE).status == FAILED
    assert one.wake(NOW + 60 * MINUTE).due is None


def test_by_a_switch_only_negative_steps_are_retried():
    rules = Rules(None, 0, 5, steps_only=True)
    assert task(IN_PROGRESS).inform(rules, "1.0", NOW).status == FAILED
    assert task(IN_PROGRESS).report(rules, -1, "", NOW).retry_at == NOW


def test_a_device_without_a_version_takes_the_first_one_as_its_source():
    one = task(NOTIFIED, source="").inform(TIMED, "1.5", NOW)
    assert (one.status, one.source) == (NOTIFIED, "1.5")
    assert one.inform(TIMED, "1.4", NOW).status == FAILED
    assert task(NOTIFIED, source="").inform(TIMED, "2.0", NOW).status == SUCCEEDED


EVENTS = [
    lambda one, rules, now: one.push(now),
    lambda one, rules, now: one.confirm(now),
    lambda one, rules, now: one.wake(now),
    lambda one, rules, now: one.yield_to(now),
    lambda one, rules, now: one.cancel(now),
    *(lambda one, rules, now, step=step: one.report(rules, step, "", now) for step in (-4, -1, 0, 50, 100)),
    *(lambda one, rules, now, text=text: one.inform(rules, text, now) for text in ("1.0", "2.0", "3")),
]


def reachable(status):
    """The states that one event may lead to, those between included."""
    return {status, *MOVES[status], *(two for one in MOVES[status] for two in MOVES[one])}


def test_any_sequence_moves_only_as_the_table_allows():
    for seed in range(300):
        play(random.Random(seed), NOW)


def play(chance, now):
    rules = Rules(chance.choice([None, MINUTE, 60 * MINUTE]), chance.choice([None, 0, 600_000]), 2)
    one = task(chance.choice((CONFIRM, QUEUED)))
    for _ in range(60):
        now += chance.randrange(3 * MINUTE)
        event = chance.choices(EVENTS, [8, 2, 4, 0.2, 0.2, *[1] * 8])[0]
        after = event(one, rules, now)
        assert after.status in reachable(one.status)
        assert after.changed >= one.changed and after.retried <= rules.retries
        if after.status in (NOTIFIED, IN_PROGRESS):
            assert after.pushed is not None
        if one.final:
            assert after is one and one.due is None
        one = after


def test_each_state_has_its_row():
    assert set(MOVES) == set(ORDER) and set(tasks.FINAL) == {one for one in MOVES if not MOVES[one]}
