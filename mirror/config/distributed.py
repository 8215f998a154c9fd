"""`-H HOSTS COMMAND`: which nodes are meant, and which commands may travel. Pure.

HOSTS as SafeKit has it: `*`, node names or addresses separated by commas, URLs, and a leading
`[https:9453]` for the port of those that follow without one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mirror.config.cluster import Cluster
from mirror.config.collector import listed, nearest
from mirror.config.layout import CONSOLE_HTTPS_PORT

# What concerns one node's files or terminal stays there: lab, demo, node, cluster init and join,
# and the helpers that signal processes.
DISTRIBUTED = frozenset(
    {
        *("start", "stop", "restart", "stopstart", "forcestop", "swap", "prim", "second"),
        *("primforce", "secondforce", "shutdown", "waitstart", "waitstop", "waitstate"),
        *("state", "level", "log", "logview", "cmdlog", "doctor", "get", "set", "simulate"),
        *("config", "deconfig", "confcheck", "confinfo", "update", "module", "cluster", "boot"),
        *("errd", "checker", "failover", "resetloop", "checkloop", "printi", "printw", "printe"),
        *("rfsverify", "rfsdiff", "rfssync", "kept", "snapshot", "dump", "clean", "logsave"),
    }
)
_HERE_ONLY = {"cluster": frozenset({"init", "join", "invite", "token", "remove", "replace"})}
_URL = re.compile(r"(?:(https?)://)?(\[[^\]]+\]|[^/:\s]+)(?::(\d{1,5}))?/?")
_SCHEME = re.compile(r"\[(https?)(?::(\d{1,5}))?\]")
PORT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class Target:
    """One node meant. here: it is this one, and nothing travels."""

    label: str
    addresses: tuple[str, ...]
    port: int
    here: bool


def refusal_of(arguments: Sequence[str]) -> str:
    """Why a command line may not travel; "" when it may."""
    words = [word for word in arguments if not word.startswith("-")]
    verb = words[0] if words else ""
    if verb not in DISTRIBUTED:
        return f"{verb or 'no command'} is for one node only{nearest(verb, DISTRIBUTED)}"
    if len(words) > 1 and words[1] in _HERE_ONLY.get(verb, ()):
        return f"{verb} {words[1]} is for one node only"
    return ""


def targets(hosts: str, cluster: Cluster, node: str | None) -> tuple[Target, ...]:
    """Find the nodes meant, in the order written; `*` is all of them.

    Raises: ValueError with what is wrong.
    """
    port = CONSOLE_HTTPS_PORT
    found: list[Target] = []
    for word in (word.strip() for word in hosts.split(",")):
        if scheme := _SCHEME.fullmatch(word):
            _require_https(scheme[1], word)
            port = int(scheme[2] or port)
        elif word == "*":
            found += [_of_name(name, cluster, node, port) for name in cluster.node_names]
        elif word in cluster.node_names:
            found.append(_of_name(word, cluster, node, port))
        else:
            found.append(_of_address(word, cluster, node, port))
    if not found:
        raise ValueError('no node named; write "*", or names separated by commas')
    return tuple(dict.fromkeys(found))


def _of_name(name: str, cluster: Cluster, node: str | None, port: int) -> Target:
    first = cluster.command_lan
    lans = (first, *(lan for lan in cluster.lans if lan is not first))
    nodes = (lan.node(name) for lan in lans)
    addresses = tuple(dict.fromkeys(one.address for one in nodes if one is not None))
    return Target(name, addresses, port, here=name == node)


def _of_address(word: str, cluster: Cluster, node: str | None, port: int) -> Target:
    parsed = _URL.fullmatch(word)
    known = [one for lan in cluster.lans for one in lan.nodes]
    if parsed is None:
        raise ValueError(f'"{word}" is no node name, address or URL')
    _require_https(parsed[1] or "https", word)
    address, port = parsed[2].strip("[]"), int(parsed[3] or port)
    owner = next((one.name for one in known if address in (one.address, one.local_address)), None)
    if owner is None or port > PORT_MAX:
        names = cluster.node_names
        raise ValueError(
            f'"{word}" is no node of cluster.xml{nearest(address, names)}; known: {listed(names)}'
        )
    return Target(owner, (address,), port, here=owner == node)


def _require_https(scheme: str, word: str) -> None:
    if scheme != "https":
        raise ValueError(f'"{word}": nodes are asked by https only; write https')
