"""Checks of `mirror doctor` of the networks and the other node: addresses, version, clock."""

from importlib.metadata import version

from mirror.adapters import clock
from mirror.adapters.netlink_facts import read_network
from mirror.adapters.peer_https import PeerConsole
from mirror.cli.cluster_commands import node_name
from mirror.cli.configure import read_cluster
from mirror.cli.finding import Finding, fine
from mirror.cli.session import Session
from mirror.config.cluster import addresses_of
from mirror.config.layout import CONSOLE_HTTPS_PORT
from mirror.errors import MirrorError

CLOCK_MS_MAX = 2_000  # logs of both nodes are merged by time; decisions never look at it


def addresses(session: Session) -> Finding:
    """Addresses of this node."""
    cluster, name = read_cluster(session.layout), node_name(session)
    network = read_network()
    for lan in cluster.lans:
        mine = lan.node(name or "")
        if mine is None or not _is_literal(mine.local_address):
            continue
        if network.find(mine.local_address) is None:
            return Finding(
                "addresses",
                "problem",
                f"{mine.local_address} of network {lan.name} is not on this host",
                "correct cluster.xml, or give it to an interface",
            )
        if not network.carrier_of(mine.local_address):
            return Finding(
                "addresses",
                "problem",
                f"the interface of network {lan.name} has no carrier",
                "is the cable plugged?",
            )
    return fine("addresses", "those of cluster.xml are on this host")


def _is_literal(address: str) -> bool:
    return address.replace(".", "").isdigit() or ":" in address


def peer(session: Session) -> Finding:
    """Other node."""
    cluster, name = read_cluster(session.layout), node_name(session)
    other = cluster.peer_of(name or "")
    if other is None:
        return fine("other node", "a cluster of one: there is none")
    console = PeerConsole(
        other, addresses_of(cluster, other), CONSOLE_HTTPS_PORT, session.layout.pki
    )
    begun_us = clock.wall_us()
    try:
        answer = console.ask("GET", "/api/v1/node", b"")
    except MirrorError as error:
        return Finding("other node", "problem", str(error), "does `mirror node` run there?")
    middle_us = (begun_us + clock.wall_us()) / 2
    told = answer.json
    ours, theirs = version("mirror"), str(told.get("version") or "unknown")
    if theirs != ours:
        return Finding(
            "other node",
            "warning",
            f"{other} has version {theirs}, this one {ours}",
            "install the same on both",
        )
    apart_ms = int(abs(int(told.get("time_us") or 0) - middle_us) / 1000)
    if apart_ms > CLOCK_MS_MAX:
        return Finding(
            "other node", "warning", f"its clock is {apart_ms} ms away", "use NTP on both nodes"
        )
    return fine("other node", f"{other} answers, same version, clocks {apart_ms} ms apart")


CHECKS = (addresses, peer)
