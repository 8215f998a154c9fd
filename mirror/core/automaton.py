"""What happened, what next: the automaton of one module on one node, as one table.

Every pair of a state and an event kind stands in exactly one row; a test counts them. STAY, REFUSE
and DEFER are written, never implied. A row's actions are steps; plans.py turns them into actions
with the values of the moment. Rendered to tests/golden/automaton.md.

STAY: no change of state, though the steps are done. REFUSE: the command is answered with `why`.
DEFER: kept, and presented again after the next change of state.
"""

from dataclasses import dataclass
from enum import StrEnum

from mirror.vocabulary.events import EventKind
from mirror.vocabulary.said import Said
from mirror.vocabulary.states import State


class Step(StrEnum):
    """What a row asks for, in order. One sentence each: STEP_MEANING."""

    RUN_PRESTART = "RUN_PRESTART"
    START_DATA = "START_DATA"
    COVER = "COVER"
    IDENTIFY = "IDENTIFY"
    ASK_WITNESS = "ASK_WITNESS"
    FENCE = "FENCE"
    SETTLE = "SETTLE"
    PART_SESSION = "PART_SESSION"
    ADOPT = "ADOPT"
    RECORD_ALONE = "RECORD_ALONE"
    MOUNT = "MOUNT"
    TAKE_ADDRESS = "TAKE_ADDRESS"
    RUN_START = "RUN_START"
    FREEZE = "FREEZE"
    GO_ALONE = "GO_ALONE"
    OFFER = "OFFER"
    LEAD = "LEAD"
    RECORD_PAIR = "RECORD_PAIR"
    TELL_WITNESS = "TELL_WITNESS"
    RECORD_TARGET = "RECORD_TARGET"
    FOLLOW = "FOLLOW"
    RECORD_IN_SYNC = "RECORD_IN_SYNC"
    CONFIRM_SYNC = "CONFIRM_SYNC"
    RECORD_OUT = "RECORD_OUT"
    RECORD_DAMAGED = "RECORD_DAMAGED"
    RECORD_SPLIT = "RECORD_SPLIT"
    RECORD_STOOD_BY = "RECORD_STOOD_BY"
    ASK_SWAP = "ASK_SWAP"
    RESTART_SCRIPTS = "RESTART_SCRIPTS"
    CLOSE_GATE = "CLOSE_GATE"
    RUN_STOP = "RUN_STOP"
    KILL = "KILL"
    RELEASE_ADDRESS = "RELEASE_ADDRESS"
    DRAIN = "DRAIN"
    RECORD_STOP = "RECORD_STOP"
    TRY_RECORD_STOP = "TRY_RECORD_STOP"
    CLOSE_DATA = "CLOSE_DATA"
    RUN_POSTSTOP = "RUN_POSTSTOP"


STEP_MEANING: dict[Step, str] = {
    Step.RUN_PRESTART: "transition and prestart, which stop what may still run",
    Step.START_DATA: "the data plane's process runs and answers",
    Step.COVER: "the directories are covered by a read-only view",
    Step.IDENTIFY: "the hidden numbers of the directories are read",
    Step.ASK_WITNESS: "the witness, if there is one, is asked for this node to serve",
    Step.FENCE: "the silent peer's host is switched off, and that is verified",
    Step.SETTLE: "everything received is applied and on this disk; no worker is left",
    Step.PART_SESSION: "the session is ended here; the source sees it and offers another",
    Step.ADOPT: "directories without an identity get one, at the very first `prim`",
    Step.RECORD_ALONE: "durable: a new generation, may serve = {this node}",
    Step.MOUNT: "the directories are mounted over and accept changes",
    Step.TAKE_ADDRESS: "the virtual addresses are here",
    Step.RUN_START: "the scripts that start the application",
    Step.FREEZE: "changes are held, at once",
    Step.GO_ALONE: "recent set durable in the index, then changes go on alone",
    Step.OFFER: "a session is proposed to the peer",
    Step.LEAD: "the data plane brings the peer up to date",
    Step.RECORD_PAIR: "durable: may serve = both",
    Step.TELL_WITNESS: "the witness, which could not be told what the record says, is told again",
    Step.RECORD_TARGET: "durable: this copy is a mixture from now on",
    Step.FOLLOW: "the data plane accepts the session of the source",
    Step.RECORD_IN_SYNC: "durable: this node holds everything",
    Step.CONFIRM_SYNC: "the source is told so",
    Step.RECORD_OUT: "durable: not in step any more; said to the peer by the same",
    Step.RECORD_DAMAGED: "durable: this copy is wrong in unknown places",
    Step.RECORD_SPLIT: "durable: nobody serves before an administrator chooses",
    Step.RECORD_STOOD_BY: "durable: everything that a primary that is gone acknowledged is here",
    Step.ASK_SWAP: "the primary is asked to swap",
    Step.RESTART_SCRIPTS: "stop and start scripts again, nothing else",
    Step.CLOSE_GATE: "changes fail from now on, at once",
    Step.RUN_STOP: "the scripts that stop the application, then with force",
    Step.KILL: "no process of the application is left",
    Step.RELEASE_ADDRESS: "the virtual addresses are not here",
    Step.DRAIN: "nothing is in flight, both nodes counted the same",
    Step.RECORD_STOP: "durable: who goes on, and a clean stop; said to the peer by the same",
    Step.TRY_RECORD_STOP: "the same if this disk takes it; if not, what was on it before stands",
    Step.CLOSE_DATA: "unmounted; the data plane ended, or covering again when it joins",
    Step.RUN_POSTSTOP: "poststop and transition",
}


