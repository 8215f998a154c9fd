"""From the states of both nodes: when the service was there, and what that is a year. Pure.

Times of the other node are moved to this node's clock first. What the nodes were told to stop is
planned, and counts neither for nor against.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mirror.web.models.availability import Availability, NodePeriods, Outage
from mirror.web.models.control import Period

SERVING = frozenset({"PRIM", "ALONE"})
MINUTES_A_YEAR = 365.25 * 24 * 60
US_PER_MS = 1000
# A gap shorter than this is the difference of two clocks, not an outage.
CLOCKS_US = 20_000


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which a node served, or was stopped. Microseconds; until is exclusive."""

    from_us: int
    until_us: int
    node: str


def moved(periods: Iterable[Period], difference_us: int) -> list[Period]:
    """The periods of a node whose clock is `difference_us` ahead, by this node's clock."""
    return [
        one.model_copy(
            update={
                "from_us": one.from_us - difference_us,
                "until_us": None if one.until_us is None else one.until_us - difference_us,
            }
        )
        for one in periods
    ]


def availability(
    module: str, nodes: Sequence[NodePeriods], since_us: int, now_us: int
) -> Availability:
    """Put the figures together. nodes: their periods by this node's clock, oldest first."""
    served = _merged(_spans(nodes, now_us, SERVING), since_us)
    stopped = _spans(nodes, now_us, frozenset({"STOP"}))
    begin_us = served[0].from_us if served else now_us
    known = {one.node for one in nodes if one.reachable}
    outages = [
        _outage(before, after, stopped, known)
        for before, after in _pairs(served, now_us)
        if after.from_us - before.until_us > CLOCKS_US
    ]
    served_us = sum(one.until_us - one.from_us for one in served)
    lost_us = sum(one.until_us - one.from_us for one in outages if not one.planned)
    part = served_us / (served_us + lost_us) if served_us else None
    unplanned = [one for one in outages if not one.planned]
    return Availability(
        module=module,
        from_us=begin_us,
        until_us=now_us,
        served_us=served_us,
        availability=part,
        nines=None if part is None or part >= 1 else round(-math.log10(1 - part), 2),
        minutes_a_year=None if part is None else round((1 - part) * MINUTES_A_YEAR, 2),
        outages=outages[::-1],
        last_outage_ms=unplanned[-1].ms if unplanned else None,
        nodes=list(nodes),
    )


def _spans(nodes: Iterable[NodePeriods], now_us: int, words: frozenset[str]) -> list[Span]:
    found = []
    for node in nodes:
        for one in (*node.periods, *_heard_serving(node, words)):
            is_one = one.state in words and (one.state == "STOP" or one.ready == "Ready")
            if is_one:
                found.append(Span(one.from_us, one.until_us or now_us, node.node))
    return sorted(found, key=lambda one: (one.from_us, one.until_us))


def _heard_serving(node: NodePeriods, words: frozenset[str]) -> list[Period]:
    """What the other node heard counts for serving only: a node that died wrote no last line."""
    return node.heard if words is SERVING else []


def _merged(spans: Iterable[Span], since_us: int) -> list[Span]:
    """Times in which some node served, without overlaps, from since_us on."""
    found: list[Span] = []
    for one in spans:
        begin = max(one.from_us, since_us)
        if one.until_us <= begin:
            continue
        if found and begin <= found[-1].until_us:
            if one.until_us > found[-1].until_us:
                found[-1] = Span(found[-1].from_us, one.until_us, one.node)
        else:
            found.append(Span(begin, one.until_us, one.node))
    return found


def _pairs(served: Sequence[Span], now_us: int) -> list[tuple[Span, Span]]:
    """Each span and the next one; the last one and now."""
    if not served:
        return []
    return list(zip(served, [*served[1:], Span(now_us, now_us, "")], strict=True))


def _outage(before: Span, after: Span, stopped: Sequence[Span], known: set[str]) -> Outage:
    """A gap; planned when every node that is known was in STOP at one moment of it."""
    from_us, until_us = before.until_us, after.from_us
    inside = [one for one in stopped if one.from_us < until_us and one.until_us > from_us]
    begins = [
        max([from_us, *(one.from_us for one in inside if one.node == node)]) for node in known
    ]
    ends = [
        max([from_us, *(min(one.until_us, until_us) for one in inside if one.node == node)])
        for node in known
    ]
    together = bool(known) and {one.node for one in inside} >= known and max(begins) < min(ends)
    return Outage(
        from_us=from_us,
        until_us=until_us,
        ms=(until_us - from_us) // US_PER_MS,
        node_before=before.node,
        node_after=after.node,
        planned=together,
    )
