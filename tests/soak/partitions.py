"""Random partitions of two nodes and their etcd witness, with a ledger at both sides.

    python -m tests.soak.partitions --count 200 [--seed N]

After each partition: two nodes never acknowledged at the same time (invariant 6), and everything
that either acknowledged is in the file of the primary, once. The exit code is 1 at a violation.
"""

import argparse
import itertools
import random
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mirror.adapters.compare import Difference
from mirror.adapters.lab import module_setup, plan
from mirror.adapters.lab.client import Lab
from mirror.adapters.lab.comparison import compare_hosts
from mirror.errors import MirrorError
from tests.soak import audit
from tests.soak.audit import Violation

MODULE = "ledger"
MODULE_DIRECTORY = Path(__file__).parent / "module" / MODULE
FILE = f"{plan.REPLICATED_DIRECTORY}/acknowledged"
LEDGER = "/var/ledger"
PARTED_S_MAX = 4.0
HEALED_S_MAX = 120.0
FILE_S_MAX = 20.0
# A writer that is not scheduled notes an acknowledgement late; longer, and it was given late.
LATE_NS = 500_000_000
EQUAL_EVERY = 20

Block = tuple[str, str, str]  # host, the other end, "in" or "out" of the host


def random_blocks(chance: random.Random) -> tuple[str, set[Block]]:
    """Choose a partition. Returns: what it is, and what is dropped where."""
    host = chance.choice(plan.NODES)
    (peer,) = (other for other in plan.NODES if other != host)
    pair = {(host, peer, way) for way in ("in", "out")}
    lone = {(host, plan.WITNESS, way) for way in ("in", "out")}
    ways = chance.choice(("in", "out"))
    name, blocks = chance.choice(
        (
            ("both see the witness", pair),
            (f"{host} alone", pair | lone),
            (f"{host} hears nobody" if ways == "in" else f"nobody hears {host}", {
                (host, peer, ways), (host, plan.WITNESS, ways)
            }),
            (f"one way between the nodes, {ways} of {host}", {(host, peer, ways)}),
            (f"{host} without the witness", lone),
            ("nobody sees anybody", pair | lone | {
                (peer, plan.WITNESS, way) for way in ("in", "out")
            }),
            ("anything", {
                (end, other, way)
                for end in plan.NODES
                for other in (*plan.NODES, plan.WITNESS)
                for way in ("in", "out")
                if end != other and chance.random() < 0.4
            }),
        )
    )  # fmt: skip
    return name, set(blocks)


def apply_blocks(lab: Lab, blocks: Iterable[Block]) -> None:
    """Drop exactly this from now on; nothing when there are no blocks."""
    for host in plan.NODES:
        rules: dict[str, list[str]] = {"in": [], "out": []}
        for end, other, way in blocks:
            if end == host:
                ends = ", ".join(port.address for port in lab.lab_plan.host(other).ports)
                rules[way].append(f"ip {'saddr' if way == 'in' else 'daddr'} {{ {ends} }} drop")
        chains = "\n".join(
            f"chain {way} {{\ntype filter hook {hook}put priority 0; policy accept;\n"
            + "\n".join(rules[way])
            + "\n}"
            for way, hook in (("in", "in"), ("out", "out"))
        )
        text = f"table inet parted\ndelete table inet parted\ntable inet parted {{\n{chains}\n}}\n"
        lab.exec(host, ["nft", "-f", "-"], stdin=text)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """One line of a ledger. Moments in ns: the acknowledgement came between them."""

    host: str
    tenure: str
    number: int
    before: int
    after: int


@dataclass(slots=True)
class Ledgers:
    """What both nodes noted so far."""

    lab: Lab
    lines: list[Acknowledged] = field(default_factory=list)
    _read_bytes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(plan.NODES, 0))

    def read(self) -> list[Acknowledged]:
        """Take what is new. Returns: it, in order of time."""
        fresh = []
        for host in plan.NODES:
            start = self._read_bytes[host]
            said = self.lab.exec(host, ["tail", "-c", f"+{start + 1}", LEDGER], check=False).stdout
            whole = said[: said.rfind("\n") + 1]
            self._read_bytes[host] += len(whole)
            for line in whole.splitlines():
                tenure, *numbers = line.split()
                fresh.append(Acknowledged(host, tenure, *map(int, numbers)))
        fresh.sort(key=lambda one: one.after)
        self.lines += fresh
        return fresh

    def check_one_at_a_time(self) -> None:
        """Raises: Violation when tenures of different hosts overlap."""
        tenures: dict[str, list[Acknowledged]] = {}
        for one in self.lines:
            tenures.setdefault(one.tenure, []).append(one)
        spans = sorted(tenures.values(), key=lambda lines: lines[0].after)
        for earlier, later in itertools.combinations(spans, 2):
            if earlier[0].host == later[0].host:
                continue
            first = later[0].after
            for one in earlier:
                if one.before > first or one.after - first > LATE_NS:
                    raise Violation(
                        f"{one.host} acknowledged {one.tenure} {one.number} at {one.after} ns,"
                        f" {one.after - first} ns after {later[0].host} did"
                    )

    def check_kept(self, primary: str) -> None:
        """Raises: Violation when the primary's file lacks a line, or has one twice."""
        wanted = {f"{one.tenure} {one.number}" for one in self.lines}
        deadline = time.monotonic() + FILE_S_MAX
        while True:
            found = self.lab.exec(primary, ["cat", FILE], timeout_s=60).stdout.splitlines()
            lost = wanted - set(found)
            if not lost or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        if lost:
            raise Violation(f"lost: {len(lost)} acknowledged lines, such as {min(lost)}")
        if len(found) != len(set(found)):
            raise Violation("a line stands twice")


