"""The plan for names, performed on a model: the target becomes the source, moving no data."""

from __future__ import annotations

import itertools
import stat
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from mirror.core.reintegration.names import (
    NO_ID,
    UNFINISHED,
    Standing,
    compare,
    may_adopt,
    type_of,
)

DIRECTORY, FILE = stat.S_IFDIR, stat.S_IFREG
TOP = (1).to_bytes(16, "big")
NAMES = (b"a", b"b", b"c")


@dataclass
class Tree:
    """Directories by identity, and what stands at their names. kinds: of every object."""

    names: dict[bytes, dict[bytes, bytes]] = field(default_factory=lambda: {TOP: {}})
    kinds: dict[bytes, int] = field(default_factory=lambda: {TOP: DIRECTORY})

    def copy(self) -> Tree:
        return Tree({key: dict(value) for key, value in self.names.items()}, dict(self.kinds))

    def reachable(self) -> dict[bytes, dict[bytes, bytes]]:
        """Directories that can be reached from the top."""
        found, pending = {}, [TOP]
        while pending:
            directory = pending.pop()
            found[directory] = self.names[directory]
            pending += [each for each in self.names[directory].values() if self.is_dir(each)]
        return found

    def is_dir(self, identity: bytes) -> bool:
        return self.kinds[identity] == DIRECTORY

    def is_below(self, identity: bytes, other: bytes) -> bool:
        if identity == other:
            return True
        below = self.names.get(other, {}).values()
        return any(self.is_below(identity, each) for each in below if self.is_dir(each))

    def change(self, step: tuple[int, int, int, int, int], fresh: itertools.count[int]) -> None:
        """One change of names; numbers choose where. What the tree does not allow is none."""
        act, at, name, to, new_name = step
        directories = sorted(self.reachable())
        directory, target = directories[at % len(directories)], directories[to % len(directories)]
        here, there = self.names[directory], self.names[target]
        old, new = NAMES[name % 3], NAMES[new_name % 3]
        if act in (0, 1) and old not in here:
            identity = next(fresh).to_bytes(16, "big")
            self.kinds[identity] = (FILE, DIRECTORY)[act]
            here[old] = identity
            if act == 1:
                self.names[identity] = {}
        elif act == 2:
            here.pop(old, None)
        elif old not in here:
            return
        elif act == 3 and new not in there and not self.is_below(target, here[old]):
            there[new] = here.pop(old)
        elif act == 4 and new not in there and not self.is_dir(here[old]):
            there[new] = here[old]
        elif act == 5 and new in here:
            here[old], here[new] = here[new], here[old]


steps = st.lists(st.tuples(*[st.integers(0, 5)] * 5), max_size=30)


def standings(tree: Tree, directory: bytes) -> dict[bytes, Standing]:
    return {
        name: Standing(name, identity, tree.kinds[identity])
        for name, identity in tree.names.get(directory, {}).items()
    }


def take_out(holders: list[dict[bytes, bytes]], identity: bytes) -> None:
    for names in holders:
        for name in [name for name, value in names.items() if value == identity]:
            del names[name]


def perform(source: Tree, target: Tree) -> list[bytes]:
    """Detach from all directories, then attach. Returns: identities made new."""
    stash: set[bytes] = set()
    attach: list[tuple[bytes, Standing]] = []
    for directory in source.reachable():
        theirs = standings(target, directory)
        compared = compare(standings(source, directory).values(), theirs)
        for each in compared.detach:
            stash.add(target.names[directory].pop(each.name))
        attach += [(directory, each) for each in compared.attach]
    made = []
    while attach:
        waiting = []
        for directory, each in attach:
            if directory not in target.kinds:
                waiting.append((directory, each))
                continue
            assert each.name not in target.names[directory]
            holders = [names for names in target.names.values() if each.id in names.values()]
            if each.id not in stash and not holders:
                made.append(each.id)
                target.kinds[each.id] = each.kind
                if each.kind == DIRECTORY:
                    target.names[each.id] = {}
            elif each.kind == DIRECTORY:
                # Beneath a directory that went to the stash: found there, and moved out of it.
                take_out(holders, each.id)
            target.names[directory][each.name] = each.id
            stash.discard(each.id)
        assert len(waiting) < len(attach), "nobody makes this directory"
        attach = waiting
    return made


@given(common=steps, ours=steps, theirs=steps)
def test_the_target_becomes_the_source_and_only_what_it_lacks_is_made(
    common: list[tuple[int, int, int, int, int]],
    ours: list[tuple[int, int, int, int, int]],
    theirs: list[tuple[int, int, int, int, int]],
) -> None:
    fresh = itertools.count(2)
    source = Tree()
    for step in common:
        source.change(step, fresh)
    target = source.copy()
    for step in ours:
        source.change(step, fresh)
    for step in theirs:
        target.change(step, fresh)
    target.names = target.reachable()
    had = {TOP} | {value for names in target.names.values() for value in names.values()}
    made = perform(source, target)
    assert target.reachable() == source.reachable()
    assert not had & set(made)


def test_a_replaced_name_leaves_before_the_new_one_comes() -> None:
    ours = Standing(b"a", b"1" * 16, DIRECTORY)
    theirs = Standing(b"a", b"2" * 16, FILE)
    compared = compare([ours], {b"a": theirs})
    assert (compared.detach, compared.attach, compared.same) == ((theirs,), (ours,), ())


def test_what_the_source_does_not_have_leaves() -> None:
    theirs = Standing(b"a", b"2" * 16, FILE)
    assert compare([], {b"a": theirs}).detach == (theirs,)


def test_an_unfinished_object_is_not_taken_for_equal() -> None:
    ours = Standing(b"a", b"1" * 16, FILE)
    compared = compare([ours], {b"a": Standing(b"a", b"1" * 16, FILE | UNFINISHED)})
    assert (compared.unfinished, compared.same, compared.attach) == ((ours,), (), ())


def test_an_object_without_identity_may_become_ours_if_its_type_is() -> None:
    ours = Standing(b"a", b"1" * 16, FILE)
    nameless = Standing(b"a", NO_ID, FILE)
    compared = compare([ours], {b"a": nameless})
    assert (compared.detach, compared.attach) == ((), (ours,))
    assert not may_adopt(DIRECTORY, nameless)
    assert compare([ours], {b"a": Standing(b"a", NO_ID, DIRECTORY)}).detach != ()


def test_the_type_is_seen_behind_the_mark() -> None:
    assert type_of(FILE | UNFINISHED) == FILE
