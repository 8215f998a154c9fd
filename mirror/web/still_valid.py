"""Whether who began something that lasts may still have it: a stream outlives many a session."""

import asyncio

from mirror.web.console import Console
from mirror.web.identity import Caller, Via


async def is_still_valid(console: Console, caller: Caller) -> bool:
    """Tell whether the session, the token or the node is there still; this keeps none alive."""
    credentials = console.credentials
    match caller.via:
        case Via.SESSION:
            found = await asyncio.to_thread(credentials.session, caller.secret, active=False)
            return found is not None
        case Via.TOKEN:
            return await asyncio.to_thread(credentials.token, caller.secret) is not None
        case Via.PEER:
            cluster = console.membership.cluster
            node = caller.origin.removeprefix("node ")
            return cluster is not None and node in cluster.node_names
        case _:
            return True