class Outcome(StrEnum):
    """What a row may say instead of a next state."""

    STAY = "STAY"
    REFUSE = "REFUSE"
    DEFER = "DEFER"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: these events, in this state."""

    row_id: str
    state: State
    events: tuple[EventKind, ...]
    then: State | Outcome
    steps: tuple[Step, ...]
    why: str

    @property
    def said(self) -> Said:
        """Why, with its code."""
        return Said(self.why, f"row.{self.row_id}")


E, S, X = EventKind, State, Step
STAY, REFUSE, DEFER = Outcome.STAY, Outcome.REFUSE, Outcome.DEFER

# Groups of events, to keep a row on a line.
START = (E.START_ASKED,)
PRIMARY, SECONDARY, PARTED = (E.PRIM_ASKED,), (E.SECOND_ASKED,), (E.PEER_PARTED,)
STARTS = (*START, *PRIMARY, *SECONDARY)
STOP, KILL_ = (E.STOP_ASKED,), (E.FORCESTOP_ASKED,)
CYCLE = (E.STOP_ASKED, E.STOPSTART_ASKED)
STOPS = (*CYCLE, *KILL_)
RESTART, SWAP = (E.RESTART_ASKED,), (E.SWAP_ASKED,)
RESUMED_UP = (E.RESUMED_UP,)  # of a light module, whose table is light.py
RESUMED = (
    *(E.RESUMED_ALONE, E.RESUMED_PRIM, E.RESUMED_SECOND, E.RESUMED_ORPHANED),
    *(E.RESUMED_BROKEN, *RESUMED_UP),
)
DONE, FAILED = (E.PLAN_DONE,), (E.PLAN_FAILED,)
CLOSED = (E.CLOSED_TO_STOP, E.CLOSED_TO_START, E.CLOSED_TO_JOIN)
MAY, WAITS, WANTED = (E.MAY_SERVE,), (E.MUST_WAIT,), (E.WITNESS_WANTED,)
DENIED, SERVES = (E.WITNESS_DENIED,), (E.PEER_SERVES,)
FENCED, FORBIDDEN = (E.FENCE_WANTED,), (E.TAKEOVER_FORBIDDEN,)
ELECTION = (*MAY, *WAITS, *WANTED, *DENIED, *SERVES, *FENCED, *FORBIDDEN)
JOINS, REFUSED, READY = (E.PEER_JOINS,), (E.PEER_REFUSED,), (E.PEER_READY,)
SPLIT, UNDECIDED = (E.SPLIT_WON, E.SPLIT_LOST), (E.SPLIT_UNDECIDED,)
MEETING = (*JOINS, *REFUSED, *READY, E.PEER_PARTED, *SPLIT)
SOURCE = (*MEETING, *UNDECIDED)
OFFERED, CONFIRMED = (E.OFFER_HEARD,), (E.PRIM_CONFIRMED,)
GOES_ON, LEFT, LOST = (E.PEER_GOES_ON,), (E.PEER_LEFT,), (E.PEER_LOST,)
OVER = (E.SYNC_OVER,)
TARGET = (*OFFERED, *CONFIRMED, *GOES_ON, *LEFT, *LOST, *OVER)
LINK, IN_SYNC, HAS_ALL = (E.LINK_LOST,), (E.IN_SYNC,), (E.TARGET_IN_SYNC,)
DEAD, FAULT = (E.DATA_PLANE_LOST,), (E.DATA_FAULT,)
DATA = (*LINK, *IN_SYNC, *HAS_ALL, *DEAD, *FAULT)
STALLED, EXPIRED, RETRY = (E.STALLED,), (E.FREEZE_EXPIRED,), (E.RETRY_DUE,)
TIME = (*STALLED, *EXPIRED, *RETRY)

START_UP = (X.RUN_PRESTART, X.START_DATA, X.COVER, X.IDENTIFY)
TAKE_OVER = (X.ADOPT, X.RECORD_ALONE, X.MOUNT, X.TAKE_ADDRESS, X.RUN_START)
PART = (X.RECORD_ALONE, X.GO_ALONE)
GO_OUT = (X.RECORD_OUT, X.SETTLE)
ACCEPT = (X.RECORD_TARGET, X.SETTLE, X.FOLLOW)
CONFIRM = (X.RECORD_IN_SYNC, X.CONFIRM_SYNC)
STOP_APP = (X.RUN_STOP, X.KILL, X.RELEASE_ADDRESS, X.DRAIN)
KILL_APP = (X.KILL, X.RELEASE_ADDRESS, X.DRAIN)
SHUT_APP = (X.CLOSE_GATE, X.RUN_STOP, X.KILL, X.RELEASE_ADDRESS, X.DRAIN)
OUT_AND_SHUT = (X.RECORD_OUT, *SHUT_APP)
LEAVE = (X.RECORD_OUT, X.RUN_STOP, X.KILL, X.SETTLE)
LEAVE_BAD = (X.RECORD_DAMAGED, X.RUN_STOP, X.KILL)
STAND_BY = (X.RUN_STOP, X.KILL, X.SETTLE, X.RECORD_STOOD_BY)
CLOSE = (X.RECORD_STOP, X.CLOSE_DATA, X.RUN_POSTSTOP)
FORCE_CLOSE = (X.TRY_RECORD_STOP, X.CLOSE_DATA, X.RUN_POSTSTOP)

# fmt: off
ROWS: tuple[Row, ...] = (
    #   id     state          events                                                         then           steps                 why
    Row("O01", S.STOP,        STARTS,                                                        S.STARTING,    START_UP,             "asked"),
    Row("O02", S.STOP,        (E.STOPSTART_ASKED,),                                          S.STARTING,    START_UP,             "stopped already, so it starts"),
    Row("O03", S.STOP,        STOP + KILL_,                                                  STAY,          (),                   "already so"),
    Row("O04", S.STOP,        RESTART + SWAP,                                                REFUSE,        (),                   "the module is stopped: start it first"),
    Row("O05", S.STOP,        (E.RESUMED_ALONE,),                                            S.ALONE,       (),                   "the application, mount and address were never touched"),
    Row("O06", S.STOP,        (E.RESUMED_PRIM,),                                             S.PRIM,        (),                   "the application, mount and address were never touched"),
    Row("O07", S.STOP,        (E.RESUMED_SECOND,),                                           S.SECOND,      (),                   "its session lives"),
    Row("O08", S.STOP,        (E.RESUMED_ORPHANED,),                                         S.ORPHANED,    (),                   "its session broke meanwhile"),
    Row("O09", S.STOP,        (E.RESUMED_BROKEN,),                                           S.LEAVING,     OUT_AND_SHUT,         "found in the middle of something: cleaned away, then started again"),
    Row("O10", S.STOP,        RESUMED_UP + DONE + FAILED + CLOSED + ELECTION + SOURCE + TARGET + DATA + TIME,STAY,          (),                   "stopped: nothing moves it but a command"),

    Row("T01", S.STARTING,    DONE,                                                          S.WAIT,        (),                   "covered: now who may serve"),
    Row("T02", S.STARTING,    FAILED + DEAD,                                                 S.LEAVING,     LEAVE,                "what it needs to start is not there"),
    Row("T03", S.STARTING,    STOPS,                                                         S.LEAVING,     LEAVE,                "asked"),
    Row("T04", S.STARTING,    STARTS,                                                        STAY,          (),                   "it is starting; a role that was asked is remembered"),
    Row("T05", S.STARTING,    RESTART + SWAP,                                                REFUSE,        (),                   "the module is starting: nothing to restart or swap yet"),
    Row("T06", S.STARTING,    RESUMED + CLOSED + ELECTION + SOURCE + TARGET + LINK + IN_SYNC + HAS_ALL + FAULT + TIME,STAY,          (),                   "it decides when it has started"),

    Row("W01", S.WAIT,        MAY,                                                           S.TAKING_OVER, TAKE_OVER,            "election: SERVE"),
    Row("W02", S.WAIT,        WAITS + DENIED,                                                STAY,          (),                   "election: WAIT, with its reason"),
    Row("W03", S.WAIT,        WANTED,                                                        STAY,          (X.ASK_WITNESS,),     "invariant 6: one compare-and-swap decides"),
    Row("W04", S.WAIT,        SERVES,                                                        S.JOINING,     (),                   "one primary: it becomes its secondary"),
    Row("W05", S.WAIT,        STOPS,                                                         S.LEAVING,     LEAVE,                "asked"),
    Row("W06", S.WAIT,        STARTS,                                                        STAY,          (),                   "started already; a role that was asked is remembered"),
    Row("W07", S.WAIT,        RESTART + SWAP,                                                REFUSE,        (),                   "no application runs here"),
    Row("W08", S.WAIT,        DEAD + FAULT,                                                  S.LEAVING,     LEAVE,                "started again with a new data plane"),
    Row("W09", S.WAIT,        DONE + FAILED,                                                 STAY,          (),                   "asked; the answer counts, or it is asked again"),
    Row("W10", S.WAIT,        RESUMED + CLOSED + FORBIDDEN + MEETING + TARGET + LINK + IN_SYNC + HAS_ALL + TIME,STAY,          (),                   "in no session: the election looks at the peer"),
    Row("W11", S.WAIT,        UNDECIDED,                                                     STAY,          (X.RECORD_SPLIT,),    "policy=ask: remembered, should the other node fall silent now"),
    Row("W12", S.WAIT,        FENCED,                                                        STAY,          (X.FENCE,),           "syncdelta: a silent host may serve what is newer, and is switched off first"),

    Row("L01", S.SETTLING,    DONE,                                                          S.TAKING_OVER, TAKE_OVER,            "invariant 3: all it received is on disk before it goes on alone"),
    Row("L02", S.SETTLING,    FAILED + FAULT,                                                S.LEAVING,     LEAVE_BAD,            "what it received cannot be brought to the disk: never promoted"),
    Row("L03", S.SETTLING,    GOES_ON,                                                       S.JOINING,     GO_OUT,               "the primary lives and goes on: nothing was recorded yet"),
    Row("L04", S.SETTLING,    SERVES,                                                        S.ORPHANED,    (),                   "the primary is heard again before anything was recorded"),
    Row("L05", S.SETTLING,    KILL_ + DEAD,                                                  S.LEAVING,     LEAVE,                "cannot take over"),
    Row("L06", S.SETTLING,    CYCLE + RESTART,                                               DEFER,         (),                   "soon ALONE"),
    Row("L07", S.SETTLING,    START + PRIMARY,                                               STAY,          (),                   "it is about to serve"),
    Row("L08", S.SETTLING,    SWAP + SECONDARY,                                              REFUSE,        (),                   "it is taking over: nobody else serves"),
    Row("L09", S.SETTLING,    RESUMED + CLOSED + MAY + WAITS + WANTED + DENIED + FENCED + FORBIDDEN + SOURCE + OFFERED + CONFIRMED + LEFT + LOST + OVER + LINK + IN_SYNC + HAS_ALL + TIME,STAY,          (),                   "decided already"),

    Row("K01", S.TAKING_OVER, DONE,                                                          S.ALONE,       (),                   "the application was started"),
    Row("K02", S.TAKING_OVER, FAILED + DEAD,                                                 S.LEAVING,     SHUT_APP,             "it cannot serve: cleaned away, started again, counted by maxloop"),
    Row("K03", S.TAKING_OVER, KILL_,                                                         S.LEAVING,     SHUT_APP,             "asked, with force: scripts in hand are killed"),
    Row("K04", S.TAKING_OVER, CYCLE + RESTART,                                               DEFER,         (),                   "after the start scripts: one script at a time"),
    Row("K05", S.TAKING_OVER, START + PRIMARY,                                               STAY,          (),                   "it is starting to serve"),
    Row("K06", S.TAKING_OVER, SWAP + SECONDARY,                                              REFUSE,        (),                   "it is starting to serve: nobody to swap with"),
    Row("K07", S.TAKING_OVER, RESUMED + CLOSED + ELECTION + SOURCE + TARGET + LINK + IN_SYNC + HAS_ALL + FAULT + TIME,STAY,          (),                   "recorded alone: the peer is looked at when ALONE"),

    Row("A01", S.ALONE,       JOINS,                                                         STAY,          (X.OFFER,),           "generations: it is the source"),
    Row("A02", S.ALONE,       REFUSED,                                                       STAY,          (),                   "generations: refused, with its sentence; asked again later"),
    Row("A03", S.ALONE,       READY,                                                         STAY,          (X.LEAD,),            "the target has recorded itself as one"),
    Row("A04", S.ALONE,       IN_SYNC,                                                       S.PAIRING,     (X.RECORD_PAIR,),     "the target's record is durable: now this one's"),
    Row("A05", S.ALONE,       LINK + PARTED,                                                 STAY,          (X.GO_ALONE,),        "still recorded alone: the recent set goes to the index"),
    Row("A06", S.ALONE,       DONE + FAILED,                                                 STAY,          (),                   "the application goes on whatever became of a reintegration"),
    Row("A07", S.ALONE,       (E.SPLIT_WON,),                                                STAY,          (),                   "split brain: this node stays"),
    Row("A08", S.ALONE,       (E.SPLIT_LOST,),                                               S.LEAVING,     STOP_APP,             "split brain: the peer stays, this node's versions are kept aside"),
    Row("A17", S.ALONE,       UNDECIDED,                                                     S.LEAVING,     (X.RECORD_SPLIT, *STOP_APP), "policy=ask: every change more would make the choice worse"),
    Row("A09", S.ALONE,       CYCLE,                                                         S.LEAVING,     STOP_APP,             "asked"),
    Row("A10", S.ALONE,       KILL_,                                                         S.LEAVING,     KILL_APP,             "asked, with force"),
    Row("A11", S.ALONE,       RESTART,                                                       STAY,          (X.RESTART_SCRIPTS,), "scripts only, no failover"),
    Row("A12", S.ALONE,       SWAP,                                                          REFUSE,        (),                   "nobody to swap with: no SECOND (Ready)"),
    Row("A13", S.ALONE,       START + PRIMARY,                                               STAY,          (),                   "already so"),
    Row("A14", S.ALONE,       SECONDARY,                                                     REFUSE,        (),                   "this node serves: stop it first"),
    Row("A15", S.ALONE,       DEAD,                                                          S.LEAVING,     KILL_APP,             "the mount is dead: the application cannot go on"),
    Row("A16", S.ALONE,       RESUMED + CLOSED + ELECTION + TARGET + HAS_ALL + FAULT + STALLED + EXPIRED,STAY,          (),                   "nobody else may serve; the application sees what its own disk says"),
    Row("A18", S.ALONE,       RETRY,                                                         STAY,          (X.TELL_WITNESS,),    "a restart beside a silent peer is granted what the witness knows"),

    Row("R01", S.PAIRING,     DONE,                                                          S.PRIM,        (),                   "both records say both"),
    Row("R02", S.PAIRING,     FAILED,                                                        S.ALONE,       (X.GO_ALONE,),        "not recorded, so not shared"),
    Row("R03", S.PAIRING,     LINK + FAULT + CYCLE + RESTART + SWAP + STALLED + PARTED,      DEFER,         (),                   "after the record, which takes milliseconds"),
    Row("R04", S.PAIRING,     KILL_ + DEAD,                                                  S.LEAVING,     KILL_APP,             "the application cannot go on"),
    Row("R05", S.PAIRING,     START + PRIMARY,                                               STAY,          (),                   "already so"),
    Row("R06", S.PAIRING,     SECONDARY,                                                     REFUSE,        (),                   "this node serves: stop it first"),
    Row("R07", S.PAIRING,     RESUMED + CLOSED + ELECTION + JOINS + REFUSED + READY + SPLIT + UNDECIDED + TARGET + IN_SYNC + HAS_ALL + EXPIRED + RETRY,STAY,          (),                   "soon PRIM"),

    Row("P01", S.PRIM,        LINK,                                                          S.FREEZING,    (X.FREEZE,),          "no change alone before it is recorded: invariant 2"),
    Row("P02", S.PRIM,        PARTED,                                                        S.FREEZING,    (X.FREEZE,),          "the secondary says that it is in this session no more"),
    Row("P03", S.PRIM,        STALLED,                                                       S.FREEZING,    (X.FREEZE,),          "it stood still: the secondary may serve; out until it has asked"),
    Row("P04", S.PRIM,        CYCLE + SWAP,                                                  S.LEAVING,     STOP_APP,             "asked"),
    Row("P05", S.PRIM,        KILL_,                                                         S.LEAVING,     KILL_APP,             "asked, with force"),
    Row("P06", S.PRIM,        RESTART,                                                       STAY,          (X.RESTART_SCRIPTS,), "scripts only, no failover"),
    Row("P07", S.PRIM,        START + PRIMARY,                                               STAY,          (),                   "already so"),
    Row("P08", S.PRIM,        SECONDARY,                                                     REFUSE,        (),                   "this node serves: `swap` exchanges the roles"),
    Row("P09", S.PRIM,        DEAD,                                                          S.LEAVING,     KILL_APP,             "the mount is dead: the secondary takes over at this node's word"),
    Row("P10", S.PRIM,        FAULT,                                                         S.LEAVING,     STOP_APP,             "its disk failed: the secondary's copy is good"),
    Row("P11", S.PRIM,        DONE + FAILED,                                                 STAY,          (),                   "nothing that the state rests on"),
    Row("P12", S.PRIM,        RESUMED + CLOSED + ELECTION + JOINS + REFUSED + READY + SPLIT + UNDECIDED + TARGET + IN_SYNC + HAS_ALL + EXPIRED,STAY,          (),                   "the link lives: a silent heartbeat alone means nothing"),
    Row("P13", S.PRIM,        RETRY,                                                         STAY,          (X.TELL_WITNESS,),    "the secondary may not take over before the witness knows it"),

    Row("F01", S.FREEZING,    MAY,                                                           S.GOING_ALONE, PART,                 "election: SERVE"),
    Row("F02", S.FREEZING,    WAITS,                                                         STAY,          (),                   "election: the answer is still out"),
    Row("F12", S.FREEZING,    FENCED,                                                        STAY,          (X.FENCE,),           "a peer that may serve is switched off before this node goes on alone"),
    Row("F03", S.FREEZING,    WANTED,                                                        STAY,          (X.ASK_WITNESS,),     "invariant 6: one compare-and-swap decides"),
    Row("F04", S.FREEZING,    DENIED,                                                        S.LEAVING,     SHUT_APP,             "the peer may have been granted it"),
    Row("F05", S.FREEZING,    SERVES,                                                        S.LEAVING,     SHUT_APP,             "the peer took over: nothing was acknowledged since the freeze"),
    Row("F06", S.FREEZING,    EXPIRED,                                                       S.LEAVING,     SHUT_APP,             "a hard limit ends every freeze: the peer lives and does not answer"),
    Row("F07", S.FREEZING,    DEAD + KILL_,                                                  S.LEAVING,     KILL_APP,             "the application cannot go on"),
    Row("F08", S.FREEZING,    CYCLE + RESTART + SWAP,                                        DEFER,         (),                   "a process in a held call does not end: first the freeze does"),
    Row("F09", S.FREEZING,    START + PRIMARY,                                               STAY,          (),                   "it asks already whether it may go on"),
    Row("F10", S.FREEZING,    SECONDARY,                                                     REFUSE,        (),                   "this node serves: stop it first"),
    Row("F11", S.FREEZING,    RESUMED + DONE + FAILED + CLOSED + FORBIDDEN + SOURCE + TARGET + LINK + IN_SYNC + HAS_ALL + FAULT + STALLED + RETRY,STAY,          (),                   "frozen: only the election moves it"),

    Row("N01", S.GOING_ALONE, DONE,                                                          S.ALONE,       (),                   "invariant 2 holds: changes go on"),
    Row("N02", S.GOING_ALONE, FAILED + DEAD,                                                 S.LEAVING,     SHUT_APP,             "not recorded or not indexed: no change may be accepted"),
    Row("N03", S.GOING_ALONE, KILL_,                                                         S.LEAVING,     KILL_APP,             "asked, with force"),
    Row("N04", S.GOING_ALONE, CYCLE + RESTART,                                               DEFER,         (),                   "soon ALONE"),
    Row("N05", S.GOING_ALONE, START + PRIMARY,                                               STAY,          (),                   "already so"),
    Row("N06", S.GOING_ALONE, SWAP + SECONDARY,                                              REFUSE,        (),                   "the secondary is gone: nobody to swap with"),
    Row("N07", S.GOING_ALONE, RESUMED + CLOSED + ELECTION + SOURCE + TARGET + LINK + IN_SYNC + HAS_ALL + FAULT + TIME,STAY,          (),                   "decided already; the peer is looked at when ALONE"),

    Row("J01", S.JOINING,     OFFERED,                                                       STAY,          ACCEPT,               "its record says target before the first byte comes"),
    Row("J02", S.JOINING,     HAS_ALL,                                                       STAY,          CONFIRM,              "target's record first, then the source's (design 10)"),
    Row("J03", S.JOINING,     CONFIRMED,                                                     S.SECOND,      (),                   "the source is PRIM in this session: both records say both"),
    Row("J04", S.JOINING,     LOST,                                                          S.WAIT,        (),                   "nobody serves any more: no takeover by a target"),
    Row("J05", S.JOINING,     LINK + DONE + LEFT,                                            STAY,          (),                   "the next offer begins anew; a session is never repaired"),
    Row("J14", S.JOINING,     FAILED,                                                        STAY,          (X.PART_SESSION,),    "not recorded or not accepted: the source must not wait for it"),
    Row("J13", S.JOINING,     GOES_ON,                                                       STAY,          GO_OUT,               "it had recorded itself in step: out, before the primary goes on"),
    Row("J06", S.JOINING,     CYCLE,                                                         S.LEAVING,     LEAVE,                "asked"),
    Row("J07", S.JOINING,     KILL_ + DEAD,                                                  S.LEAVING,     LEAVE,                "asked with force, or a new data plane is needed"),
    Row("J08", S.JOINING,     FAULT,                                                         S.LEAVING,     LEAVE_BAD,            "its disk failed"),
    Row("J09", S.JOINING,     RESTART,                                                       STAY,          (X.RESTART_SCRIPTS,), "scripts only"),
    Row("J10", S.JOINING,     START + SECONDARY,                                             STAY,          (),                   "already so"),
    Row("J11", S.JOINING,     SWAP + PRIMARY,                                                REFUSE,        (),                   "this node does not hold everything yet"),
    Row("J12", S.JOINING,     RESUMED + CLOSED + ELECTION + SOURCE + IN_SYNC + OVER + TIME,         STAY,          (),                   "a target decides nothing"),

    Row("C01", S.SECOND,      LINK + LOST,                                                   S.ORPHANED,    (),                   "it finds out whether the primary lives"),
    Row("C02", S.SECOND,      LEFT,                                                          S.ORPHANED,    (),                   "the primary's durable word: it serves no more"),
    Row("C03", S.SECOND,      GOES_ON,                                                       S.JOINING,     GO_OUT,               "out before the primary goes on alone"),
    Row("C04", S.SECOND,      CYCLE + KILL_,                                                 S.LEAVING,     LEAVE,                "out first, said, then stopped: the primary freezes for milliseconds"),
    Row("C05", S.SECOND,      DEAD,                                                          S.LEAVING,     LEAVE,                "out, then started again and joined again"),
    Row("C06", S.SECOND,      FAULT,                                                         S.LEAVING,     LEAVE_BAD,            "its disk failed: out, and never a source by itself"),
    Row("C07", S.SECOND,      RESTART,                                                       STAY,          (X.RESTART_SCRIPTS,), "scripts only"),
    Row("C08", S.SECOND,      SWAP,                                                          STAY,          (X.ASK_SWAP,),        "the primary is asked: it stops first"),
    Row("C09", S.SECOND,      START + SECONDARY,                                             STAY,          (),                   "already so"),
    Row("C10", S.SECOND,      PRIMARY,                                                       REFUSE,        (),                   "the other node is primary: use `swap`"),
    Row("C11", S.SECOND,      RESUMED + DONE + FAILED + CLOSED + ELECTION + SOURCE + OFFERED + CONFIRMED + IN_SYNC + HAS_ALL + TIME,STAY,          (),                   "in step, the link lives"),
    Row("C12", S.SECOND,      OVER,                                                          S.WAIT,        GO_OUT,               "syncat: it holds all there was; between two times it waits"),

    Row("U01", S.ORPHANED,    MAY,                                                           S.SETTLING,    (X.SETTLE,),          "election: SERVE"),
    Row("U02", S.ORPHANED,    WAITS + SERVES,                                                STAY,          (),                   "the primary lives: only its question, its word or its silence moves it"),
    Row("U03", S.ORPHANED,    WANTED,                                                        STAY,          (X.ASK_WITNESS,),     "invariant 6: one compare-and-swap decides"),
    Row("U04", S.ORPHANED,    DENIED,                                                        S.WAIT,        GO_OUT,               "the primary may have been granted it"),
    Row("U05", S.ORPHANED,    GOES_ON,                                                       S.JOINING,     GO_OUT,               "out at the first heartbeat from a primary that goes on"),
    Row("U06", S.ORPHANED,    CYCLE + KILL_ + DEAD,                                          S.LEAVING,     LEAVE,                "cannot take over"),
    Row("U07", S.ORPHANED,    FAULT,                                                         S.LEAVING,     LEAVE_BAD,            "its disk failed"),
    Row("U08", S.ORPHANED,    RESTART + SWAP,                                                DEFER,         (),                   "when it knows what it is"),
    Row("U09", S.ORPHANED,    START + SECONDARY,                                             STAY,          (),                   "already so"),
    Row("U10", S.ORPHANED,    PRIMARY,                                                       REFUSE,        (),                   "it is finding out whether the primary lives: it takes over by itself"),
    Row("U12", S.ORPHANED,    FENCED,                                                        STAY,          (X.FENCE,),           "invariant 8: a host that may still run is switched off first"),
    Row("U13", S.ORPHANED,    FORBIDDEN,                                                     S.LEAVING,     STAND_BY,             "failover is off, a rule keeps it waiting, or it stood still: started again, then WAIT"),
    Row("U14", S.ORPHANED,    CONFIRMED,                                                     S.SECOND,      (X.TELL_WITNESS,),    "it was silent for a moment: the link stands, and nothing was recorded"),
    Row("U11", S.ORPHANED,    RESUMED + DONE + FAILED + CLOSED + SOURCE + OFFERED + LEFT + LOST + OVER + LINK + IN_SYNC + HAS_ALL + TIME,STAY,          (),                   "the election weighs it"),

    Row("V01", S.LEAVING,     DONE,                                                          S.CLOSING,     CLOSE,                "no process, no address, nothing in flight"),
    Row("V02", S.LEAVING,     FAILED,                                                        STAY,          (X.CLOSE_GATE,),      "half stopped: not started elsewhere; tried again (invariant 8)"),
    Row("V03", S.LEAVING,     RETRY + KILL_,                                                 STAY,          KILL_APP,             "kill and look again"),
    Row("V04", S.LEAVING,     DEAD,                                                          STAY,          KILL_APP,             "nothing left to drain"),
    Row("V05", S.LEAVING,     LINK,                                                          STAY,          (X.CLOSE_GATE,),      "frozen changes fail, so that the application can end"),
    Row("V06", S.LEAVING,     CYCLE,                                                         STAY,          (),                   "the last one asked decides what follows"),
    Row("V07", S.LEAVING,     STARTS,                                                        DEFER,         (),                   "after the stop"),
    Row("V08", S.LEAVING,     RESTART + SWAP,                                                REFUSE,        (),                   "the module is stopping"),
    Row("V09", S.LEAVING,     RESUMED + CLOSED + ELECTION + SOURCE + TARGET + IN_SYNC + HAS_ALL + FAULT + STALLED + EXPIRED,STAY,          (),                   "first it ends what runs"),

    Row("B01", S.CLOSING,     (E.CLOSED_TO_STOP,),                                           S.STOP,        (),                   "done"),
    Row("B02", S.CLOSING,     (E.CLOSED_TO_START,),                                          S.STARTING,    START_UP,             "and started again"),
    Row("B03", S.CLOSING,     (E.CLOSED_TO_JOIN,),                                           S.JOINING,     (),                   "swapped: it is the target now"),
    Row("B04", S.CLOSING,     RETRY,                                                         STAY,          CLOSE,                "tried again: nothing was said that is not on disk"),
    Row("B05", S.CLOSING,     CYCLE,                                                         STAY,          (),                   "the last one asked decides what follows"),
    Row("B09", S.CLOSING,     KILL_,                                                         STAY,          FORCE_CLOSE,          "asked, with force: a disk that takes no record stops nothing"),
    Row("B06", S.CLOSING,     STARTS,                                                        DEFER,         (),                   "after the stop"),
    Row("B07", S.CLOSING,     RESTART + SWAP,                                                REFUSE,        (),                   "the module is stopping"),
    Row("B08", S.CLOSING,     RESUMED + DONE + FAILED + ELECTION + SOURCE + TARGET + DATA + STALLED + EXPIRED,STAY,          (),                   "nothing runs any more"),
)
# fmt: on
BY_PAIR: dict[tuple[State, EventKind], Row] = {
    (row.state, kind): row for row in ROWS for kind in row.events
}
