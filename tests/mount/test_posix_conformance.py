"""A mount is a directory like any other: the same programs see the same on both.

Each case of tests/mount/posix runs on a plain directory of the same file system and on mounts of
both barriers; what they observe must be equal but for KNOWN. Afterwards both copies are equal.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mirror.adapters.compare import compare_trees
from tests.mount.pair import Pair, open_pair
from tests.mount.workers import Crew

pytestmark = pytest.mark.mount

ROOT = Path(__file__).parents[2]
CASES = sorted(
    line.split("(")[0].removeprefix("def ")
    for path in (ROOT / "tests" / "mount" / "posix").glob("*.py")
    for before, line in zip(
        ["", *path.read_text().splitlines()], path.read_text().splitlines(), strict=False
    )
    if before == "@case"
)
# What differs on purpose, or because Linux gives a FUSE server no other way; README says it too.
KNOWN = {
    "modes_of_fallocate_that_move_bytes": "the kernel does not hand collapse and insert to FUSE",
    "chown_of_nothing": "the kernel does not ask a FUSE server to change nothing",
    "times_after_2262": "64 bits of nanoseconds on the wire; such a time becomes the last one",
}
KNOWN_WITH_FSYNC = KNOWN | {
    "append_only_files": "the kernel's cache writes pages, not ends: opening for writing is EPERM",
    "flags_move_ctime": "the kernel keeps ctime of files itself",
    "sparse_files": "only the kernel knows what its cache holds: all is data",
    "truncation_to_the_same_size": "the kernel keeps mtime itself, and POSIX asks for no new one",
}
# A FUSE server cannot say where files end. The kernel finds out when it writes back, and then
# tells every later syncfs of the mount too.
NOT_WITH_FSYNC = frozenset({"writes_behind_the_largest_file"})


def observe(directory: Path, seen: dict[str, Any], without: frozenset[str] = frozenset()) -> None:
    """Run the cases; each is in `seen` when it has ended."""
    directory.chmod(0o755)
    cases = [case for case in CASES if case not in without]
    command = [sys.executable, "-m", "tests.mount.posix", str(directory), *cases]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            name, what = json.loads(line)
            seen[name] = what
    assert process.returncode == 0, f"ended after {list(seen)[-1:]}"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    observe(open_to_all(tmp_path_factory.mktemp("plain")), seen)
    return seen


def open_to_all(directory: Path) -> Path:
    """Ordinary users come to it."""
    for each in (directory, *directory.parents):
        if each.stat().st_uid == os.getuid() and each.is_relative_to("/tmp/mirror-tests"):
            each.chmod(0o755)
    return directory


@contextmanager
def going_on_alone(pair: Pair, seen: dict[str, Any], partings: list[str]) -> Iterator[None]:
    """When the pair parts, which it must not, the cases go on, and it is told after which."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            if (event := pair.primary.event_take()) is not None:
                partings.append(f"after {list(seen)[-1:]}: {event.error} {event.detail}")
                pair.go_alone()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


@pytest.fixture(scope="module", params=["write", "fsync"])
def mounted(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[dict[str, Any]]:
    directory = open_to_all(tmp_path_factory.mktemp("mounted"))
    fsync = request.param == "fsync"
    with open_pair(directory / "pair", writeback=fsync) as pair:
        seen: dict[str, Any] = {"barrier": request.param}
        partings: list[str] = []
        with going_on_alone(pair, seen, partings):
            observe(pair.mount, seen, NOT_WITH_FSYNC if fsync else frozenset())
            Crew(pair.mount, directory, []).write_back()
        seen["partings"] = partings
        if not partings:
            pair.primary.checkpoint()
            seen["copies"] = [str(each) for each in compare_trees(pair.left, pair.right)]
        yield seen


@pytest.mark.parametrize("case", CASES)
def test_as_on_a_plain_directory(
    plain: dict[str, Any], mounted: dict[str, Any], case: str
) -> None:
    known = KNOWN_WITH_FSYNC if mounted["barrier"] == "fsync" else KNOWN
    if mounted["barrier"] == "fsync" and case in NOT_WITH_FSYNC:
        assert case not in mounted
    elif case in known:
        assert plain[case] != mounted[case], f"no difference any more: {known[case]}"
    else:
        assert mounted[case] == plain[case]


def test_both_copies_are_equal_afterwards(mounted: dict[str, Any]) -> None:
    assert mounted["partings"] == []
    assert mounted["copies"] == []
