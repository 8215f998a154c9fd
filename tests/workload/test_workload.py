"""The workload itself, on a plain directory: the model is right, and what is wrong is seen."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.adapters.compare import digest_tree
from tests.workload.hand import HandLost, ProcessHand
from tests.workload.operations import Operation, Outcome
from tests.workload.tidy import unlock
from tests.workload.worker import Worker, Wrong, replay


@pytest.fixture
def top(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "top"
    directory.mkdir()
    yield directory
    unlock(directory)


@pytest.mark.parametrize("seed", range(1, 5))
def test_the_model_is_what_linux_does(top: Path, tmp_path: Path, seed: int) -> None:
    worker = Worker(seed, tmp_path / "log")
    with ProcessHand(top) as hand:
        worker.run(hand, 1000)
    worker.verify(list(digest_tree(top)), "at the end")
    assert worker.done == 1000


def test_a_seed_is_the_same_every_time(top: Path, tmp_path: Path) -> None:
    logs = []
    for name in ("one", "other"):
        (top / name).mkdir()
        worker = Worker(9, tmp_path / name)
        with ProcessHand(top / name) as hand:
            worker.run(hand, 400)
        logs.append([line for line in (tmp_path / name).read_text().splitlines() if "do" in line])
    assert logs[0] == logs[1]


def test_a_log_replays(top: Path, tmp_path: Path) -> None:
    (top / "first").mkdir()
    worker = Worker(11, tmp_path / "log")
    with ProcessHand(top / "first") as hand:
        worker.run(hand, 300)
    (top / "again").mkdir()
    with ProcessHand(top / "again") as hand:
        done = replay(tmp_path / "log", hand)
    assert len(done) == 300
    worker.verify(list(digest_tree(top / "again")), "replayed")


def test_a_link_of_another_in_a_shared_directory_is_refused_first(
    top: Path, tmp_path: Path
) -> None:
    """Before the kernel says that it is a link: in a sticky directory O_CREAT asks whose it is."""
    worker = Worker(1, tmp_path / "log")
    opened = {"do": "open", "slot": 1, "mode": 0o600, "umask": 0}
    with ProcessHand(top) as hand:
        for name, mode in (("shared", 0o1777), ("open", 0o777)):
            worker.step(hand, {"do": "mkdir", "path": name, "mode": 0o755, "umask": 0})
            worker.step(hand, {"do": "chmod", "path": name, "mode": mode})
            worker.step(hand, {"do": "chown", "path": name, "uid": 1234, "gid": -1})
            link = {"do": "symlink", "path": f"{name}/link", "target": "a", "user": [4321, 77]}
            worker.step(hand, link)
            for flags in (["O_RDONLY", "O_CREAT"], ["O_RDONLY"], ["O_RDWR", "O_CREAT", "O_EXCL"]):
                worker.step(hand, opened | {"path": f"{name}/link", "flags": flags})


def first_file(top: Path) -> Path:
    """One with content; immutable ones excepted, for they cannot be damaged."""
    return next(
        path
        for path in sorted(top.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.stat().st_size > 0
    )


def test_damage_is_seen(top: Path, tmp_path: Path) -> None:
    worker = Worker(3, tmp_path / "log")
    with ProcessHand(top) as hand:
        worker.run(hand, 400)
    unlock(top)
    file = first_file(top)
    status = file.stat()
    with file.open("r+b") as opened:
        byte = opened.read(1)
        opened.seek(0)
        opened.write(bytes([byte[0] ^ 1]))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(Wrong, match="bytes"):
        worker.verify(list(digest_tree(top)), "damaged")
    file.unlink()
    with pytest.raises(Wrong, match="nothing"):
        worker.verify(list(digest_tree(top)), "damaged")


class FailingHand:
    """Loses the answer of one operation, performed or not before."""

    def __init__(self, hand: ProcessHand, at: str, *, happens: bool) -> None:
        self._hand = hand
        self._at = at
        self._happens = happens

    def perform(self, operation: Operation) -> Outcome:
        if operation["do"] == self._at:
            if self._happens:
                self._hand.perform(operation)
            raise HandLost("by this test")
        return self._hand.perform(operation)

    def close(self) -> None:
        self._hand.close()


@pytest.mark.parametrize("happens", [True, False])
@pytest.mark.parametrize("at", ["rename", "write", "setxattr"])
def test_what_was_under_way_is_settled(
    top: Path, tmp_path: Path, at: str, *, happens: bool
) -> None:
    worker = Worker(5, tmp_path / "log")
    with ProcessHand(top) as hand:
        failing = FailingHand(hand, at, happens=happens)
        with pytest.raises(HandLost):
            worker.run(failing, 500)
    verdict = worker.resolve(list(digest_tree(top)), lambda path: (top / path).read_bytes())
    assert verdict in ("happened", "did not happen")
    with ProcessHand(top) as hand:
        worker.run(hand, 300)
    worker.verify(list(digest_tree(top)), "at the end")


@pytest.mark.parametrize("spoilt", ["", "bytes", "time of another"])
def test_a_write_that_happened_in_part_is_settled_and_more_is_not(
    top: Path, tmp_path: Path, spoilt: str
) -> None:
    worker = Worker(1, tmp_path / "log")
    write = {"do": "write", "slot": 1, "offset": 0, "length": 9000, "tag": 5}
    with ProcessHand(top) as hand:
        for slot, path in enumerate(("g", "f")):
            flags = ["O_RDWR", "O_CREAT"]
            opened = {"do": "open", "slot": slot, "path": path, "flags": flags, "mode": 0o600}
            worker.step(hand, opened)
            worker.step(hand, write | {"slot": slot})
            known = {"do": "utimens", "path": path, "atime_ns": 1, "mtime_ns": 10**18}
            worker.step(hand, known)
        with pytest.raises(HandLost):
            worker.step(FailingHand(hand, "write", happens=True), write | {"tag": 6})
        with (top / "f").open("r+b") as file:
            file.write(worker.model.tree.lookup("f").content.read(0, 4096))
            if spoilt == "bytes":
                file.write(b"neither the one nor the other")
        if spoilt == "time of another":
            os.utime(top / "g", ns=(1, 2))
    found = list(digest_tree(top))
    if spoilt:
        with pytest.raises(Wrong, match="under way"):
            worker.resolve(found, lambda path: (top / path).read_bytes())
    else:
        assert worker.resolve(found, lambda path: (top / path).read_bytes()) == "in part"


def test_a_lost_acknowledged_operation_is_seen(top: Path, tmp_path: Path) -> None:
    worker = Worker(2, tmp_path / "log")
    with ProcessHand(top) as hand:
        worker.run(hand, 200)
        worker.step(hand, {"do": "mkdir", "path": "kept", "mode": 0o755, "umask": 0})
    assert stat.S_ISDIR((top / "kept").lstat().st_mode)
    (top / "kept").rmdir()
    with pytest.raises(Wrong, match="lost"):
        worker.resolve(list(digest_tree(top)), lambda path: (top / path).read_bytes())
