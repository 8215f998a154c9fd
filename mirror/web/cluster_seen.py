"""Who this node is and who the other one is, from the cluster's files, read anew when they change.

Small local files, read on the loop: they lie in SAFEVAR, never on a replicated path.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

from mirror.config.cluster import Cluster, load_cluster
from mirror.config.files import read_bytes
from mirror.config.layout import Layout
from mirror.errors import MirrorError

NAME_UNTIL_NAMED = "this"


@dataclass(frozen=True, slots=True)
class Membership:
    """node: "" before this node has a name. peer: "" when there is no other node."""

    node: str = ""
    peer: str = ""
    peer_addresses: tuple[str, ...] = ()
    cluster: Cluster | None = None

    @property
    def shown_node(self) -> str:
        """The name in events and paths, also before the node has one."""
        return self.node or NAME_UNTIL_NAMED


@dataclass
class ClusterSeen:
    """Looks at the cluster's files of this node."""

    layout: Layout
    _known: tuple[tuple[int, ...], Membership] | None = field(default=None, init=False)

    def look(self) -> Membership:
        """Who is who, now. A file that cannot be read counts as missing."""
        files = (self.layout.cluster_config, self.layout.node_identity)
        stamp = tuple(_changed_ns(file) for file in files)
        if self._known is None or self._known[0] != stamp:
            self._known = (stamp, self._read())
        return self._known[1]

    def _read(self) -> Membership:
        cluster, node = None, ""
        try:
            node = str(json.loads(read_bytes(self.layout.node_identity))["name"])
        except (MirrorError, ValueError, KeyError, TypeError):
            node = ""
        try:
            file = self.layout.cluster_config
            cluster = load_cluster(read_bytes(file), str(file))
        except MirrorError:
            return Membership(node)
        peer = cluster.peer_of(node) or ""
        # The network for commands first, then every other: one that lives is enough.
        lans = (cluster.command_lan, *cluster.lans)
        found = [one.address for lan in lans if (one := lan.node(peer)) is not None]
        return Membership(node, peer, tuple(dict.fromkeys(found)), cluster)


def _changed_ns(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