class Partitions:
    """One run. say: where its story goes."""

    def __init__(self, lab: Lab, seed: int) -> None:
        self._lab = lab
        self._chance = random.Random(seed)
        self._began = time.monotonic()
        self.ledgers = Ledgers(lab)
        self.takeovers = 0
        self.turns = 0

    def say(self, text: str) -> None:
        """A line of the story."""
        print(f"{time.monotonic() - self._began:7.1f} s  {text}", flush=True)

    def set_up(self) -> None:
        """Make the pair."""
        module_setup.set_up(self._lab, MODULE_DIRECTORY)

    def turn(self) -> None:
        """Part, perhaps otherwise, heal, check. Raises: Violation, MirrorError."""
        before = self._primary()
        names = []
        for _ in range(self._chance.choice((1, 1, 2))):
            name, blocks = random_blocks(self._chance)
            names.append(name)
            apply_blocks(self._lab, blocks)
            time.sleep(self._chance.uniform(0.1, PARTED_S_MAX))  # the moment is part of the fault
        apply_blocks(self._lab, ())
        module_setup.await_ready(self._lab, MODULE, HEALED_S_MAX)
        fresh = self.ledgers.read()
        self.ledgers.check_one_at_a_time()
        primary = self._primary()
        self.ledgers.check_kept(primary)
        self.turns += 1
        self.takeovers += primary != before
        if self.turns % EQUAL_EVERY == 0:
            self._check_equal()
        count = {host: sum(one.host == host for one in fresh) for host in plan.NODES}
        self.say(f"{self.turns:3} {', then '.join(names)}: {primary} serves, acknowledged {count}")

    def _primary(self) -> str:
        """The one that holds the address; while a machine at work parts them it may be nobody."""
        deadline = time.monotonic() + FILE_S_MAX
        while len(found := audit.holders(self._lab)) != 1:
            if found or time.monotonic() > deadline:
                raise Violation(f"the address is held by {found}")
            time.sleep(0.1)
        return found[0]

    def _check_equal(self) -> None:
        """Both copies, but for the file that is just being written: `check_kept` reads that."""
        deadline = time.monotonic() + FILE_S_MAX
        while differences := self._differences():
            if time.monotonic() > deadline:
                raise Violation(f"the copies differ: {differences}")
            time.sleep(0.2)

    def _differences(self) -> list[Difference]:
        found = compare_hosts(self._lab, MODULE)
        return [one for one in found if one.path != Path(FILE).name]


def run(name: str, seed: int, count: int) -> int:
    """Run in a lab of that name. Returns: the exit code."""
    print(f"partitions: seed {seed}, {count} of them", flush=True)
    with Lab.up(name, witness=True, bound=True) as lab:
        parting = Partitions(lab, seed)
        try:
            parting.set_up()
            for _ in range(count):
                parting.turn()
        except (Violation, MirrorError) as error:
            parting.say(f"{type(error).__name__}: {error}")
            for host in plan.NODES:
                with suppress(MirrorError):
                    command = ["mirror", "log", "-m", MODULE, "-A", "-s", "80"]
                    print(host, lab.exec(host, command, check=False).stdout)
            return 1
    print(
        f"partitions: seed {seed}: {parting.turns} partitions, {parting.takeovers} changes of"
        f" primary, {len(parting.ledgers.lines)} lines acknowledged, never by two at once, lost 0"
    )
    return 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="partitions")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 1_000_000))
    parser.add_argument("--count", type=int, default=20)
    arguments = parser.parse_args()
    return run(f"parted-{arguments.seed}", arguments.seed, arguments.count)


if __name__ == "__main__":
    sys.exit(main())
