"""Generates, performs, compares; keeps account of what was acknowledged.

An operation is acknowledged when its outcome was heard: the model has it from then on. The one
that was under way when the hand was lost has happened or not, or in part if it wrote data;
`resolve` finds out which, and everything else must be there.
"""

import copy
import json
import stat
from collections.abc import Callable
from pathlib import Path

from mirror.adapters.compare import Difference, Entry
from tests.workload.generator import Generator
from tests.workload.hand import Hand, HandLost
from tests.workload.model import Model
from tests.workload.operations import Operation, Outcome


class Wrong(AssertionError):
    """The system did not do what it must, or what was acknowledged is gone."""


class Worker:
    """One seed on one directory. log: where each operation and its outcome is written."""

    def __init__(self, seed: int, log: Path) -> None:
        self.seed = seed
        self.model = Model()
        self.done = 0
        self._generator = Generator(seed, self.model)
        self._log = log
        log.write_text("")
        self._under_way: Operation | None = None

    def run(self, hand: Hand, count: int, should_stop: Callable[[], bool] = lambda: False) -> None:
        """Perform so many operations. Raises: Wrong; HandLost, after which resolve is called."""
        for _ in range(count):
            if should_stop():
                return
            self.step(hand, self._generator.next())

    def step(self, hand: Hand, operation: Operation) -> None:
        """Perform one. Raises: Wrong, HandLost."""
        self._under_way = operation
        self._note({"operation": operation})
        outcome = hand.perform(operation)
        self._note({"outcome": outcome})
        self._under_way = None
        self.done += 1
        expected = self.model.expect(operation)
        if not _agree(expected, outcome):
            raise Wrong(self.story(f"{operation}: must answer {expected}, answered {outcome}"))

    def story(self, what: str) -> str:
        """A failure with what is needed to have it again."""
        return f"seed {self.seed}, operation {self.done}: {what} (log: {self._log})"

    def verify(self, found: list[Entry], where: str) -> None:
        """The tree is what the model says. Raises: Wrong."""
        differences = self.model.differences(found)
        if differences:
            raise Wrong(self.story(f"{where}: {_listed(differences)}"))

    def resolve(self, found: list[Entry], read: Callable[[str], bytes]) -> str:
        """After the hand was lost: the files are closed, and what was under way is settled.

        found: the tree as it is now. read: the bytes of a file of it, by path.
        Returns: "happened", "did not happen", "in part" or "nothing under way".
        Raises: Wrong, when something that was acknowledged is not there.
        """
        operation, self._under_way = self._under_way, None
        before = self.model
        without = before.differences(found)
        if operation is None:
            if without:
                raise Wrong(self.story(f"lost: {_listed(without)}"))
            verdict = "nothing under way"
        else:
            verdict = self._settle(operation, found, without, read)
        self.model.forget_slots()
        self._generator.model = self.model
        self._note({"resolved": verdict})
        return verdict

    def _settle(
        self,
        operation: Operation,
        found: list[Entry],
        without: list[Difference],
        read: Callable[[str], bytes],
    ) -> str:
        after = copy.deepcopy(self.model)
        after.expect(operation)
        with_it = after.differences(found)
        if not without:
            return "did not happen"
        if not with_it:
            self.model = after
            return "happened"
        paths = {each.path for each in without}
        if all(_may_be_in_part(each, after) for each in without) and all(
            _mixed(path, self.model, after, read(path)) for path in paths
        ):
            for path in paths:
                self.model.adopt(path, read(path), next(e for e in found if e.path == path))
            return "in part"
        raise Wrong(self.story(f"lost, {operation} under way: {_listed(without)}"))

    def _note(self, line: dict[str, object]) -> None:
        # Opened each time: what was noted is in the file, whatever becomes of this process.
        with self._log.open("a") as log:
            log.write(json.dumps(line) + "\n")


def _may_be_in_part(difference: Difference, after: Model) -> bool:
    """A call that the kernel hands over in pieces; its time is that of the last one."""
    if difference.what == "mtime":
        return after.tree.lookup(difference.path).mtime_ns is None
    return difference.what in ("bytes", "size", "mode", "xattrs")


def _mixed(path: str, before: Model, after: Model, there: bytes) -> bool:
    """Each byte is as it was before or as it must be after."""
    old = before.tree.lookup(path).content.read(0, len(there)).ljust(len(there), b"\0")
    new = after.tree.lookup(path).content.read(0, len(there)).ljust(len(there), b"\0")
    sizes = sorted((before.tree.lookup(path).content.size, after.tree.lookup(path).content.size))
    return sizes[0] <= len(there) <= sizes[1] and all(
        byte in each for byte, each in zip(there, zip(old, new, strict=True), strict=True)
    )


def _agree(expected: Outcome, outcome: Outcome) -> bool:
    """mtime is compared where the model knows it, names of a directory where they are counted."""
    there, wanted = outcome.get("ok"), expected.get("ok")
    if isinstance(wanted, dict) and isinstance(there, dict):
        there = dict(there)
        if "mtime_ns" not in wanted:
            there.pop("mtime_ns", None)
        if stat.S_ISDIR(wanted.get("mode", 0)) and there.get("names") == 1:  # btrfs counts none
            there["names"] = wanted["names"]
        outcome = {"ok": there}
    return expected == outcome


def _listed(differences: list[Difference]) -> str:
    shown = "; ".join(str(each) for each in differences[:5])
    return f"{len(differences)} differences: {shown}"


def replay(log: Path, hand: Hand) -> list[tuple[Operation, Outcome, Outcome | None]]:
    """Perform what a log says. Returns: each operation, its outcome now, and as logged."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    done: list[tuple[Operation, Outcome, Outcome | None]] = []
    for at, line in enumerate(lines):
        if "operation" in line:
            logged = lines[at + 1].get("outcome") if at + 1 < len(lines) else None
            try:
                done.append((line["operation"], hand.perform(line["operation"]), logged))
            except HandLost:
                break
    return done
