"""Scripts run in SafeKit's order: each row of the table of its guide (reference 5) is a case here.

`*` behind a name: called twice, the second time with `force`. What differs, on purpose: a swap
passes through ALONE on the node that becomes primary, for its peer is no secondary yet; so its
stop_sec runs when the peer has become SECOND.
"""

from collections.abc import Iterable

import pytest

from mirror.core import scripts
from mirror.vocabulary.actions import ScriptCall
from mirror.vocabulary.states import ScreenWord as W

FORCED = "stop_sec force; stop_prim force; stop_second force; stop_both force"


def written(calls: Iterable[ScriptCall]) -> str:
    """Write calls as the guide does: a call and its forced one are `name*`."""
    words: list[str] = []
    for call in calls:
        if call.forced and words and words[-1] == call.name:
            words[-1] = f"{call.name}*"
        else:
            words.append(f"{call.name} force" if call.forced else call.name)
    return "; ".join(words)


# fmt: off
ENTERING = [
    (W.STOP,   W.WAIT,   "transition; prestart"),
    (W.WAIT,   W.ALONE,  "transition; start_both; start_prim; start_sec"),
    (W.WAIT,   W.UP,     "transition; start_both; start_prim; start_sec"),
    (W.WAIT,   W.PRIM,   "transition; start_both; start_prim"),
    (W.WAIT,   W.SECOND, "transition; start_both; start_second; start_sec"),
    (W.ALONE,  W.PRIM,   "stop_sec; transition"),
    (W.PRIM,   W.ALONE,  "transition; start_sec"),
    (W.SECOND, W.ALONE,  "stop_second; transition; start_prim"),
    (W.SECOND, W.WAIT,   "stop_sec; stop_second; stop_both; transition"),
]
# fmt: on


@pytest.mark.parametrize(("leaves", "enters", "order"), ENTERING)
def test_entering_a_role(leaves: W, enters: W, order: str) -> None:
    calls = scripts.enter(leaves, enters, "start")
    assert written(calls) == order
    assert {call.arguments for call in calls} == {(leaves.value, enters.value, "start")}


@pytest.mark.parametrize(
    ("role", "order"),
    [
        (W.ALONE, "stop_prim*; transition; start_second"),
        (W.PRIM, "stop_prim*; transition; start_second; start_sec"),
    ],
)
def test_a_primary_becomes_secondary(role: W, order: str) -> None:
    calls = (*scripts.leave_for_swap(role), *scripts.enter(role, W.SECOND, "swap"))
    assert written(calls) == order


def test_a_secondary_becomes_primary_by_a_swap() -> None:
    calls = (*scripts.enter(W.SECOND, W.ALONE, "swap"), *scripts.enter(W.ALONE, W.PRIM, "swap"))
    assert written(calls) == "stop_second; transition; start_prim; stop_sec; transition"


@pytest.mark.parametrize(
    ("role", "order"),
    [
        (W.PRIM, "stop_prim; stop_both; transition"),
        (W.ALONE, "stop_sec; stop_prim; stop_both; transition"),
        (W.UP, "stop_sec; stop_prim; stop_both; transition"),
        (W.SECOND, "stop_sec; stop_second; stop_both; transition"),
        (W.WAIT, ""),
    ],
)
def test_leaving_a_role_down_to_stop(role: W, order: str) -> None:
    calls = scripts.leave(role, "stopstart")
    down = [call for call in calls if not call.forced]
    assert written(down) == order
    assert {call.arguments for call in down} <= {(role.value, "WAIT", "stopstart")}
    out = [*(call for call in calls if call.forced), *scripts.after_stop("stopstart")]
    assert written(out) == f"{FORCED}; poststop; transition"
    assert {call.arguments for call in out} == {("WAIT", "STOP", "stopstart")}


@pytest.mark.parametrize(
    ("role", "order"),
    [
        (W.ALONE, "stop_sec*; stop_prim*; stop_both*; start_both; start_prim; start_sec"),
        (W.UP, "stop_sec*; stop_prim*; stop_both*; start_both; start_prim; start_sec"),
        (W.PRIM, "stop_prim*; stop_both*; start_both; start_prim"),
        (W.SECOND, "stop_sec*; stop_second*; stop_both*; start_both; start_second; start_sec"),
    ],
)
def test_restart(role: W, order: str) -> None:
    assert written(scripts.restart(role)) == order
