"""May I serve: two complete tables. What can this node prove; and what follows from that.

PROOFS looks at this node's own data, CASES at the peer, the witness and the administrator. Every
row asks: what if the other node believes the opposite?
"""

from dataclasses import dataclass
from enum import StrEnum

from mirror.vocabulary.facts import ElectionFacts, Hearing, Proof, ProofFacts, WitnessSays


class Verdict(StrEnum):
    """What a node does that wants to serve."""

    SERVE = "serve"
    SERVE_FORCED = "serve, forced"
    JOIN = "join the one that serves"
    WAIT = "wait"
    ASK_WITNESS = "ask the witness"
    DENIED = "denied by the witness"


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
    proof: Proof
    why: str

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
        )


@dataclass(frozen=True, slots=True)
class Case:
    """One line of CASES. A cell is the set of values that match."""

    row_id: str
    peer_serves: frozenset[bool]
    proof: frozenset[Proof]
    witness: frozenset[WitnessSays]
    forced: frozenset[bool]
    asked_second: frozenset[bool]
    verdict: Verdict
    why: str

    def matches(self, facts: ElectionFacts) -> bool:
        """Tell whether every cell of the row holds the fact."""
        return (
            facts.peer_serves in self.peer_serves
            and facts.proof in self.proof
            and facts.witness in self.witness
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
    #        id     complete in_step failover peer_out hearing        source sole  proof                      why
    ProofRow("P01", NO,      ANY,    ANY,     ANY,     LISTENING,     ANY,   ANY,  Proof.LISTENING,           "even a forced start first listens whether the other serves"),
    ProofRow("P02", NO,      ANY,    ANY,     ANY,     STOPPING,      ANY,   ANY,  Proof.PEER_STOPPING,       "one application at a time: invariant 8"),
    ProofRow("P03", NO,      ANY,    ANY,     ANY,     HEARD | SILENT, ANY,   ANY,   Proof.NOT_COMPLETE,        "its own record says that it does not hold everything: invariant 4"),
    ProofRow("P04", YES,     YES,    NO,      ANY,     HEARING,       ANY,   ANY,  Proof.FAILOVER_OFF,        "failover is off: only an administrator promotes it"),
    ProofRow("P05", YES,     YES,    YES,     YES,     HEARING,       ANY,   ANY,  Proof.PROVEN,              "it holds everything, and the peer durably gave the session up"),
    ProofRow("P06", YES,     YES,    YES,     NO,      SILENT,        ANY,   ANY,  Proof.PROVEN,              "it holds everything, and the peer is silent on all networks for a full timeout"),
    ProofRow("P07", YES,     YES,    YES,     NO,      ALIVE,         ANY,   ANY,  Proof.ASKING,              "the peer lives: a reset connection is not a death"),
    ProofRow("P08", YES,     NO,     ANY,     ANY,     LISTENING,     ANY,   ANY,  Proof.LISTENING,           "it has just begun to listen"),
    ProofRow("P09", YES,     NO,     ANY,     ANY,     STOPPING,      ANY,   ANY,  Proof.PEER_STOPPING,       "one application at a time: invariant 8"),
    ProofRow("P10", YES,     NO,     ANY,     ANY,     HEARD,         YES,   ANY,  Proof.PROVEN,              "both records are known and name this node the source"),
    ProofRow("P11", YES,     NO,     ANY,     ANY,     HEARD,         NO,    ANY,  Proof.PEER_IS_SOURCE,      "both records are known and do not name this node"),
    ProofRow("P12", YES,     NO,     ANY,     ANY,     SILENT,        ANY,   YES,  Proof.PROVEN,              "its record says that nobody else may serve: invariant 2"),
    ProofRow("P13", YES,     NO,     ANY,     ANY,     SILENT,        ANY,   NO,   Proof.PEER_MAY_HOLD_NEWER, "the other may have gone on alone meanwhile: invariant 5"),
)
SAID = WitnessSays
GRANTED = frozenset({SAID.NOT_CONFIGURED, SAID.GRANTS})
UNASKED, REFUSED = frozenset({SAID.UNASKED}), frozenset({SAID.REFUSES})
WITNESS = frozenset(SAID)
PROVEN = frozenset({Proof.PROVEN})
NO_FORCE = frozenset({Proof.ASKING, Proof.LISTENING, Proof.PEER_STOPPING, Proof.FAILOVER_OFF})
UNPROVEN = frozenset({Proof.NOT_COMPLETE, Proof.PEER_IS_SOURCE, Proof.PEER_MAY_HOLD_NEWER})
PROOF = frozenset(Proof)

CASES: tuple[Case, ...] = (
    #    id     peer_serves proof     witness  forced second verdict               why
    Case("E01", YES,        PROOF,    WITNESS, ANY,   ANY,   Verdict.JOIN,         "one primary: invariant 8"),
    Case("E02", NO,         PROOF,    WITNESS, ANY,   YES,   Verdict.WAIT,         "an administrator asked for `second`: it waits for a primary"),
    Case("E03", NO,         NO_FORCE, WITNESS, ANY,   NO,    Verdict.WAIT,         "not known yet, and no force makes it known"),
    Case("E04", NO,         PROVEN,   GRANTED, ANY,   NO,    Verdict.SERVE,        "it holds everything that was acknowledged, and nobody else serves"),
    Case("E05", NO,         PROVEN,   UNASKED, ANY,   NO,    Verdict.ASK_WITNESS,  "the witness decides between two that could: invariant 6"),
    Case("E06", NO,         PROVEN,   REFUSED, NO,    NO,    Verdict.DENIED,       "the witness may have granted it to the peer: invariant 6"),
    Case("E07", NO,         PROVEN,   REFUSED, YES,   NO,    Verdict.SERVE_FORCED, "an administrator overrides the witness, recorded"),
    Case("E08", NO,         UNPROVEN, WITNESS, NO,    NO,    Verdict.WAIT,         "it cannot prove that it is current: invariant 5"),
    Case("E09", NO,         UNPROVEN, WITNESS, YES,   NO,    Verdict.SERVE_FORCED, "an administrator accepts the loss, recorded: invariant 5"),
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
