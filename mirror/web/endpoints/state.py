"""States, resources, events, readiness."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Literal

from fastapi import Header, Path, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mirror.adapters import clock
from mirror.config.names import check_module_name
from mirror.errors import ModuleUnknown, NodeNotReachable
from mirror.vocabulary.said import say
from mirror.web.console import Console, Here, Who
from mirror.web.demand import Demand
from mirror.web.identity import Caller
from mirror.web.models.figures import History, Processes
from mirror.web.models.state import ModuleState, NodeState, Resources, ResourceValue
from mirror.web.sse import written
from mirror.web.still_valid import is_still_valid
from mirror.web.transport import is_loopback

ModuleName = Annotated[str, Path(min_length=1, max_length=32, examples=["mirror"])]
BEAT_S = 1.0  # a page must say within two seconds that its node is gone
CHUNK_EVENTS_MAX = 64
SESSION_CHECK_BEATS = 5
# Several pages of one person, and those of others: past this it is a mistake, or worse.
STREAMS_MAX = 300
RETRY_MS = 1000
READY_AGE_MS_MAX = 5000


async def read_state(console: Here) -> NodeState:
    """Every module of this node: state, why, whether the data are safe, progress."""
    return await console.watcher.look_now()


async def read_module_state(console: Here, module: ModuleName) -> ModuleState:
    """One module of this node."""
    name = check_module_name(module)
    found = (await console.watcher.look_now()).modules.get(name)
    if found is None:
        raise ModuleUnknown(module=name, observed=say("seen.not_installed"))
    return found


async def read_resources(console: Here, module: ModuleName) -> Resources:
    """The resources of a module, as `mirror state -v` shows them."""
    name = check_module_name(module)
    reply = await console.control("resources", module=name)
    resources = {}
    for resource, entry in dict(reply["resources"]).items():
        values = entry if isinstance(entry, dict) else {"value": entry}
        resources[str(resource)] = ResourceValue.model_validate(
            values | {"value": str(values.get("value", ""))}
        )
    return Resources(module=name, resources=resources)


async def read_history(
    console: Here,
    module: ModuleName,
    since_us: Annotated[int, Query(ge=0, le=2**53)] = 0,
) -> History:
    """Rates of replication on this node over time, for graphs."""
    name = check_module_name(module)
    node = console.membership.shown_node
    return console.watcher.figures.history(name, node, since_us, clock.wall_us())


async def read_processes(console: Here, module: ModuleName) -> Processes:
    """The processes that errd watches, as `mirror errd list` shows them."""
    name = check_module_name(module)
    reply = await console.control(
        "command", verb="errd", module=name, arguments={"action": "list"}, identity=None
    )
    return Processes(module=name, processes=[str(one) for one in reply.get("processes") or ()])


async def follow_events(
    console: Here,
    caller: Who,
    request: Request,
    nodes: Annotated[Literal["all", "own"], Query()] = "all",
    last_event_id: Annotated[str | None, Header(max_length=64)] = None,
    after: Annotated[str | None, Query(max_length=64)] = None,
    *,
    figures: Annotated[bool, Query(description="false: do not read figures for me")] = True,
) -> StreamingResponse:
    """Events as they come (text/event-stream), of both nodes, numbered.

    A page that comes with the last id it has (`Last-Event-ID`, or `after`) gets what it missed;
    else, or after too long, it gets `snapshot` for each node. Each event's data has `node` and
    `time_us`.

    * `snapshot`: a NodeState, whole.
    * `state`: `module`, and `state`: its ModuleState, or null when it is gone.
    * `node`: `reachable`, `observed`, `control_plane` of a node.
    * `log`: `module`, `entry`: one line of its log.
    * `audit`: `name`, `origin`, `module`, `what`, `result`, `status` of a request.
    * `beat`: every second, not numbered: this node is alive; `nodes` has each node's `time_us`
      and `reachable`. Two seconds without one: the node that serves the page is gone.
    """
    if console.streams >= STREAMS_MAX:
        raise NodeNotReachable(
            socket=say("web.events"), observed=say("seen.streams", count=STREAMS_MAX)
        )
    begin = console.ring.number_of(last_event_id or after)
    stream = _stream(console, caller, begin, own=nodes == "own", request=request)
    if figures:
        stream = _while_wanted(console.watcher.demand, stream)
    return StreamingResponse(
        stream, media_type="text/event-stream", headers={"x-accel-buffering": "no"}
    )


async def _while_wanted(
    demand: Demand, stream: AsyncGenerator[bytes, None]
) -> AsyncGenerator[bytes, None]:
    """Pass a stream on; figures are wanted as long as it is read."""
    with demand.watching():
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                yield chunk


async def _stream(
    console: Console, caller: Caller, begin: int | None, *, own: bool, request: Request
) -> AsyncGenerator[bytes, None]:
    """Write events and beats until the page, the session or the console ends."""
    ring, this_node = console.ring, console.membership.shown_node
    queue: asyncio.Queue[bytes] = asyncio.Queue(CHUNK_EVENTS_MAX)

    async def events() -> None:
        async with aclosing(ring.follow(begin, console.watcher.snapshot)) as followed:
            async for event, position in followed:
                if not own or event.data.get("node") == this_node:
                    await queue.put(written(event.name, event.data, ring.id_of(position)))

    async def beats() -> None:
        count = 0
        while not console.ending and (
            count % SESSION_CHECK_BEATS or await is_still_valid(console, caller)
        ):
            await queue.put(written("beat", _beat(console)))
            count += 1
            await asyncio.sleep(BEAT_S)

    console.streams += 1
    sources = [asyncio.create_task(events()), asyncio.create_task(beats())]
    try:
        yield f"retry: {RETRY_MS}\n\n".encode()
        while not sources[1].done() and not await request.is_disconnected():
            try:
                async with asyncio.timeout(BEAT_S):
                    chunk = await queue.get()
            except TimeoutError:
                continue
            while not queue.empty():  # what came together goes together
                chunk += queue.get_nowait()
            yield chunk
    finally:
        console.streams -= 1
        for source in sources:
            source.cancel()
        await asyncio.gather(*sources, return_exceptions=True)


def _beat(console: Console) -> dict[str, object]:
    nodes = {
        name: {"time_us": one.time_us, "reachable": one.reachable}
        for name, one in console.watcher.nodes.items()
    }
    node = console.membership.shown_node
    return {"node": node, "time_us": clock.wall_us(), "nodes": nodes}


async def read_ready(console: Here, request: Request, module: ModuleName) -> Response:
    """Whether the module serves here: 200 in PRIM, ALONE or UP when Ready, else 404; no body.

    For load balancers, as SafeKit has it. Other hosts get 404 until it is switched on for the
    module (`PUT /api/v1/modules/{module}/settings`).
    """
    open_to_caller = is_loopback(request.scope) or await asyncio.to_thread(
        console.settings.ready_probe, module
    )
    state = console.watcher.this_node()
    found = state.modules.get(module) if state.control_plane.reachable else None
    # What was true a while ago must not keep clients coming.
    fresh = clock.boottime_ms() - console.watcher.looked_ms < READY_AGE_MS_MAX
    serves = found is not None and found.state in {"PRIM", "ALONE", "UP"}
    is_ready = open_to_caller and fresh and found is not None and serves and found.ready == "Ready"
    return Response(status_code=200 if is_ready else 404)
