"""The other node's words about itself, and its clock against this one's."""

from mirror.adapters import clock
from mirror.errors import MirrorError
from mirror.vocabulary.said import Said, said_of, say
from mirror.web.identity import Caller
from mirror.web.models.cluster import NodeView
from mirror.web.peers import Peers

ABOUT_S = 3.0
US_PER_MS = 1000


async def ask_about(peers: Peers, caller: Caller) -> tuple[NodeView | None, Said, float | None]:
    """The other node's words about itself; else why not; and its clock against ours."""
    begun_us, begun_ms = clock.wall_us(), clock.boottime_us()
    try:
        async with peers.request("GET", "/api/v1/node", caller, read_s=ABOUT_S) as response:
            content = await response.aread()
            if response.status_code != 200:
                return None, say("node.answers", status=response.status_code), None
    except MirrorError as error:
        return None, said_of(error), None
    # Half of the way there and back: on a local network the error is below a millisecond.
    half_us = (clock.boottime_us() - begun_ms) / 2
    view = NodeView.model_validate_json(content)
    return view, Said(), (view.time_us - begun_us - half_us) / US_PER_MS
