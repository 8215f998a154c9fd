"""May I serve: two complete tables. What can this node prove; and what follows from that.

PROOFS looks at this node's own data, CASES at the peer, the witness and the administrator. Every
row asks: what if the other node believes the opposite?
"""

from dataclasses import dataclass
from enum import StrEnum

from mirror.vocabulary.facts import (
    ElectionFacts,
    FenceSays,
    Hearing,
    Proof,
    ProofFacts,
    WitnessSays,
)
from mirror.vocabulary.said import Said


class Verdict(StrEnum):
    """What a node does that wants to serve."""

    SERVE = "serve"
    SERVE_FORCED = "serve, forced"
    JOIN = "join the one that serves"
    WAIT = "wait"
    ASK_WITNESS = "ask the witness"
    DENIED = "denied by the witness"
    FENCE = "switch the peer off first"


@dataclass(frozen=True, slots=True)
class ProofRow:
    """One line of PROOFS. A cell is the set of values that match."""

    row_id: str
    complete: frozenset[bool]
    in_step: frozenset[bool]
    failover_allowed: frozenset[bool]
    peer_out: frozenset[bool]
    hearing: frozenset[Hearing]
    source: frozenset[bool]
    sole: frozenset[bool]
    disputed: frozenset[bool]
    recent: frozenset[bool]
    proof: Proof
    why: str

    @property
    def said(self) -> Said:
        """Why, with its code."""
        return Said(self.why, f"proof.{self.row_id}")

    def matches(self, facts: ProofFacts) -> bool:
        """Tell whether every cell of the row holds the fact."""
        return (
            facts.complete in self.complete
            and facts.in_step in self.in_step
            and facts.failover_allowed in self.failover_allowed
            and facts.peer_out in self.peer_out
            and facts.hearing in self.hearing
            and facts.source in self.source
            and facts.sole in self.sole
            and facts.disputed in self.disputed
            and facts.recent in self.recent
        )


@dataclass(frozen=True, slots=True)
class Case:
    """One line of CASES. A cell is the set of values that match."""

    row_id: str
    held: frozenset[bool]
    peer_serves: frozenset[bool]
    proof: frozenset[Proof]
    witness: frozenset[WitnessSays]
    fence: frozenset[FenceSays]
    forced: frozenset[bool]
    asked_second: frozenset[bool]
    verdict: Verdict
    why: str

    @property
    def said(self) -> Said:
        """Why, with its code."""
        return Said(self.why, f"case.{self.row_id}")

    def matches(self, facts: ElectionFacts) -> bool:
        """Tell whether every cell of the row holds the fact."""
        return (
            facts.held in self.held
            and facts.peer_serves in self.peer_serves
            and facts.proof in self.proof
            and facts.witness in self.witness
            and facts.fence in self.fence
            and facts.forced in self.forced
            and facts.asked_second in self.asked_second
        )


YES, NO, ANY = frozenset({True}), frozenset({False}), frozenset({True, False})
HEARD, STOPPING = frozenset({Hearing.HEARD}), frozenset({Hearing.STOPPING})
LISTENING, SILENT = frozenset({Hearing.LISTENING}), frozenset({Hearing.SILENT})
ALIVE = HEARD | STOPPING | LISTENING
HEARING = frozenset(Hearing)

