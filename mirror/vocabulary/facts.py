"""What the tables of the core look at: facts as values, never negated, no behaviour."""

from dataclasses import dataclass
from enum import StrEnum


class Hearing(StrEnum):
    """What is known of the peer's life, over all heartbeat networks and the link."""

    HEARD = "heard"  # within the timeout
    STOPPING = "stopping"  # heard, and its application may still run
    LISTENING = "listening"  # a full timeout has not yet passed since we began to listen
    SILENT = "silent"  # nothing for a full timeout


class WitnessSays(StrEnum):
    """What the witness said for this one decision."""

    NOT_CONFIGURED = "not configured"
    UNASKED = "unasked"
    GRANTS = "grants"
    REFUSES = "refuses"  # or cannot be reached: then the other node may have been granted


class FenceSays(StrEnum):
    """What is known of the other host's power, for going on or starting out of silence."""

    NOT_NEEDED = "not needed"  # none configured, or the peer is known to go on nowhere
    UNASKED = "unasked"
    CALLED = "called"  # the agent runs: the host may go off at any moment
    DONE = "done"  # verified to be off
    FAILED = "failed"


class WitnessKind(StrEnum):
    """Which witness the configuration names."""

    NONE = "none"
    PING = "ping"
    ETCD = "etcd"


class Which(StrEnum):
    """Of which of the two nodes something is true."""

    NEITHER = "neither"
    ME = "me"
    PEER = "peer"
    BOTH = "both"


class Relation(StrEnum):
    """How the generations of two records are related, from the first node's side."""

    BOTH_BLANK = "both blank"
    I_AM_BLANK = "I am blank"
    PEER_IS_BLANK = "peer is blank"
    SAME_CURRENT = "same current"
    I_AM_PEER_BASE = "my current is the peer's base"
    PEER_IS_MY_BASE = "the peer's current is my base"
    SAME_BASE = "same base, both moved on"
    I_AM_IN_PEER_HISTORY = "my current is in the peer's history"
    PEER_IS_IN_MY_HISTORY = "the peer's current is in my history"
    SAME_ANCESTOR = "an ancestor in common, which no index counts from"
    UNRELATED = "nothing in common"


@dataclass(frozen=True, slots=True)
class ProofFacts:
    """What a node can prove about its own data (core/election.py, PROOFS).

    peer_out: the peer's durable word that it serves no more in our session.
    in_step: it was PRIM or SECOND (Ready) in this run, up to the loss of the link.
    complete: it is in the may-serve set of its own durable record, and its disk fits the record.
    sole: nobody else is in that set.
    source: the generations table names it (only known when the peer is heard).
    failover_allowed: it may go on without the administrator.
    disputed: both nodes went on alone, and an administrator is to choose (policy="ask").
    recent: not known to be current, but consistent, and in step less than `syncdelta` ago.
    """

    hearing: Hearing
    peer_out: bool
    in_step: bool
    complete: bool
    sole: bool
    source: bool
    failover_allowed: bool
    disputed: bool
    recent: bool


class Proof(StrEnum):
    """The verdict of PROOFS: what is proven, or why it is not."""

    PROVEN = "proven"
    ASKING = "the peer has been asked and has not answered"
    LISTENING = "listening for the other node"
    PEER_STOPPING = "the other node is stopping its application"
    NOT_COMPLETE = "data may be not up to date here"
    PEER_IS_SOURCE = "the other node has newer data and will start first"
    PEER_MAY_HOLD_NEWER = "the other node may have newer data and does not answer"
    FAILOVER_OFF = "failover is off: an administrator decides"
    DISPUTED = "split brain: both nodes changed data alone, an administrator chooses"
    RECENT = "the last synchronisation is younger than syncdelta"


@dataclass(frozen=True, slots=True)
class ElectionFacts:
    """May I serve (core/election.py, CASES). forced: an administrator said `prim`.

    held: a failover rule keeps this node waiting, or a resource that one looks at is not known.
    """

    peer_serves: bool
    proof: Proof
    witness: WitnessSays
    forced: bool
    asked_second: bool
    held: bool
    fence: FenceSays


@dataclass(frozen=True, slots=True)
class GenerationFacts:
    """Who is the source (core/generations.py).

    asked_full: who asked for `second fullsync`.
    damaged: whose copy is inconsistent, was restored under its record, or lost its root identity.
    in_step: both stopped in order, indexes empty, covers unbroken.
    lead: ME or PEER; the order that breaks a tie (core/generations.py, `lead_of`).
    """

    relation: Relation
    asked_full: Which
    damaged: Which
    lived_on: Which
    in_step: bool
    lead: Which
