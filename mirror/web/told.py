"""Looks each second at what the watch has seen, and gives the notifier what is true now."""

import asyncio

import structlog

from mirror.adapters import clock
from mirror.web.about_certificates import certificates_of
from mirror.web.about_peer import ask_about
from mirror.web.cluster_seen import ClusterSeen
from mirror.web.models.state import NodeState
from mirror.web.notices import (
    Notice,
    certificate_notices,
    clock_notice,
    conditions,
    node_notice,
    state_notice,
)
from mirror.web.notifier import Notifier
from mirror.web.peers import Peers
from mirror.web.watcher import ITSELF, Watcher

LOOK_S = 1.0
CERTIFICATES_EVERY_LOOKS = 3600
CLOCK_EVERY_LOOKS = 60
# The consoles of both nodes begin together; that one is a second later is no loss.
PATIENCE_MS = 10_000


class Told:
    """Used by one event loop."""

    def __init__(
        self, watcher: Watcher, cluster: ClusterSeen, peers: Peers, notifier: Notifier
    ) -> None:
        self._watcher = watcher
        self._cluster = cluster
        self._peers = peers
        self._notifier = notifier
        self._bad_since_ms: dict[str, int] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        looks = 0
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                self._notifier.take(self._seen())
                if looks % CERTIFICATES_EVERY_LOOKS == 0:
                    found = await asyncio.to_thread(certificates_of, self._cluster)
                    self._notifier.take(certificate_notices(found))
                if looks % CLOCK_EVERY_LOOKS == 0:
                    await self._look_at_the_clock()
            except Exception:  # noqa: BLE001 - the top loop of the look
                structlog.get_logger().exception("look for notices failed")
            looks += 1

    async def _look_at_the_clock(self) -> None:
        peer = self._cluster.look().peer
        if peer:
            _, _, difference_ms = await ask_about(self._peers, ITSELF)
            notice = clock_notice(peer, difference_ms)
            if notice is not None:
                self._notifier.take([notice])

    def _seen(self) -> list[Notice]:
        membership = self._cluster.look()
        own = self._watcher.nodes.get(membership.shown_node)
        other = self._watcher.nodes.get(membership.peer) if membership.peer else None
        found: list[Notice] = []
        if own is not None and own.control_plane.reachable:
            found += conditions(own)
            found += [
                notice
                for module in own.modules.values()
                if module.configured and (notice := state_notice(module, own.node)) is not None
            ]
        found += [notice for one in (own, other) if one and (notice := self._answers(one))]
        return found

    def _answers(self, node: NodeState) -> Notice | None:
        """Whether a node answers; that it does not must last a while to be told."""
        notice, now_ms = node_notice(node), clock.boottime_ms()
        if notice.up:
            self._bad_since_ms.pop(node.node, None)
            return notice
        since_ms = self._bad_since_ms.setdefault(node.node, now_ms)
        return notice if now_ms - since_ms >= PATIENCE_MS else None
