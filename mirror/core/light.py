"""The automaton of a light module: one node, its scripts and its checkers; no peer and no data.

As core/automaton.py: every pair of a state of LIGHT_STATES and an event kind stands in exactly one
row. Events of a peer or of a data plane never come; their rows say so.
"""

from mirror.core.automaton import CYCLE, DONE, FAILED, KILL_, RESTART, START, STOPS, Outcome, Row
from mirror.core.automaton import Step as X
from mirror.vocabulary.events import EventKind
from mirror.vocabulary.states import State

LIGHT_STATES = (
    *(State.STOP, State.STARTING, State.WAIT, State.GOING_UP, State.UP),
    *(State.LEAVING, State.CLOSING),
)
E, S = EventKind, State
STAY, REFUSE, DEFER = Outcome.STAY, Outcome.REFUSE, Outcome.DEFER
ROLES = (E.PRIM_ASKED, E.SECOND_ASKED, E.SWAP_ASKED)
RESUMED = (E.RESUMED_UP, E.RESUMED_BROKEN)
CLOSED = (E.CLOSED_TO_STOP, E.CLOSED_TO_START)
MAY, RETRY = (E.MAY_SERVE,), (E.RETRY_DUE,)
OURS = (*START, *STOPS, *RESTART, *ROLES, *RESUMED, *DONE, *FAILED, *CLOSED, *MAY, *RETRY)
FOREIGN = tuple(kind for kind in EventKind if kind not in OURS)
LEAVE = (X.RUN_STOP, X.KILL)

# fmt: off
ROWS: tuple[Row, ...] = (
    #   id     state        events                                         then        steps                 why
    Row("LO1", S.STOP,      (*START, E.STOPSTART_ASKED),                   S.STARTING, (X.RUN_PRESTART,),    "asked"),
    Row("LO2", S.STOP,      (E.STOP_ASKED, *KILL_),                        STAY,       (),                   "already so"),
    Row("LO3", S.STOP,      RESTART,                                       REFUSE,     (),                   "the module is stopped: start it first"),
    Row("LO4", S.STOP,      (E.RESUMED_UP,),                               S.UP,       (),                   "the application was never touched"),
    Row("LO5", S.STOP,      (E.RESUMED_BROKEN,),                           S.LEAVING,  LEAVE,                "found in the middle of something: cleaned away, then started again"),
    Row("LO6", S.STOP,      DONE + FAILED + CLOSED + MAY + RETRY,          STAY,       (),                   "stopped: nothing moves it but a command"),

    Row("LT1", S.STARTING,  DONE,                                          S.WAIT,     (),                   "prestart ended: now whether a rule keeps it waiting"),
    Row("LT2", S.STARTING,  FAILED + STOPS,                                S.LEAVING,  LEAVE,                "asked, or what it needs to start is not there"),
    Row("LT3", S.STARTING,  START,                                         STAY,       (),                   "it is starting"),
    Row("LT4", S.STARTING,  RESTART,                                       REFUSE,     (),                   "the module is starting: nothing to restart yet"),
    Row("LT5", S.STARTING,  RESUMED + CLOSED + MAY + RETRY,                STAY,       (),                   "it decides when it has started"),

    Row("LW1", S.WAIT,      MAY,                                           S.GOING_UP, (X.RUN_START,),       "no failover rule keeps it waiting"),
    Row("LW2", S.WAIT,      STOPS,                                         S.LEAVING,  LEAVE,                "asked"),
    Row("LW3", S.WAIT,      START,                                         STAY,       (),                   "started already: it waits for a resource"),
    Row("LW4", S.WAIT,      RESTART,                                       REFUSE,     (),                   "no application runs here"),
    Row("LW5", S.WAIT,      RESUMED + DONE + FAILED + CLOSED + RETRY,      STAY,       (),                   "only its rules move it"),

    Row("LG1", S.GOING_UP,  DONE,                                          S.UP,       (),                   "the application was started"),
    Row("LG2", S.GOING_UP,  FAILED,                                        S.LEAVING,  LEAVE,                "cleaned away, started again, counted by maxloop"),
    Row("LG3", S.GOING_UP,  KILL_,                                         S.LEAVING,  (X.KILL,),            "asked, with force: scripts in hand are killed"),
    Row("LG4", S.GOING_UP,  CYCLE + RESTART,                               DEFER,      (),                   "after the start scripts: one script at a time"),
    Row("LG5", S.GOING_UP,  START,                                         STAY,       (),                   "it is starting"),
    Row("LG6", S.GOING_UP,  RESUMED + CLOSED + MAY + RETRY,                STAY,       (),                   "decided already"),

    Row("LU1", S.UP,        CYCLE,                                         S.LEAVING,  LEAVE,                "asked"),
    Row("LU2", S.UP,        KILL_,                                         S.LEAVING,  (X.KILL,),            "asked, with force"),
    Row("LU3", S.UP,        RESTART,                                       STAY,       (X.RESTART_SCRIPTS,), "scripts only"),
    Row("LU4", S.UP,        START,                                         STAY,       (),                   "already so"),
    Row("LU5", S.UP,        RESUMED + DONE + FAILED + CLOSED + MAY + RETRY, STAY,      (),                   "it runs"),

    Row("LV1", S.LEAVING,   DONE,                                          S.CLOSING,  (X.RUN_POSTSTOP,),    "no process is left"),
    Row("LV2", S.LEAVING,   FAILED,                                        STAY,       (),                   "half stopped: tried again (invariant 8)"),
    Row("LV3", S.LEAVING,   RETRY + KILL_,                                 STAY,       (X.KILL,),            "kill and look again"),
    Row("LV4", S.LEAVING,   CYCLE,                                         STAY,       (),                   "the last one asked decides what follows"),
    Row("LV5", S.LEAVING,   START,                                         DEFER,      (),                   "after the stop"),
    Row("LV6", S.LEAVING,   RESTART,                                       REFUSE,     (),                   "the module is stopping"),
    Row("LV7", S.LEAVING,   RESUMED + CLOSED + MAY,                        STAY,       (),                   "first it ends what runs"),

    Row("LB1", S.CLOSING,   (E.CLOSED_TO_STOP,),                           S.STOP,     (),                   "done"),
    Row("LB2", S.CLOSING,   (E.CLOSED_TO_START,),                          S.STARTING, (X.RUN_PRESTART,),    "and started again"),
    Row("LB3", S.CLOSING,   RETRY,                                         STAY,       (X.RUN_POSTSTOP,),    "tried again"),
    Row("LB4", S.CLOSING,   CYCLE + KILL_,                                 STAY,       (),                   "the last one asked decides what follows"),
    Row("LB5", S.CLOSING,   START,                                         DEFER,      (),                   "after the stop"),
    Row("LB6", S.CLOSING,   RESTART,                                       REFUSE,     (),                   "the module is stopping"),
    Row("LB7", S.CLOSING,   RESUMED + DONE + FAILED + MAY,                 STAY,       (),                   "nothing runs any more"),

    *(Row(f"LR{number}", state, ROLES,   REFUSE, (), "a light module runs on one node: `start` and `stop` are its commands") for number, state in enumerate(LIGHT_STATES)),
    *(Row(f"LF{number}", state, FOREIGN, STAY,   (), "no peer and no data plane: it never comes") for number, state in enumerate(LIGHT_STATES)),
)
# fmt: on
BY_PAIR: dict[tuple[State, EventKind], Row] = {
    (row.state, kind): row for row in ROWS for kind in row.events
}