# fmt: off
PROOFS: tuple[ProofRow, ...] = (
    #        id     complete in_step failover peer_out hearing         source sole  disputed recent proof                      why
    ProofRow("P01", NO,      ANY,    ANY,     ANY,     LISTENING,      ANY,   ANY,  ANY,     ANY,   Proof.LISTENING,           "even a forced start first listens whether the other serves"),
    ProofRow("P02", NO,      ANY,    ANY,     ANY,     STOPPING,       ANY,   ANY,  ANY,     ANY,   Proof.PEER_STOPPING,       "one application at a time: invariant 8"),
    ProofRow("P03", NO,      ANY,    ANY,     ANY,     HEARD,          ANY,   ANY,  ANY,     ANY,   Proof.NOT_COMPLETE,        "its own record says that it does not hold everything: invariant 4"),
    ProofRow("P14", NO,      ANY,    ANY,     ANY,     SILENT,         ANY,   ANY,  ANY,     NO,    Proof.NOT_COMPLETE,        "its own record says that it does not hold everything: invariant 4"),
    ProofRow("P15", NO,      ANY,    ANY,     ANY,     SILENT,         ANY,   ANY,  ANY,     YES,   Proof.RECENT,              "syncdelta: the administrator accepted in advance to lose what is younger"),
    ProofRow("P04", YES,     ANY,    NO,      ANY,     HEARING,        ANY,   ANY,  ANY,     ANY,   Proof.FAILOVER_OFF,        "failover is off: only an administrator promotes it"),
    ProofRow("P05", YES,     YES,    YES,     YES,     HEARING,        ANY,   ANY,  ANY,     ANY,   Proof.PROVEN,              "it holds everything, and the peer durably gave the session up"),
    ProofRow("P06", YES,     YES,    YES,     NO,      SILENT,         ANY,   ANY,  ANY,     ANY,   Proof.PROVEN,              "it holds everything, and the peer is silent on all networks for a full timeout"),
    ProofRow("P07", YES,     YES,    YES,     NO,      ALIVE,          ANY,   ANY,  ANY,     ANY,   Proof.ASKING,              "the peer lives: a reset connection is not a death"),
    ProofRow("P08", YES,     NO,     YES,     ANY,     LISTENING,      ANY,   ANY,  ANY,     ANY,   Proof.LISTENING,           "it has just begun to listen"),
    ProofRow("P09", YES,     NO,     YES,     ANY,     STOPPING,       ANY,   ANY,  ANY,     ANY,   Proof.PEER_STOPPING,       "one application at a time: invariant 8"),
    ProofRow("P16", YES,     NO,     YES,     ANY,     HEARD | SILENT, ANY,   ANY,  YES,     ANY,   Proof.DISPUTED,            "split brain with policy=ask: the choice is not a machine's"),
    ProofRow("P10", YES,     NO,     YES,     ANY,     HEARD,          YES,   ANY,  NO,      ANY,   Proof.PROVEN,              "both records are known and name this node the source"),
    ProofRow("P11", YES,     NO,     YES,     ANY,     HEARD,          NO,    ANY,  NO,      ANY,   Proof.PEER_IS_SOURCE,      "both records are known and do not name this node"),
    ProofRow("P12", YES,     NO,     YES,     ANY,     SILENT,         ANY,   YES,  NO,      ANY,   Proof.PROVEN,              "its record says that nobody else may serve: invariant 2"),
    ProofRow("P13", YES,     NO,     YES,     ANY,     SILENT,         ANY,   NO,   NO,      NO,    Proof.PEER_MAY_HOLD_NEWER, "the other may have gone on alone meanwhile: invariant 5"),
    ProofRow("P17", YES,     NO,     YES,     ANY,     SILENT,         ANY,   NO,   NO,      YES,   Proof.RECENT,              "syncdelta: the administrator accepted in advance what the other may have newer"),
)
SAID = WitnessSays
GRANTED = frozenset({SAID.NOT_CONFIGURED, SAID.GRANTS})
UNASKED, REFUSED = frozenset({SAID.UNASKED}), frozenset({SAID.REFUSES})
WITNESS = frozenset(SAID)
FENCED, FENCE = frozenset({FenceSays.NOT_NEEDED, FenceSays.DONE}), frozenset(FenceSays)
POWER = FENCE - FENCED
PROVEN = frozenset({Proof.PROVEN})
NO_FORCE = frozenset({Proof.ASKING, Proof.LISTENING, Proof.PEER_STOPPING, Proof.FAILOVER_OFF})
RECENT = frozenset({Proof.RECENT})
ACCEPTED = PROVEN | RECENT
UNPROVEN = frozenset(
    {Proof.NOT_COMPLETE, Proof.PEER_IS_SOURCE, Proof.PEER_MAY_HOLD_NEWER, Proof.DISPUTED}
)
PROOF = frozenset(Proof)

CASES: tuple[Case, ...] = (
    #    id     held  peer_serves proof     witness  fence   forced second verdict               why
    Case("E01", NO,   YES,        PROOF,    WITNESS, FENCE,  ANY,   ANY,   Verdict.JOIN,         "one primary: invariant 8"),
    Case("E02", NO,   NO,         PROOF,    WITNESS, FENCE,  ANY,   YES,   Verdict.WAIT,         "an administrator asked for `second`: it waits for a primary"),
    Case("E03", NO,   NO,         NO_FORCE, WITNESS, FENCE,  ANY,   NO,    Verdict.WAIT,         "not known yet, and no force makes it known"),
    Case("E04", NO,   NO,         PROVEN,   GRANTED, FENCED, ANY,   NO,    Verdict.SERVE,        "it holds everything that was acknowledged, and nobody else serves"),
    Case("E05", NO,   NO,         ACCEPTED, UNASKED, FENCE,  ANY,   NO,    Verdict.ASK_WITNESS,  "the witness decides between two that could: invariant 6"),
    Case("E06", NO,   NO,         ACCEPTED, REFUSED, FENCE,  NO,    NO,    Verdict.DENIED,       "the witness may have granted it to the peer: invariant 6"),
    Case("E07", NO,   NO,         ACCEPTED, REFUSED, FENCE,  YES,   NO,    Verdict.SERVE_FORCED, "an administrator overrides the witness, recorded"),
    Case("E08", NO,   NO,         UNPROVEN, WITNESS, FENCE,  NO,    NO,    Verdict.WAIT,         "it cannot prove that it is current: invariant 5"),
    Case("E09", NO,   NO,         UNPROVEN, WITNESS, FENCE,  YES,   NO,    Verdict.SERVE_FORCED, "an administrator accepts the loss, recorded: invariant 5"),
    Case("E10", NO,   NO,         ACCEPTED, GRANTED, POWER,  ANY,   NO,    Verdict.FENCE,        "the silent primary's host is switched off first: invariant 8"),
    Case("E12", NO,   NO,         RECENT,   GRANTED, FENCED, ANY,   NO,    Verdict.SERVE_FORCED, "syncdelta: the loss was accepted in the configuration, recorded"),
    Case("E11", YES,  ANY,        PROOF,    WITNESS, FENCE,  ANY,   ANY,   Verdict.WAIT,         "a failover rule keeps it waiting"),
)
# fmt: on


def prove(facts: ProofFacts) -> ProofRow:
    """Give the one row of PROOFS that holds."""
    found = [row for row in PROOFS if row.matches(facts)]
    assert len(found) == 1, (facts, [row.row_id for row in found])
    return found[0]


def decide(facts: ElectionFacts) -> Case:
    """Give the one case that holds."""
    found = [case for case in CASES if case.matches(facts)]
    assert len(found) == 1, (facts, [case.row_id for case in found])
    return found[0]
