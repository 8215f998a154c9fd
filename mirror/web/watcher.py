"""Watches this node and the other one, once for all pages, and publishes what changes.

This node: its logs are followed, and a line in one has it asked at once whether its state changed,
over one connection, as it is five times a second; figures, which never rest, are read each second.
While nobody wants figures (demand.py) it is asked once a second whether one has moved that a graph
will show, and all of them are read now and then.
The other node: its console's own events, which come by one stream. Whoever does not answer is
asked again; that it does not is an event too.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import structlog

from mirror.adapters import clock
from mirror.adapters.console.roles import Role
from mirror.adapters.local_calls import LocalCalls
from mirror.adapters.local_events import stream_events
from mirror.config.layout import Layout
from mirror.errors import MirrorError, PeerNotReachable
from mirror.vocabulary.said import said_of, say
from mirror.web.cluster_seen import ClusterSeen
from mirror.web.demand import Demand
from mirror.web.disks import Disks
from mirror.web.figures import FigureBook
from mirror.web.identity import Caller, Via
from mirror.web.models.said import told
from mirror.web.models.state import ControlPlaneSeen, ModuleState, NodeState
from mirror.web.modules_seen import ModuleFiles, ModulesSeen
from mirror.web.peers import Peers
from mirror.web.ring import Event, Ring
from mirror.web.sse import Parser
from mirror.web.state_view import node_state

LOOK_EVERY_S = 0.2  # at figures, of which no line tells
UNSEEN_LOOK_EVERY_S = 1.0  # while nobody wants them
LOOK_APART_S = 0.02  # however much a module says
ANSWER_S = 2.0
FILES_EVERY_MS = 1000
FIGURES_EVERY_MS = 1000
UNSEEN_FIGURES_EVERY_MS = 15_000  # as the disks, which are shown with them
DISKS_EVERY_S = 15.0
AGAIN_S, AGAIN_MS = 1.0, 1000
# The other node's console sends a sign of life every second.
HEARD = {"reachable": True, "observed": "", "observed_said": None}
SILENCE_S = 2.5
ITSELF = Caller(name="console", role=Role.MONITOR, via=Via.PEER, origin="")


class Watcher:
    """Owns the last known state of both nodes. Used by one event loop."""

    def __init__(
        self,
        layout: Layout,
        environment: Mapping[str, str],
        ring: Ring,
        cluster: ClusterSeen,
        peers: Peers,
        disks: Disks,
    ) -> None:
        self.nodes: dict[str, NodeState] = {}
        self.looked_ms = 0  # boot clock of the last look at this node
        self._layout = layout
        self.figures = FigureBook()
        self._ring = ring
        self._cluster = cluster
        self._peers = peers
        self._disks = disks
        self._calls = LocalCalls(layout.control_socket)
        self._files = ModulesSeen(layout, environment)
        self._seen_files: dict[str, ModuleFiles] = {}
        self._published_ms: dict[tuple[str, str], int] = {}
        self._revision = ""  # of the last state that this node gave
        self._figures = ""  # and of the figures in it
        self._figures_ms = 0  # when that was
        self._followers: dict[str, asyncio.Task[None]] = {}
        self._stirred = asyncio.Event()  # a module said something: it may have changed
        self.demand = Demand(self._stirred.set)
        self._trace = structlog.get_logger()

    async def run(self) -> None:
        """Watch until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch_this_node())
                group.create_task(self._watch_disks())
                group.create_task(self._watch_the_other())
        finally:
            for follower in self._followers.values():
                follower.cancel()
            self._calls.close()

    def this_node(self) -> NodeState:
        """The last look at this node; before the first, that nothing is known."""
        name = self._cluster.look().shown_node
        unseen = node_state(name, clock.wall_us(), None, {}, say("seen.not_yet"))
        return self.nodes.get(name, unseen)

    def files_of(self, module: str) -> ModuleFiles | None:
        """What the files of a module say; None when it is not known."""
        return self._seen_files.get(module)

    def snapshot(self) -> list[Event]:
        """Both nodes whole, for a page that begins."""
        return [Event(0, "snapshot", one.model_dump(mode="json")) for one in self._known()]

    async def look_now(self) -> NodeState:
        """Ask the control plane now, publish what changed, and return it."""
        await self._look()
        return self.this_node()

    async def look_for_machine(self) -> None:
        """Have the figures of both nodes as fresh as for a page that is open, from now on."""
        was_wanted = self.demand.wanted
        self.demand.scraped()
        if was_wanted:
            return
        await self.look_now()
        with contextlib.suppress(PeerNotReachable, ValueError):
            request = self._peers.request("GET", "/api/v1/state", ITSELF, read_s=ANSWER_S)
            async with request as response:
                body = await response.aread()
            if response.status_code == 200:
                self._publish_changes(NodeState.model_validate_json(body))

    async def _look_again(self) -> None:
        """Look, unless nothing changed since the last look but figures that are fresh enough."""
        wanted = self.demand.wanted
        fresh_ms = FIGURES_EVERY_MS if wanted else UNSEEN_FIGURES_EVERY_MS
        if clock.boottime_ms() - self._figures_ms >= fresh_ms:
            await self._look()
        elif wanted:
            await self._look(known=self._revision)
        else:
            await self._look(known=self._revision, figures=self._figures)

    async def _look(self, **known: str) -> None:
        """Ask for the state, and take it, unless it is what is `known` already."""
        try:
            reply = await self._calls.call("state", answer_s=ANSWER_S, **known)
            if known.get("known") and "modules" not in reply:
                self._note_unchanged(figures="figures" in known)
                return
            self._figures = str(reply.get("figures") or "")
            self._take(reply["modules"], str(reply.get("revision") or ""))
        except (MirrorError, KeyError) as error:
            self._take(None, "", said_of(error))

    def _note_unchanged(self, *, figures: bool) -> None:
        """Note that this node was as it was known to be; figures: and those too."""
        self.looked_ms, now_us = clock.boottime_ms(), clock.wall_us()
        known = self.this_node()
        self.nodes[known.node] = known.model_copy(update={"time_us": now_us})
        if figures:
            self.figures.note_unchanged(self.looked_ms, now_us)

    def _take(
        self, replied: Mapping[str, Any] | None, revision: str, observed: str = ""
    ) -> NodeState:
        """Publish what changed."""
        name = self._cluster.look().shown_node
        self._revision = revision
        disks = self._disks.of_modules(self._directories())
        now_us = clock.wall_us()
        fresh = node_state(name, now_us, replied, self._seen_files, observed, disks)
        self.looked_ms = self._figures_ms = clock.boottime_ms()
        for module in fresh.modules.values():
            files = self._seen_files.get(module.module)
            module.figures = self.figures.note(
                module.module,
                module.replication,
                files.promise if files else "",
                self.looked_ms,
                now_us,
            )
        self._publish_changes(fresh)
        return fresh

    async def look_at_files(self) -> None:
        """Read anew what the modules' files say, as after a configuration."""
        with contextlib.suppress(MirrorError, OSError):
            seen = await asyncio.to_thread(self._files.look)
            if seen != self._seen_files:
                self._seen_files, self._figures_ms = seen, 0

    def _known(self) -> list[NodeState]:
        """Nodes that are in the cluster now, this one first."""
        membership = self._cluster.look()
        names = (membership.shown_node, membership.peer)
        return [self.nodes[name] for name in names if name in self.nodes]

    # --- this node ---

    async def _watch_this_node(self) -> None:
        files_due_ms = 0
        while True:
            if (now_ms := clock.boottime_ms()) >= files_due_ms:
                files_due_ms = now_ms + FILES_EVERY_MS
                await self.look_at_files()
            try:
                await self._look_again()
                self._follow_logs(self.this_node())
            except Exception:  # noqa: BLE001 - the top loop of the watch
                # A reply of another shape must not end the watch over everything else.
                self._trace.exception("look at the node failed")
            await asyncio.sleep(LOOK_APART_S)
            every_s = LOOK_EVERY_S if self.demand.wanted else UNSEEN_LOOK_EVERY_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every_s):
                    await self._stirred.wait()
            self._stirred.clear()

    async def _watch_disks(self) -> None:
        while True:
            wanted = self._directories().values()
            await self._disks.look([one for directories in wanted for one in directories])
            # Without a directory to look at, the files may not have been looked at yet.
            await asyncio.sleep(DISKS_EVERY_S if wanted else AGAIN_S)

    def _directories(self) -> dict[str, tuple[str, ...]]:
        return {name: one.directories for name, one in self._seen_files.items() if one.configured}

    def _publish_changes(self, fresh: NodeState) -> None:
        known = self.nodes.get(fresh.node)
        self.nodes[fresh.node] = fresh
        if known is None:
            self._ring.publish("snapshot", **fresh.model_dump(mode="json"))
            return
        if known.control_plane != fresh.control_plane or known.reachable != fresh.reachable:
            self._publish_node(fresh)
        for name in {*known.modules, *fresh.modules}:
            self._publish_module(fresh, name, known.modules.get(name), fresh.modules.get(name))

    def _publish_module(
        self, fresh: NodeState, name: str, before: ModuleState | None, now: ModuleState | None
    ) -> None:
        """Publish a change; one of figures alone, which never rest, once a second."""
        if before is now or before == now:
            return
        key, now_ms = (fresh.node, name), clock.boottime_ms()
        only_figures = before is not None and now is not None and _still(before) == _still(now)
        if only_figures and now_ms - self._published_ms.get(key, 0) < FIGURES_EVERY_MS:
            return
        self._published_ms[key] = now_ms
        state = now.model_dump(mode="json") if now else None
        self._publish("state", fresh.node, fresh.time_us, module=name, state=state)

    def _publish_node(self, fresh: NodeState) -> None:
        self._publish(
            "node",
            fresh.node,
            fresh.time_us,
            reachable=fresh.reachable,
            observed=fresh.observed,
            observed_said=said.model_dump() if (said := fresh.observed_said) else None,
            control_plane=fresh.control_plane.model_dump(),
        )

    def _publish(self, event: str, node: str, time_us: int, /, **data: Any) -> None:
        self._ring.publish(event, node=node, time_us=time_us, **data)

    def _follow_logs(self, fresh: NodeState) -> None:
        """Follow the log of each configured module; one that ended is followed again."""
        wanted = {name for name, one in fresh.modules.items() if one.configured}
        for name in set(self._followers) - wanted:
            self._followers.pop(name).cancel()
        for name in wanted:
            follower = self._followers.get(name)
            if follower is None:
                task = asyncio.get_running_loop().create_task(self._follow_log(name))
                self._followers[name] = task

    async def _follow_log(self, module: str) -> None:
        while True:
            began_ms = clock.boottime_ms()
            with contextlib.suppress(MirrorError, KeyError, OSError):
                stream = stream_events(
                    self._layout.control_socket,
                    "log",
                    module=module,
                    last=1,
                    every=True,
                    language="en",
                    follow=True,
                )
                async for message in stream:
                    if message["event"] == "log":
                        entry = message["entry"]
                        node = self._cluster.look().shown_node
                        now_us = clock.wall_us()
                        self._publish("log", node, now_us, module=module, entry=entry)
                        self._stirred.set()
            if clock.boottime_ms() - began_ms > AGAIN_MS:  # who sent it is gone
                self._stirred.set()
            await asyncio.sleep(AGAIN_S)

    # --- the other node ---

    async def _watch_the_other(self) -> None:
        last_id = ""
        while True:
            node, wanted = self._cluster.look().peer, self.demand.wanted
            observed = ""
            if node:
                try:
                    async with aclosing(self._stream(last_id, figures=wanted)) as events:
                        async for event_id, name, data in events:
                            last_id = event_id or last_id
                            self._take_over(node, name, data)
                            if self.demand.wanted is not wanted:
                                break
                        else:
                            observed = say("node.ended")
                except (PeerNotReachable, TimeoutError, ValueError) as error:
                    observed = said_of(error) or say("node.silent", seconds=SILENCE_S)
                if not observed:  # the same events go on, with figures or without
                    continue
                self._lose(node, observed)
            await asyncio.sleep(AGAIN_S)

    async def _stream(
        self, last_id: str, *, figures: bool
    ) -> AsyncGenerator[tuple[str, str, dict[str, Any]], None]:
        headers = {"accept": "text/event-stream"}
        if last_id:
            headers["last-event-id"] = last_id
        query = f"nodes=own&figures={str(figures).lower()}"
        request = self._peers.request(
            "GET", "/api/v1/events", ITSELF, query=query, headers=headers
        )
        async with request as response:
            if response.status_code != 200:
                raise PeerNotReachable(
                    node=say("rule.other_node"),
                    observed=say("node.answers", status=response.status_code),
                )
            parser = Parser()
            chunks = response.aiter_bytes()
            while True:
                async with asyncio.timeout(SILENCE_S):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    return
                for event_id, name, text in parser.feed(chunk):
                    data = json.loads(text)
                    if isinstance(data, dict):
                        yield event_id, name, data

    def _take_over(self, node: str, name: str, data: dict[str, Any]) -> None:
        """Take an event of the other node into our own ring."""
        if name == "beat":
            known = self.nodes.get(node)
            if known is not None:
                now = HEARD | {"time_us": int(data["time_us"])}
                self._publish_changes(known.model_copy(update=now))
            return
        data["node"] = node
        known = self.nodes.get(node)
        if name == "snapshot":
            self._publish_changes(NodeState.model_validate(data))
            return
        if known is not None and name in {"state", "node"}:
            self._publish_changes(_applied(known, name, data))
            return
        self._ring.publish(name, **data)

    def _lose(self, node: str, observed: str) -> None:
        known = self.nodes.get(node)
        lost = {"reachable": False, "observed": str(observed), "observed_said": told(observed)}
        if known is None:
            unseen = node_state(node, clock.wall_us(), None, {}, observed)
            self._publish_changes(unseen.model_copy(update=lost))
        elif known.reachable or known.observed != observed:
            # The last known states stay, with the time when they were true.
            self._publish_changes(known.model_copy(update=lost))


def _still(state: ModuleState) -> ModuleState:
    """The state without the figures that change at each look."""
    local = state.local.model_copy(update={"disk": None})
    figures: dict[str, Any] = {
        "replication": {},
        "figures": None,
        "heartbeats": None,
        "progress": None,
        "local": local,
    }
    return state.model_copy(update=figures)


def _applied(known: NodeState, name: str, data: Mapping[str, Any]) -> NodeState:
    """The state of a node after one event about it. Raises: ValueError when it is none."""
    now = HEARD | {"time_us": int(data["time_us"])}
    if name == "node":
        seen = ControlPlaneSeen.model_validate(data["control_plane"])
        return known.model_copy(update=now | {"control_plane": seen})
    # Of one module alone: each of many modules has its event once a second.
    modules, module = dict(known.modules), str(data["module"])
    if data["state"] is None:
        modules.pop(module, None)
    else:
        modules[module] = ModuleState.model_validate(data["state"])
    return known.model_copy(update=now | {"modules": modules})
