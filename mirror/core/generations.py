"""Who is the source: a pure function of two records (design 8, "On connection").

The table is complete: a test walks every combination of facts and finds exactly one row. Swapping
the two nodes swaps the verdict, so both sides come to the same answer from the same records.
"""

from dataclasses import dataclass
from enum import StrEnum

from mirror.vocabulary.facts import GenerationFacts, Relation, Which
from mirror.vocabulary.record import Record
from mirror.vocabulary.said import Said


class How(StrEnum):
    """How the target is brought up to date."""

    NOTHING = "nothing to do"
    PARTIAL = "partial"
    FULL = "full comparison"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. A cell is the set of values that match.

    source: ME, PEER, or NEITHER when refused. aside: the target's own versions are kept.
    """

    row_id: str
    relation: frozenset[Relation]
    asked_full: frozenset[Which]
    damaged: frozenset[Which]
    lived_on: frozenset[Which]
    in_step: frozenset[bool]
    lead: frozenset[Which]
    source: Which
    how: How
    aside: bool
    split: bool
    why: str

    @property
    def said(self) -> Said:
        """Why, with its code."""
        return Said(self.why, f"generation.{self.row_id}")

    def matches(self, facts: GenerationFacts) -> bool:
        """Tell whether every cell of the row holds the fact."""
        return (
            facts.relation in self.relation
            and facts.asked_full in self.asked_full
            and facts.damaged in self.damaged
            and facts.lived_on in self.lived_on
            and facts.in_step in self.in_step
            and facts.lead in self.lead
        )


ME, PEER, NEITHER, BOTH = Which.ME, Which.PEER, Which.NEITHER, Which.BOTH
NONE, MINE, ITS = frozenset({NEITHER}), frozenset({ME}), frozenset({PEER})
TWO, ANY = frozenset({BOTH}), frozenset(Which)
NOT_MINE, NOT_ITS, ELSE = NONE | ITS, NONE | MINE, ANY - MINE
I_LIVED, P_LIVED = MINE | TWO, ITS | TWO
YES, NO, BOOL = frozenset({True}), frozenset({False}), frozenset({True, False})
KEEP, LOSE, SPLIT = True, False, True

BLANKS = frozenset({Relation.BOTH_BLANK})
I_BLANK, P_BLANK = frozenset({Relation.I_AM_BLANK}), frozenset({Relation.PEER_IS_BLANK})
SAME, SAME_BASE = frozenset({Relation.SAME_CURRENT}), frozenset({Relation.SAME_BASE})
I_BASE, P_BASE = frozenset({Relation.I_AM_PEER_BASE}), frozenset({Relation.PEER_IS_MY_BASE})
I_OLD = frozenset({Relation.I_AM_IN_PEER_HISTORY})
P_OLD = frozenset({Relation.PEER_IS_IN_MY_HISTORY})
ANCESTOR = frozenset({Relation.SAME_ANCESTOR})
ALIEN = frozenset({Relation.UNRELATED})
RELATED = SAME | SAME_BASE | I_BASE | P_BASE | I_OLD | P_OLD | ANCESTOR
DATA = RELATED | ALIEN
EVERY = frozenset(Relation)
FULL, PART = How.FULL, How.PARTIAL
STOP = How.REFUSED

# fmt: off
ROWS: tuple[Row, ...] = (
    #   id     relation   asked  damaged      lived_on    in_step  lead  source   how          aside  split  why
    Row("G01", BLANKS,    ANY,   ANY,         ANY,        BOOL,    ANY,  NEITHER, STOP,        LOSE,  False, "no data anywhere yet: an administrator names the first primary with `prim`"),
    Row("G02", I_BLANK,   ANY,   NONE | MINE, ANY,        BOOL,    ANY,  PEER,    FULL,        KEEP,  False, "first synchronisation: only the peer has data"),
    Row("G03", P_BLANK,   ANY,   NONE | ITS,  ANY,        BOOL,    ANY,  ME,      FULL,        KEEP,  False, "first synchronisation: only this node has data"),
    Row("G04", I_BLANK,   ANY,   ITS | TWO,   ANY,        BOOL,    ANY,  NEITHER, STOP,        LOSE,  False, "the only copy is damaged: an administrator forces it with `primforce`"),
    Row("G05", P_BLANK,   ANY,   MINE | TWO,  ANY,        BOOL,    ANY,  NEITHER, STOP,        LOSE,  False, "the only copy is damaged: an administrator forces it with `primforce`"),
    Row("G06", DATA,      TWO,   ANY,         ANY,        BOOL,    ANY,  NEITHER, STOP,        LOSE,  False, "both were asked to be overwritten: one of them must be the source"),
    Row("G07", DATA,      MINE,  ANY,         ANY,        BOOL,    ANY,  PEER,    FULL,        KEEP,  False, "`second fullsync` was asked here"),
    Row("G08", DATA,      ITS,   ANY,         ANY,        BOOL,    ANY,  ME,      FULL,        KEEP,  False, "`second fullsync` was asked there"),
    Row("G09", ALIEN,     NONE,  ANY,         ANY,        BOOL,    ANY,  NEITHER, STOP,        LOSE,  False, "unrelated data: only `second fullsync` on one of them joins them"),
    Row("G10", RELATED,   NONE,  TWO,         ANY,        BOOL,    ANY,  NEITHER, STOP,        LOSE,  False, "both copies are damaged: an administrator forces one with `primforce`"),
    Row("G11", RELATED,   NONE,  MINE,        ANY,        BOOL,    ANY,  PEER,    FULL,        KEEP,  False, "this copy is inconsistent, or was restored under its record"),
    Row("G12", RELATED,   NONE,  ITS,         ANY,        BOOL,    ANY,  ME,      FULL,        KEEP,  False, "the peer's copy is inconsistent, or was restored under its record"),
    Row("G13", SAME,      NONE,  NONE,        ANY,        YES,     MINE, ME,      How.NOTHING, LOSE,  False, "same data, both stopped in order: in sync"),
    Row("G14", SAME,      NONE,  NONE,        ANY,        YES,     ELSE, PEER,    How.NOTHING, LOSE,  False, "same data, both stopped in order: in sync"),
    Row("G15", SAME,      NONE,  NONE,        MINE,       NO,      ANY,  ME,      PART,        LOSE,  False, "same data, this node lived on: its index names the places"),
    Row("G16", SAME,      NONE,  NONE,        ITS,        NO,      ANY,  PEER,    PART,        LOSE,  False, "same data, the peer lived on: its index names the places"),
    Row("G17", SAME,      NONE,  NONE,        NONE | TWO, NO,      MINE, ME,      FULL,        KEEP,  False, "same data and both fell: this node led"),
    Row("G18", SAME,      NONE,  NONE,        NONE | TWO, NO,      ELSE, PEER,    FULL,        KEEP,  False, "same data and both fell: the peer led"),
    Row("G19", I_BASE,    NONE,  NONE,        NOT_MINE,   BOOL,    ANY,  PEER,    PART,        LOSE,  False, "the peer went on from this node's data"),
    Row("G20", I_BASE,    NONE,  NONE,        I_LIVED,    BOOL,    ANY,  PEER,    PART,        KEEP,  False, "the peer went on from this node's data, which may have changed alone"),
    Row("G21", P_BASE,    NONE,  NONE,        NOT_ITS,    BOOL,    ANY,  ME,      PART,        LOSE,  False, "this node went on from the peer's data"),
    Row("G22", P_BASE,    NONE,  NONE,        P_LIVED,    BOOL,    ANY,  ME,      PART,        KEEP,  False, "this node went on from the peer's data, which may have changed alone"),
    Row("G23", SAME_BASE, NONE,  NONE,        ANY,        BOOL,    MINE, ME,      PART,        KEEP,  SPLIT, "split brain: both went on alone; this node stays"),
    Row("G24", SAME_BASE, NONE,  NONE,        ANY,        BOOL,    ELSE, PEER,    PART,        KEEP,  SPLIT, "split brain: both went on alone; the peer stays"),
    Row("G25", I_OLD,     NONE,  NONE,        NOT_MINE,   BOOL,    ANY,  PEER,    FULL,        KEEP,  False, "this node's data are an earlier generation: the peer fell too"),
    Row("G26", I_OLD,     NONE,  NONE,        I_LIVED,    BOOL,    ANY,  PEER,    FULL,        KEEP,  False, "this node's data are an earlier generation, which may have changed alone"),
    Row("G27", P_OLD,     NONE,  NONE,        NOT_ITS,    BOOL,    ANY,  ME,      FULL,        KEEP,  False, "the peer's data are an earlier generation: this node fell too"),
    Row("G28", P_OLD,     NONE,  NONE,        P_LIVED,    BOOL,    ANY,  ME,      FULL,        KEEP,  False, "the peer's data are an earlier generation, which may have changed alone"),
    Row("G29", ANCESTOR,  NONE,  NONE,        ANY,        BOOL,    MINE, ME,      FULL,        KEEP,  SPLIT, "split brain: both went on alone, no index reaches back; this node stays"),
    Row("G30", ANCESTOR,  NONE,  NONE,        ANY,        BOOL,    ELSE, PEER,    FULL,        KEEP,  SPLIT, "split brain: both went on alone, no index reaches back; the peer stays"),
)
# fmt: on
COMMANDED_THERE = frozenset({"G08"})  # an administrator gave the target's data up


def judge(facts: GenerationFacts) -> Row:
    """Give the one row that holds for these facts."""
    found = [row for row in ROWS if row.matches(facts)]
    assert len(found) == 1, (facts, [row.row_id for row in found])
    return found[0]


def relate(mine: Record, peer: Record) -> Relation:
    """Name how two records are related; the first that holds, in order of closeness."""
    steps = (
        (mine.blank and peer.blank, Relation.BOTH_BLANK),
        (mine.blank, Relation.I_AM_BLANK),
        (peer.blank, Relation.PEER_IS_BLANK),
        (mine.current == peer.current, Relation.SAME_CURRENT),
        (mine.current == peer.base, Relation.I_AM_PEER_BASE),
        (peer.current == mine.base, Relation.PEER_IS_MY_BASE),
        (bool(mine.base) and mine.base == peer.base, Relation.SAME_BASE),
        (mine.current in peer.history, Relation.I_AM_IN_PEER_HISTORY),
        (peer.current in mine.history, Relation.PEER_IS_IN_MY_HISTORY),
        (bool(_ancestors(mine) & _ancestors(peer)), Relation.SAME_ANCESTOR),
    )
    return next((relation for holds, relation in steps if holds), Relation.UNRELATED)


def _ancestors(record: Record) -> set[str]:
    return {record.base, *record.history} - {""}


@dataclass(frozen=True, slots=True)
class Side:
    """What one node brings to the comparison.

    serves: its application runs now: service is not moved where nothing forces it.
    """

    node: str
    record: Record
    serves: bool
    damaged: bool
    clean: bool
    wants_full: bool


def compare(mine: Side, peer: Side) -> GenerationFacts:
    """Turn two sides into the facts of the table."""
    assert mine.node != peer.node
    return GenerationFacts(
        relation=relate(mine.record, peer.record),
        asked_full=which(me=mine.wants_full, peer=peer.wants_full),
        damaged=which(me=_damaged(mine), peer=_damaged(peer)),
        lived_on=which(me=mine.record.lived_on, peer=peer.record.lived_on),
        in_step=_in_order(mine) and _in_order(peer),
        lead=lead_of(mine, peer),
    )


def which(*, me: bool, peer: bool) -> Which:
    """Name of which of the two something is true."""
    return {
        (False, False): Which.NEITHER,
        (True, False): Which.ME,
        (False, True): Which.PEER,
        (True, True): Which.BOTH,
    }[me, peer]


def lead_of(mine: Side, peer: Side) -> Which:
    """Break a tie; the order is the same from both sides.

    After a split brain first whom an administrator chose. Who serves now and alone does not stop
    for the other. Then who may serve by its own record;
    after a split brain who was primary before it (SafeKit: the former PRIM stays), after a common
    fall who left in order, then the higher term, then who was primary; the name last, only so that
    there is an answer.
    """
    split = relate(mine.record, peer.record) in {Relation.SAME_BASE, Relation.SAME_ANCESTOR}
    return Which.ME if _rank(mine, split=split) > _rank(peer, split=split) else Which.PEER


def _rank(side: Side, *, split: bool) -> tuple[object, ...]:
    record = side.record
    may_serve = side.node in record.may_serve and not record.target_of
    primary_first = (record.was_primary, record.term) if split else ()
    chosen = (record.split == "chosen",) if split else ()
    # Left in order, in step: what the one that fell had only in memory is on this disk.
    stood_by = record.clean_stop and not record.lived_on
    return (
        *chosen,
        side.serves,
        may_serve,
        *primary_first,
        stood_by,
        record.term,
        record.was_primary,
        # Names compare downwards: the first in the alphabet leads.
        (*(-ord(letter) for letter in side.node), 1),
    )


def _damaged(side: Side) -> bool:
    return side.damaged or side.record.inconsistent


def _in_order(side: Side) -> bool:
    return side.clean and side.record.clean_stop and not side.record.lived_on
