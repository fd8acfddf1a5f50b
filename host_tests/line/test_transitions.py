"""The transition table against its promises, for any sequence of actions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.line.ledger import transitions as t

WALKS = st.lists(st.tuples(st.sampled_from(t.ACTIONS), st.booleans()), max_size=40)


def walk(actions):
    """Yields (before, action, touched, after) of those actions that the table allows."""
    state, touched = t.FREE, False
    for action, touch in actions:
        touched = touched or (touch and state == t.RESERVED)
        try:
            after = t.step(state, action, touched)
        except t.Refused:
            continue
        if after == t.FREE:
            assert not touched
        yield state, action, touched, after
        state = after


@given(WALKS)
def test_every_walk_stays_in_the_known_states(actions):
    assert all(after in t.STATES for *_, after in walk(actions))


@given(WALKS)
def test_an_identity_that_may_be_on_a_board_never_becomes_free(actions):
    assert not any(touched and after == t.FREE for _, _, touched, after in walk(actions))


@given(WALKS)
def test_a_failure_leaves_the_identity_bound_until_a_person_acts(actions):
    for before, action, _, after in walk(actions):
        if before in t.BOUND and after not in t.BOUND:
            assert action in ("void", "release")


@given(WALKS)
def test_done_comes_only_from_verified_and_verified_only_from_written(actions):
    for before, _, _, after in walk(actions):
        if after == t.DONE and before != t.DONE:
            assert before == t.VERIFIED
        if after == t.VERIFIED and before != t.VERIFIED:
            assert before == t.WRITTEN


@given(WALKS)
def test_void_ends_only_by_reopening(actions):
    for before, action, _, after in walk(actions):
        if before == t.VOID:
            assert (action, after) == ("reopen", t.RESERVED)


@pytest.mark.parametrize("state", t.STATES)
@pytest.mark.parametrize("action", t.ACTIONS)
def test_what_the_table_lacks_is_refused_with_what_it_allows(state, action):
    if (state, action) in t.TABLE:
        assert t.step(state, action) == t.TABLE[state, action]
        return
    with pytest.raises(t.Refused) as refused:
        t.step(state, action)
    for other in t.ACTIONS:
        if (state, other) in t.TABLE:
            assert other in str(refused.value)


def test_every_state_can_be_left_and_every_state_can_be_reached():
    assert {state for state, _ in t.TABLE} == set(t.STATES) == set(t.TABLE.values())
