"""What both nodes hold, compared: which would be the source, what it would replace. Pure.

Names, sizes and times are compared, never contents: reintegration compares those, and copies only
what differs. So what is counted here is an upper bound of what is replaced.
"""

from collections.abc import Mapping, Sequence

from mirror.core.generations import Side, compare, judge
from mirror.vocabulary.facts import Which
from mirror.vocabulary.record import Record, record_from_map
from mirror.vocabulary.said import Said, say
from mirror.web.models.data import Choice, Difference, NodeData, RecordFacts, Verdict

EXAMPLES_MAX = 50
SERVING = frozenset({"PRIM", "ALONE"})

Facts = tuple[int, int]  # bytes, changed_us


def verdict_of(mine: NodeData, theirs: NodeData) -> Verdict | None:
    """What the table of generations says of two nodes; None when a record is not known."""
    left, right = _side(mine), _side(theirs)
    if left is None or right is None:
        return None
    row = judge(compare(left, right))
    source = {Which.ME: mine.node, Which.PEER: theirs.node}.get(row.source, "")
    return Verdict(
        row=row.row_id, source=source, how=row.how, aside=row.aside, split=row.split, why=row.why
    )


def choice(source: NodeData, target: NodeData) -> Choice:
    """What would happen to the files of `target` if `source` were the source."""
    good, other = _by_path(source), _by_path(target)
    same = {path for path in good.keys() & other.keys() if good[path] == other[path]}
    different = (good.keys() & other.keys()) - same
    only_target, only_source = other.keys() - good.keys(), good.keys() - other.keys()
    found = [_difference(path, good, other) for path in different | only_target]
    found.sort(key=lambda one: (-one.target_bytes, one.path))
    return Choice(
        source=source.node,
        target=target.node,
        same_files=len(same),
        different_files=len(different),
        different_bytes=sum(other[path][0] for path in different),
        only_target_files=len(only_target),
        only_target_bytes=sum(other[path][0] for path in only_target),
        only_source_files=len(only_source),
        only_source_bytes=sum(good[path][0] for path in only_source),
        complete=all(one.all for side in (source, target) for one in side.listed),
        examples=found[:EXAMPLES_MAX],
    )


def advice(  # noqa: PLR0911 - one line a sentence
    nodes: Sequence[NodeData], verdict: Verdict | None
) -> tuple[bool, str]:
    """Whether a person must choose, and what is best done, in one sentence."""
    serving = next((one.node for one in nodes if one.reachable and one.state in SERVING), "")
    if serving:
        return False, say("first.serves", node=serving)
    away = next((one.node for one in nodes if not one.reachable), "")
    if away:
        return True, say("first.away", node=away)
    if verdict is None:
        return True, say("first.unread")
    why = Said(verdict.why, f"generation.{verdict.row}")
    if verdict.source:
        return False, say("first.source", node=verdict.source, why=why)
    blank = all(one.record is not None and one.record.blank for one in nodes)
    with_data = [one.node for one in nodes if any(not each.empty for each in one.directories)]
    if blank and len(with_data) == 1:
        return True, say("first.only", node=with_data[0])
    if blank:
        return True, say("first.blank")
    return True, say("first.refused", why=why)


def record_facts(values: Mapping[str, object], changed_us: int) -> RecordFacts:
    """Say a durable record as pages are told. Raises: ValueError when it is none."""
    record = record_from_map(values)
    return RecordFacts(
        blank=record.blank,
        generation=record.current,
        base=record.base,
        term=record.term,
        checkpoint=record.checkpoint,
        may_serve=sorted(record.may_serve),
        lived_on=record.lived_on,
        was_primary=record.was_primary,
        clean_stop=record.clean_stop,
        target_of=record.target_of,
        inconsistent=record.inconsistent,
        forced=record.forced,
        history=list(record.history),
        changed_us=changed_us,
        error="",
    )


def _side(data: NodeData) -> Side | None:
    facts = data.record
    if facts is None or facts.error:
        return None
    record = Record(
        current=facts.generation,
        base=facts.base,
        history=tuple(facts.history),
        term=facts.term,
        checkpoint=facts.checkpoint,
        may_serve=frozenset(facts.may_serve),
        lived_on=facts.lived_on,
        target_of=facts.target_of,
        inconsistent=facts.inconsistent,
        clean_stop=facts.clean_stop,
        was_primary=facts.was_primary,
    )
    return Side(
        node=data.node,
        record=record,
        serves=data.state in SERVING,
        damaged=False,
        clean=facts.clean_stop,
        wants_full=False,
    )


def _by_path(data: NodeData) -> dict[str, Facts]:
    found: dict[str, Facts] = {}
    for listed in data.listed:
        prefix = listed.path.rstrip("/")
        for path, size, changed_us in listed.entries:
            found[f"{prefix}/{path}"] = (size, changed_us)
    return found


def _difference(path: str, good: Mapping[str, Facts], other: Mapping[str, Facts]) -> Difference:
    source, target = good.get(path, (0, 0)), other[path]
    return Difference(
        path=path,
        what="different" if path in good else "only there",
        source_bytes=source[0],
        target_bytes=target[0],
        source_changed_us=source[1],
        target_changed_us=target[1],
    )
