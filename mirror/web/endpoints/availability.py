"""How much of the time a module served, from the logs of both nodes."""

from typing import Annotated

from fastapi import Query

from mirror.adapters import clock
from mirror.config.names import check_module_name
from mirror.errors import MirrorError
from mirror.web.about_peer import ask_about
from mirror.web.availability import availability, moved
from mirror.web.console import Console, Here, Who
from mirror.web.endpoints.logs import ID_MAX, read_timeline
from mirror.web.endpoints.state import ModuleName
from mirror.web.identity import Caller
from mirror.web.models.availability import Availability, NodePeriods
from mirror.web.models.control import Period, Timeline
from mirror.web.on_nodes import PeerRefusal, fetch_from_peer, why_not

TIMELINE_S = 5.0
US_PER_MS = 1000


async def read_availability(
    console: Here,
    caller: Who,
    module: ModuleName,
    since_us: Annotated[int, Query(ge=0, le=ID_MAX)] = 0,
) -> Availability:
    """States of both nodes over time, outages, and the part of the time without one.

    The periods of the other node are given by this node's clock.
    """
    name = check_module_name(module)
    own = await read_timeline(console, name, since_us)
    nodes = [
        NodePeriods(
            node=own.node,
            reachable=True,
            observed="",
            clock_difference_ms=0.0,
            from_us=own.from_us,
            periods=own.periods,
        )
    ]
    if console.membership.peer:
        other, heard = await _of_the_other(console, caller, name, since_us)
        other.heard, nodes[0].heard = own.remote, heard
        nodes.append(other)
    return availability(name, nodes, since_us, clock.wall_us())


async def _of_the_other(
    console: Console, caller: Caller, name: str, since_us: int
) -> tuple[NodePeriods, list[Period]]:
    """Its own states, and this node's as it heard them; by this node's clock."""
    peer = console.membership.peer
    view, observed, difference_ms = await ask_about(console.peers, caller)
    found: Timeline | None = None
    if view is not None:
        path = f"/api/v1/modules/{name}/timeline"
        try:
            content = await fetch_from_peer(
                console, caller, path, query=f"since_us={since_us}", read_s=TIMELINE_S
            )
            found = Timeline.model_validate_json(content)
        except (MirrorError, PeerRefusal) as error:
            observed = why_not(error)
    shift_us = int((difference_ms or 0.0) * US_PER_MS)
    periods = NodePeriods(
        node=peer,
        reachable=found is not None,
        observed=str(observed),
        clock_difference_ms=difference_ms,
        from_us=found.from_us - shift_us if found else 0,
        periods=moved(found.periods, shift_us) if found else [],
    )
    return periods, moved(found.remote, shift_us) if found else []
