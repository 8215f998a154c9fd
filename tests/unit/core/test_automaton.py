"""The automaton decides every pair once, says why, and nothing in it is out of reach."""

from collections import Counter
from itertools import product

from mirror.core.automaton import BY_PAIR, ROWS, STEP_MEANING, Outcome, Step
from mirror.vocabulary.events import EventKind
from mirror.vocabulary.states import LIGHT_ONLY, MEANING, SERVING, SHOWN, State

STATES = set(State) - LIGHT_ONLY  # test_light.py has those of a light module


def test_each_pair_is_decided_once() -> None:
    decided = Counter((row.state, event) for row in ROWS for event in row.events)
    assert decided == Counter(product(STATES, EventKind))
    assert len(BY_PAIR) == len(STATES) * len(EventKind)


def test_row_ids_are_unique_and_each_row_says_why() -> None:
    assert max(Counter(row.row_id for row in ROWS).values()) == 1
    assert all(row.why for row in ROWS)


def test_every_state_and_step_has_its_sentence() -> None:
    assert set(MEANING) == set(State) == set(SHOWN)
    assert set(STEP_MEANING) == set(Step) == {step for row in ROWS for step in row.steps}


def test_every_state_can_be_reached_and_left() -> None:
    reached = {row.then for row in ROWS if isinstance(row.then, State)}
    assert reached == STATES
    left = {row.state for row in ROWS if isinstance(row.then, State)}
    assert left == STATES


def test_only_commands_are_refused() -> None:
    refused = {kind for row in ROWS if row.then is Outcome.REFUSE for kind in row.events}
    assert all(kind.value.endswith("_ASKED") for kind in refused)


def test_a_stop_is_never_refused() -> None:
    stops = {EventKind.STOP_ASKED, EventKind.FORCESTOP_ASKED, EventKind.STOPSTART_ASKED}
    assert not [row.row_id for row in ROWS if row.then is Outcome.REFUSE and stops & {*row.events}]


def test_force_is_never_deferred() -> None:
    deferred = {kind for row in ROWS if row.then is Outcome.DEFER for kind in row.events}
    assert EventKind.FORCESTOP_ASKED not in deferred
    assert EventKind.DATA_PLANE_LOST not in deferred


def test_serving_begins_only_with_a_record() -> None:
    # Invariant 2: whoever begins to serve without a secondary has recorded it in the same row.
    begins = [
        row
        for row in ROWS
        if row.then in {State.TAKING_OVER, State.GOING_ALONE} and row.state is not row.then
    ]
    assert begins
    for row in begins:
        opens = {Step.MOUNT, Step.GO_ALONE} & {*row.steps}
        assert opens, row.row_id
        assert row.steps.index(Step.RECORD_ALONE) < min(row.steps.index(step) for step in opens)


def test_who_leaves_a_serving_state_stops_the_application_first() -> None:
    for row in ROWS:
        if row.state in SERVING and row.then is State.LEAVING:
            assert Step.KILL in row.steps, row.row_id
            assert row.steps.index(Step.KILL) < row.steps.index(Step.DRAIN), row.row_id


def test_nothing_is_handed_over_before_the_application_is_gone() -> None:
    # Invariant 8: RECORD_STOP, which tells the peer to go on, stands in CLOSING rows only.
    with_word = [row for row in ROWS if Step.RECORD_STOP in row.steps]
    assert {(row.state, row.then) for row in with_word} == {
        (State.LEAVING, State.CLOSING),
        (State.CLOSING, Outcome.STAY),
    }
