"""How a record changes: pure functions, one for each thing that happens to a node's data.

Each gives the record that must be durable *before* what it describes takes effect.
"""

from dataclasses import replace

from mirror.vocabulary.record import HISTORY_MAX, Record


def alone(record: Record, node: str, fresh: str, *, forced: bool, covered: bool) -> Record:
    """Serve alone: may serve = {node}; a new generation if the current one is shared.

    fresh: a generation nobody ever used. While this node lived on already, its index counts from
    `base`, so base and current stay (design 8). covered: the recent set is here and becomes the
    start of the index; when it was lost with its process, the index counts from nothing.
    """
    current, base, history = fresh, record.current if covered else "", record.history
    if record.lived_on and not record.inconsistent:
        current, base = record.current, record.base
    elif record.inconsistent or record.target_of:
        # Forced over a mixture: no index counts from anything, so nothing partial may follow.
        base = ""
    if current == fresh and not record.blank:
        history = (record.current, *record.history)[:HISTORY_MAX]
    return replace(
        record,
        current=current,
        base=base,
        history=history,
        term=record.term + 1,
        may_serve=frozenset({node}),
        lived_on=True,
        target_of="",
        inconsistent=False,
        clean_stop=False,
        forced=record.forced or forced,
        was_primary=record.was_primary or record.blank,
        out_of="",
        split="chosen" if forced and record.split else record.split,
    )


def disputed(record: Record) -> Record:
    """A split brain was seen: this node serves no more until an administrator chooses."""
    return replace(record, split="seen")


def uncounted(record: Record) -> Record:
    """`prim fullsync`: the index is not believed, so that nothing partial follows."""
    return replace(record, lived_on=False)


def out(record: Record, peer: str, session: str) -> Record:
    """Give up the session: what the peer does from now on, this node has not."""
    return replace(record, may_serve=frozenset({peer}), out_of=session, clean_stop=False)


def handed_over(record: Record, peer: str, session: str) -> Record:
    """Stopped in order in step with the peer, which goes on."""
    return replace(record, may_serve=frozenset({peer}), out_of=session, clean_stop=True)


def stopped_alone(record: Record) -> Record:
    """Stopped in order without a peer in step: whoever may serve stays as it was."""
    return replace(record, clean_stop=True)


def stood_by(record: Record) -> Record:
    """In step with a primary that is gone, and not to take over: all it acknowledged is here."""
    return replace(record, clean_stop=True)


def target(record: Record, peer: str, *, full: bool) -> Record:
    """A reintegration from `peer` begins: until its end this copy is a mixture.

    full: no index names what differs, so an interruption must be followed by a full one again.
    """
    return replace(
        record,
        may_serve=frozenset({peer}),
        target_of=peer,
        inconsistent=record.inconsistent or full,
        out_of="",
        clean_stop=False,
    )


def synchronised(record: Record, source: Record, generation: str, node: str, peer: str) -> Record:
    """The reintegration into this node has ended: it holds what the source is."""
    return Record(
        current=generation,
        base="",
        history=source.history,
        term=source.term,
        checkpoint=0,
        may_serve=frozenset({node, peer}),
        roots=record.roots,
    )


def paired(record: Record, node: str, peer: str) -> Record:
    """The source's side of the same moment: the current generation is shared from now on."""
    return replace(
        record,
        base="",
        may_serve=frozenset({node, peer}),
        lived_on=False,
        clean_stop=False,
        forced=False,
        was_primary=True,
        out_of="",
        split="",
    )


def damaged(record: Record) -> Record:
    """Mark the copy wrong in places nobody knows: it is never a source again by itself."""
    return replace(record, inconsistent=True, clean_stop=False)
