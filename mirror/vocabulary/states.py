"""The states of a module on one node: names and meanings, no behaviour.

What people see stays SafeKit's word and readiness (`SHOWN`); inside there is one state for each
thing that may be in progress, so that the table (core/automaton.py) needs no hidden condition.
"""

from enum import StrEnum


class State(StrEnum):
    """One sentence each: `MEANING`. Names are written in records, words and logs: never reused."""

    STOP = "STOP"
    STARTING = "STARTING"
    WAIT = "WAIT"
    SETTLING = "SETTLING"
    TAKING_OVER = "TAKING_OVER"
    ALONE = "ALONE"
    PAIRING = "PAIRING"
    PRIM = "PRIM"
    FREEZING = "FREEZING"
    GOING_ALONE = "GOING_ALONE"
    JOINING = "JOINING"
    SECOND = "SECOND"
    ORPHANED = "ORPHANED"
    LEAVING = "LEAVING"
    CLOSING = "CLOSING"
    # of a light module
    GOING_UP = "GOING_UP"
    UP = "UP"


class ScreenWord(StrEnum):
    """SafeKit's words."""

    STOP = "STOP"
    WAIT = "WAIT"
    ALONE = "ALONE"
    PRIM = "PRIM"
    SECOND = "SECOND"
    UP = "UP"
    UNKNOWN = "UNKNOWN"


class Readiness(StrEnum):
    """SafeKit's three colours: red, orange, green."""

    NOT_READY = "NotReady"
    TRANSIENT = "Transient"
    READY = "Ready"
    UNKNOWN = "Unknown"


MEANING: dict[State, str] = {
    State.STOP: "nothing runs; the directories are plain",
    State.STARTING: "prestart runs; the data plane comes up and covers the directories",
    State.WAIT: "covered and not serving: it waits for the peer, the witness or the administrator",
    State.SETTLING: "was SECOND, is about to take over: what was received is brought to the disk",
    State.TAKING_OVER: "records itself alone, then mounts, takes the address, starts the scripts",
    State.ALONE: "serves without a secondary, noting what changes; may be bringing one up to date",
    State.PAIRING: "the secondary holds everything: both are recorded, then changes wait for it",
    State.PRIM: "serves, and no change is acknowledged before the secondary has it",
    State.FREEZING: "was PRIM, the link is lost: changes wait while it asks whether to go on",
    State.GOING_ALONE: "may go on: recorded alone on disk before the first change is let through",
    State.JOINING: "target of a reintegration, or waiting for the primary to offer one",
    State.SECOND: "holds everything that was acknowledged, and is ready to take over",
    State.ORPHANED: "was SECOND and the link is lost: it finds out whether the primary lives",
    State.LEAVING: "the application is being stopped, the address given back, changes drained",
    State.CLOSING: "nothing runs any more: recorded, said to the peer, unmounted",
    State.GOING_UP: "light module: the scripts that start the application run",
    State.UP: "light module: the application runs, its checkers watch it",
}

# What the application may be doing decides who else may start: only these may answer clients.
SERVING = frozenset(
    {
        State.TAKING_OVER,
        State.ALONE,
        State.PAIRING,
        State.PRIM,
        State.FREEZING,
        State.GOING_ALONE,
    }
)

SHOWN: dict[State, tuple[ScreenWord, Readiness]] = {
    State.STOP: (ScreenWord.STOP, Readiness.NOT_READY),
    State.STARTING: (ScreenWord.WAIT, Readiness.TRANSIENT),
    State.WAIT: (ScreenWord.WAIT, Readiness.NOT_READY),
    State.SETTLING: (ScreenWord.ALONE, Readiness.TRANSIENT),
    State.TAKING_OVER: (ScreenWord.ALONE, Readiness.TRANSIENT),
    State.ALONE: (ScreenWord.ALONE, Readiness.READY),
    State.PAIRING: (ScreenWord.ALONE, Readiness.READY),
    State.PRIM: (ScreenWord.PRIM, Readiness.READY),
    State.FREEZING: (ScreenWord.PRIM, Readiness.TRANSIENT),
    State.GOING_ALONE: (ScreenWord.PRIM, Readiness.TRANSIENT),
    State.JOINING: (ScreenWord.SECOND, Readiness.TRANSIENT),
    State.SECOND: (ScreenWord.SECOND, Readiness.READY),
    State.ORPHANED: (ScreenWord.SECOND, Readiness.TRANSIENT),
    State.LEAVING: (ScreenWord.WAIT, Readiness.TRANSIENT),
    State.CLOSING: (ScreenWord.WAIT, Readiness.TRANSIENT),
    State.GOING_UP: (ScreenWord.UP, Readiness.TRANSIENT),
    State.UP: (ScreenWord.UP, Readiness.READY),
}

# A light module has no peer and no data, so these never meet the table of a mirror.
LIGHT_ONLY = frozenset({State.GOING_UP, State.UP})


class Goal(StrEnum):
    """Why a node leaves, and so what follows when it has left."""

    STOP = "stop"
    START = "start"
    JOIN = "join"
