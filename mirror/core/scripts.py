"""Which scripts run when, in SafeKit's order (reference 5). Pure.

A role is what the scripts know of a node: STOP, WAIT, ALONE, PRIM, SECOND or UP. Arguments of a
script: the role it leaves, the role it enters, the action.
"""

from mirror.vocabulary.actions import ScriptCall
from mirror.vocabulary.states import ScreenWord

W = ScreenWord

START: dict[tuple[ScreenWord, ScreenWord], tuple[str, ...]] = {
    (W.STOP, W.WAIT): ("transition", "prestart"),
    (W.WAIT, W.ALONE): ("transition", "start_both", "start_prim", "start_sec"),
    (W.WAIT, W.UP): ("transition", "start_both", "start_prim", "start_sec"),
    (W.WAIT, W.PRIM): ("transition", "start_both", "start_prim"),
    (W.WAIT, W.SECOND): ("transition", "start_both", "start_second", "start_sec"),
    (W.ALONE, W.PRIM): ("stop_sec", "transition"),
    (W.PRIM, W.ALONE): ("transition", "start_sec"),
    (W.SECOND, W.ALONE): ("stop_second", "transition", "start_prim"),
    # A target whose primary went away: SECOND -> WAIT.
    (W.SECOND, W.WAIT): ("stop_sec", "stop_second", "stop_both", "transition"),
    # After a swap: start_both never stopped.
    (W.PRIM, W.SECOND): ("transition", "start_second", "start_sec"),
    (W.ALONE, W.SECOND): ("transition", "start_second"),
}
STOP: dict[ScreenWord, tuple[str, ...]] = {
    W.PRIM: ("stop_prim", "stop_both"),
    W.ALONE: ("stop_sec", "stop_prim", "stop_both"),
    W.SECOND: ("stop_sec", "stop_second", "stop_both"),
    W.UP: ("stop_sec", "stop_prim", "stop_both"),
}
# What these leave running is the application.
STARTS = ("start_prim", "start_both", "start_second", "start_sec")
FORCE = ("stop_sec", "stop_prim", "stop_second", "stop_both")
RESTART: dict[ScreenWord, tuple[tuple[str, ...], tuple[str, ...]]] = {
    W.ALONE: (("stop_sec", "stop_prim", "stop_both"), ("start_both", "start_prim", "start_sec")),
    W.UP: (("stop_sec", "stop_prim", "stop_both"), ("start_both", "start_prim", "start_sec")),
    W.PRIM: (("stop_prim", "stop_both"), ("start_both", "start_prim")),
    W.SECOND: (
        ("stop_sec", "stop_second", "stop_both"),
        ("start_both", "start_second", "start_sec"),
    ),
}
# Classes of <errd> whose processes must run in a role.
CLASSES: dict[ScreenWord, tuple[str, ...]] = {
    W.ALONE: ("prim", "both", "sec"),
    W.PRIM: ("prim", "both"),
    W.SECOND: ("second", "both", "sec"),
    W.UP: ("prim", "both", "sec"),
}

# Classes of <check> that run in a role, beside "pre".
CHECKERS: dict[ScreenWord, tuple[str, ...]] = {
    W.ALONE: ("prim", "both"),
    W.PRIM: ("prim", "both"),
    W.SECOND: ("second", "both"),
    W.UP: ("prim", "both"),
}


def enter(leaves: ScreenWord, enters: ScreenWord, action: str) -> tuple[ScriptCall, ...]:
    """Give the scripts of one transition; nothing when both roles are the same."""
    arguments = (leaves.value, enters.value, action)
    names = START.get((leaves, enters), ())
    return tuple(ScriptCall(name, arguments) for name in names)


def leave(role: ScreenWord, action: str) -> tuple[ScriptCall, ...]:
    """Stop everything: as the role asks, down to WAIT; then all of it with force, down to STOP."""
    graceful = STOP.get(role, ())
    down, out = (role.value, W.WAIT.value, action), (W.WAIT.value, W.STOP.value, action)
    names = (*graceful, "transition") if graceful else ()
    forced = tuple(ScriptCall(name, out, forced=True) for name in FORCE)
    return (*(ScriptCall(name, down) for name in names), *forced)


def leave_for_swap(role: ScreenWord) -> tuple[ScriptCall, ...]:
    """Stop what only a primary runs, twice: PRIM -> SECOND keeps start_both."""
    arguments = (role.value, W.SECOND.value, "swap")
    return (
        ScriptCall("stop_prim", arguments),
        ScriptCall("stop_prim", arguments, forced=True),
    )


def after_stop(action: str) -> tuple[ScriptCall, ...]:
    """Give what ends a stop."""
    arguments = (W.WAIT.value, W.STOP.value, action)
    return (ScriptCall("poststop", arguments), ScriptCall("transition", arguments))


def restart(role: ScreenWord, extra: tuple[str, ...] = ()) -> tuple[ScriptCall, ...]:
    """Stop (gracefully, then forced) and start again what the role runs.

    extra: arguments after the three, such as `-Services "a, b"` for a targeted restart.
    """
    stops, starts = RESTART.get(role, ((), ()))
    arguments = (role.value, role.value, "restart", *extra)
    both = [ScriptCall(name, arguments, forced) for name in stops for forced in (False, True)]
    return (*both, *(ScriptCall(name, arguments) for name in starts))
