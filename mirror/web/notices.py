"""What deserves to be told to people who do not look: from two looks at a node, notices. Pure.

A notice says service, node, up or down, and why. Conditions (a full disk, a split brain, a node
that does not answer) are told when they begin and when they end; states when they have settled.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mirror.vocabulary.said import Said, say
from mirror.web.models.cluster import CertificateView
from mirror.web.models.said import Said as SaidParts
from mirror.web.models.state import ModuleState, NodeState

READY_WORDS = frozenset({"PRIM", "ALONE", "SECOND", "UP"})
SETTLED = frozenset({"Ready", "NotReady"})
DISK_FULL_PART = 0.9
DISK_FULL_AHEAD_US = 24 * 3600 * 1_000_000
DAYS_LEFT_MIN = 30
CLOCK_MS_MAX = 1000.0


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell. service: a module, or "" for the node itself. up: for the better.

    kind: state, split, disk, verification, certificate, clock or node.
    """

    kind: str
    service: str
    node: str
    up: bool
    reason: Said

    @property
    def key(self) -> str:
        """What it is about: of two with the same key, the later one counts."""
        return f"{self.kind} {self.service} {self.node}"

    @property
    def sentence(self) -> str:
        """In one line, as mail and feed show it."""
        word = "up" if self.up else "DOWN"
        return f"{self.service or 'node'} on {self.node}: {word}: {self.reason}"


def state_notice(module: ModuleState, node: str) -> Notice | None:
    """The state of a module on a node, when it has settled; None in between."""
    if module.ready not in SETTLED or module.state == "UNKNOWN":
        return None
    up = module.ready == "Ready" and module.state in READY_WORDS
    facts = {"state": module.state, "ready": say(f"ready.{module.ready}")}
    why = _said(module.reason_said, module.reason) or _said(module.safety_said, module.safety)
    reason = say("notice.state", **facts, why=why) if why else say("notice.state_alone", **facts)
    return Notice("state", module.module, node, up, reason)


def conditions(node: NodeState) -> Iterator[Notice]:
    """What is wrong with a node's modules, or is not: one notice each, `up` when all is well."""
    for name, module in node.modules.items():
        if not module.configured:
            continue
        split = is_split(module)
        why = _said(module.reason_said, module.reason)
        reason = why if split else say("notice.joined")
        yield Notice("split", name, node.node, not split, reason)
        yield _disk(name, node.node, module)
        different = verification_differs(module)
        yield Notice(
            "verification",
            name,
            node.node,
            not different,
            different or say("notice.equal"),
        )


def node_notice(node: NodeState) -> Notice:
    """Whether a node answers."""
    if not node.reachable:
        reason = say("notice.silent", observed=_said(node.observed_said, node.observed))
        return Notice("node", "", node.node, False, reason)
    if not node.control_plane.reachable:
        plane = node.control_plane
        reason = say("notice.mute", observed=_said(plane.observed_said, plane.observed))
        return Notice("node", "", node.node, False, reason)
    return Notice("node", "", node.node, True, say("notice.answers"))


def certificate_notices(certificates: Sequence[CertificateView]) -> Iterator[Notice]:
    """Certificates that end soon."""
    for one in certificates:
        if one.days_left is None:
            continue
        soon = one.days_left < DAYS_LEFT_MIN
        reason = say("notice.certificate", what=one.what, days=one.days_left)
        yield Notice("certificate", "", one.node, not soon, reason)


def clock_notice(node: str, difference_ms: float | None) -> Notice | None:
    """Clocks that are apart: nothing depends on them here, but logs are hard to read."""
    if difference_ms is None:
        return None
    apart = abs(difference_ms) > CLOCK_MS_MAX
    off = say("notice.clock", seconds=f"{difference_ms / 1000:+.1f}")
    return Notice("clock", "", node, not apart, off)


def is_split(module: ModuleState) -> bool:
    """Whether both nodes changed data alone and somebody must know."""
    return says_split(module.reason)


def says_split(reason: str) -> bool:
    """Whether a reason of the automaton speaks of a split brain."""
    return "split brain" in reason.casefold()


def verification_differs(module: ModuleState) -> Said:
    """What the last verification says when it found differences; "" when it did not."""
    count = different_count(module)
    return say("notice.differs", count=count) if count else Said()


def different_count(module: ModuleState) -> int | None:
    """How many differences the last verification found; None: there was none yet."""
    found = (module.model_extra or {}).get("verification")
    count = found.get("different") if isinstance(found, dict) else None
    return count if isinstance(count, int) else None


def _disk(name: str, node: str, module: ModuleState) -> Notice:
    disk = module.local.disk
    if disk is None or not disk.total_bytes:
        return Notice("disk", name, node, True, say("notice.room"))
    part = disk.used_bytes / disk.total_bytes
    soon = disk.full_at_us is not None and disk.full_at_us - disk.time_us < DISK_FULL_AHEAD_US
    code = "notice.filling" if soon else "notice.disk"
    reason = say(code, directory=disk.directory, percent=f"{100 * part:.0f}")
    return Notice("disk", name, node, part < DISK_FULL_PART and not soon, reason)


def _said(parts: SaidParts | None, sentence: str) -> Said:
    """Put a sentence of the state together again."""
    return Said(sentence, parts.code, parts.facts) if parts else Said(sentence)
