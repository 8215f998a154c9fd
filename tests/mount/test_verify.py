"""Verification on real mounts: what differs is found, named and mended; live writes are not."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from mirror.adapters import clock
from mirror.core.reintegration.names import NO_ID
from mirror.daemon.plane import verify
from mirror.daemon.plane.objects import Root
from mirror.daemon.plane.rpc import Rpc
from mirror.daemon.plane.verifier import Pair, Verifier
from tests.mount.reintegrating import Nodes, two_nodes

pytestmark = pytest.mark.mount

VERIFY_S_MAX = 300.0
WAITS_S_MAX = 180  # what hangs is not shown here, and a machine that does other work hangs as well
SLOW_BYTES_S = 4 << 20  # so that it goes on while something happens


class Keeper:
    """The checkpoints of a pair in step, as the keeper of a data plane takes them."""

    def __init__(self, nodes: Nodes) -> None:
        self.epoch = 0
        self._nodes = nodes
        self._one = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(0.05):
            with self._one, contextlib.suppress(OSError):  # the session may end at any time
                self.epoch = self._nodes.source.checkpoint()

    @contextmanager
    def paused(self) -> Iterator[None]:
        with self._one:
            yield

    def end(self) -> None:
        self._ended.set()
        self._thread.join()


class Checked:
    """Two nodes in step, and what a verification of them says."""

    def __init__(self, nodes: Nodes, allowed_bytes_s: int | None = None) -> None:
        self.nodes = nodes
        self.verified: list[dict[str, Any]] = []
        self.parted: list[str] = []
        folder = nodes.left.parent
        self.said_at_repair: list[str] = []
        self.verifier = Verifier(
            nodes.source, ["/data"], "n1", folder, allowed_bytes_s, self._emit
        )

    def _emit(self, _name: str, /, **fields: Any) -> None:
        self.verified.append(fields)

    def verify(self, *, repair: bool = False, meanwhile: Callable[[], None] | None = None) -> Any:
        session = self.nodes.session
        assert session is not None
        keeper = Keeper(self.nodes)

        def paused() -> AbstractContextManager[None]:
            self.said_at_repair.append(self.verifier.fields()["outcome"])
            return keeper.paused()

        try:
            pair = Pair(
                Rpc(session.control),
                session.copies,
                epoch=lambda: keeper.epoch,
                give_up=session.shutdown,
                take_checkpoint=self.nodes.source.checkpoint,
                keeper_paused=paused,
                part=self.parted.append,
            )
            self.verifier.start(pair, repair=repair)
            deadline_ms = clock.monotonic_ms() + VERIFY_S_MAX * 1_000
            while self.verifier.runs():
                assert clock.monotonic_ms() < deadline_ms, self.verifier.fields()
                if meanwhile is not None:
                    meanwhile()
                else:
                    keeper._ended.wait(0.01)
        finally:
            keeper.end()
        return self.verifier.fields(1_000)

    def found(self, **values: Any) -> list[tuple[str, str, int | None]]:
        fields = self.verify(**values)
        return sorted(
            (each["path"], each["kind"], each["offset_bytes"]) for each in fields["listed"]
        )


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "LOCKED_S_MAX", WAITS_S_MAX)
    monkeypatch.setattr(verify, "CHECKPOINT_S_MAX", WAITS_S_MAX)


@pytest.fixture
def checked(tmp_path: Path) -> Iterator[Checked]:
    with two_nodes(tmp_path, (("path", "cache"), ("regex", r"\.tmp$"))) as nodes:
        top = nodes.mount
        (top / "a" / "b").mkdir(parents=True)
        (top / "a" / "big").write_bytes(os.urandom(1_500_000))
        (top / "a" / "b" / "small").write_text("small")
        (top / "a" / "x.tmp").write_text("local")
        os.setxattr(top / "a" / "b" / "small", "user.colour", b"blue")
        os.link(top / "a" / "big", top / "again")
        os.symlink("nowhere", top / "link")
        os.mkfifo(top / "fifo")
        with (top / "sparse").open("wb") as file:
            file.seek(2 << 20)
            file.write(b"end")
        (nodes.right / "cache").mkdir()
        nodes.reintegrate(full=True)
        yield Checked(nodes)


def set_flags(flags: str, path: Path) -> None:
    subprocess.run(["chattr", flags, str(path)], check=True)


def flip(file: Path, offset: int) -> None:
    """One byte, and the file's times as they were."""
    before = file.stat()
    fd = os.open(file, os.O_RDWR)
    byte = os.pread(fd, 1, offset)
    os.pwrite(fd, bytes([byte[0] ^ 1]), offset)
    os.close(fd)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_two_equal_nodes_are_equal(checked: Checked) -> None:
    fields = checked.verify()
    assert (fields["outcome"], fields["differences"], fields["busy"]) == ("equal", 0, 0)
    assert fields["progress"]["files_done"] == fields["progress"]["files_total"] == 3
    assert fields["progress"]["phase"] == "ended"
    (event,) = checked.verified
    assert event["sentence"].startswith("Verification: both nodes are equal: 3 files, ")


def test_a_flipped_byte_is_named_by_file_and_offset(checked: Checked) -> None:
    flip(checked.nodes.right / "a" / "big", 1_234_567)
    found = checked.found()
    assert found[0][0] in {"a/big", "again"}
    assert [each[1:] for each in found] == [("data", 1_234_567 // 4096 * 4096)]
    assert checked.verifier.fields()["outcome"] == "different"
    kept = Verifier(
        checked.nodes.source,
        ["/data"],
        "n1",
        checked.nodes.left.parent,
        None,
        lambda *_, **__: None,
    )
    assert kept.fields()["differences"] == len(found)  # after a restart


def test_each_kind_of_difference_is_named(checked: Checked) -> None:
    right = checked.nodes.right
    (right / "a" / "b" / "small").chmod(0o600)
    os.chown(right / "a" / "b", 5, 6)
    os.setxattr(right / "a" / "b" / "small", "user.colour", b"green")
    os.utime(right / "a" / "big", ns=(1, 1))
    os.unlink(right / "link")
    os.symlink("elsewhere", right / "link")
    (right / "extra").write_text("extra")
    (right / "y.tmp").write_text("local")
    os.unlink(right / "again")
    with (right / "sparse").open("r+b") as file:
        file.write(bytes(1 << 20))  # data where the other side has a hole
    os.truncate(right / "a" / "b" / "small", 3)
    found = checked.found()
    assert ("a/b/small", "mode", None) in found
    assert ("a/b/small", "xattr", None) in found
    assert ("a/b/small", "size", None) in found
    assert ("a/b", "owner", None) in found
    assert ("a/big", "times", None) in found or ("again", "times", None) in found
    assert ("link", "name", None) in found
    assert ("extra", "name", None) in found
    assert ("again", "name", None) in found
    assert ("sparse", "hole", 0) in found
    assert not any(path.endswith(".tmp") or path == "cache" for path, *_ in found)


def lose(nodes: Nodes, identity: bytes) -> None:
    """Have the secondary know an object no more: its map is bounded, and a tree may be larger."""
    gone = nodes.right / ".mirror" / "gone"
    gone.mkdir()
    fd = os.open(gone, os.O_RDONLY)
    seen = nodes.target.look(fd, b".")
    os.close(fd)
    gone.rmdir()
    assert seen is not None
    nodes.target.apply_learn(0, identity, seen.handle, NO_ID, b"")


def test_a_directory_that_left_the_map_of_the_secondary_is_found_again(
    checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    names_there = verify.Verification._names_there
    lost: set[bytes] = set()

    def losing(self: verify.Verification, root: Root, identity: bytes, *rest: bytes) -> Any:
        if identity != root.id and identity not in lost:
            lost.add(identity)
            lose(checked.nodes, identity)
        return names_there(self, root, identity, *rest)

    monkeypatch.setattr(verify.Verification, "_names_there", losing)
    assert checked.found() == []
    assert len(lost) == 2


def test_a_file_that_left_the_map_keeps_its_flags(
    checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = checked.nodes
    set_flags("+i", nodes.mount / "a" / "big")
    compare_file = verify.Verification._compare_file
    lost: list[bytes] = []

    def losing(self: verify.Verification, root: int, identity: bytes, handle: bytes) -> None:
        lost.append(identity)
        lose(nodes, identity)
        compare_file(self, root, identity, handle)

    try:
        monkeypatch.setattr(verify.Verification, "_compare_file", losing)
        assert checked.found() == []
        assert len(lost) == 3
        with pytest.raises(PermissionError):
            os.open(nodes.right / "a" / "big", os.O_WRONLY)
    finally:
        set_flags("-i", nodes.mount / "a" / "big")


def test_live_changes_are_no_differences(checked: Checked) -> None:
    top = checked.nodes.mount
    (top / "busy").mkdir()
    for number in range(40):
        (top / "busy" / str(number)).write_bytes(os.urandom(200_000))
    count = 0

    def work() -> None:
        nonlocal count
        count += 1
        file = top / "busy" / str(count % 40)
        if count % 7 == 0:
            file.unlink(missing_ok=True)
        elif count % 7 == 1:
            os.rename(file, top / "a" / "b" / f"moved-{count}") if file.exists() else None
        elif count % 7 == 2:
            file.touch()
            file.chmod(0o600 + count % 64)
            os.setxattr(file, "user.count", str(count).encode())
        else:
            with file.open("ab") as opened:
                opened.write(os.urandom(5_000))
                opened.seek(0)
                os.pwrite(opened.fileno(), os.urandom(100), count % 1_000)

    fields = Checked(checked.nodes, SLOW_BYTES_S).verify(meanwhile=work)
    assert fields["listed"] == []
    assert fields["outcome"] == "equal"
    assert count > 7  # one of each kind at least
    assert checked.nodes.differences() == []


def test_a_repair_copies_from_the_node_that_serves_and_keeps_what_it_replaces(
    checked: Checked,
) -> None:
    right = checked.nodes.right
    content = (right / "a" / "big").read_bytes()
    flip(right / "a" / "big", 700_000)
    wrong = (right / "a" / "big").read_bytes()
    flip(right / "a" / "b" / "small", 2)
    wrong_small = (right / "a" / "b" / "small").read_bytes()
    (right / "a" / "b" / "small").chmod(0o600)
    os.utime(right / "a" / "b", ns=(1, 1))
    fields = checked.verify(repair=True)
    assert fields["outcome"] == "repaired", fields
    assert checked.said_at_repair == ["running"]
    assert fields["repaired"] == fields["differences"] >= 3
    assert (fields["believed"], fields["because"]) == (
        "n1",
        "it serves: the application has been reading its copy",
    )
    assert (right / "a" / "big").read_bytes() == content
    assert checked.nodes.differences() == []
    assert checked.nodes.source.index_count() == 0
    assert checked.parted == []
    folder = right / ".mirror" / "aside" / fields["kept_aside"]
    kept = [path for path in (folder / "files").rglob("*") if path.is_file()]
    assert {wrong, wrong_small} <= {path.read_bytes() for path in kept}
    assert checked.verify()["outcome"] == "equal"


def test_more_is_repaired_than_the_index_can_name(tmp_path: Path) -> None:
    """It has met its bound, and holds a wider mark than the objects that differ."""
    with two_nodes(tmp_path, index_entries_max=16) as nodes:
        for number in range(40):
            (nodes.mount / f"{number}").write_text("as it is")
        nodes.reintegrate(full=True)
        checked = Checked(nodes)
        for number in range(40):
            flip(nodes.right / f"{number}", 3)
        fields = checked.verify(repair=True)
        assert (fields["outcome"], fields["repaired"]) == ("repaired", 40), fields
        assert checked.parted == []
        assert [str(each) for each in nodes.differences()] == []


def test_names_are_repaired_by_a_reintegration(checked: Checked) -> None:
    right = checked.nodes.right
    (right / "extra").write_text("extra")
    os.unlink(right / "a" / "b" / "small")
    fields = checked.verify(repair=True)
    assert len(checked.parted) == 1
    assert checked.verifier.aside == fields["kept_aside"]
    checked.nodes.part()
    checked.nodes.reintegrate(aside=checked.verifier.aside)
    assert checked.nodes.differences() == []
    (kept,) = (right / ".mirror" / "aside").glob("verify-*/files/extra")
    assert kept.read_text() == "extra"


def test_it_ends_when_asked_and_when_the_session_does(checked: Checked) -> None:
    slow = Checked(checked.nodes, SLOW_BYTES_S)
    for end in (slow.verifier.ask_end, slow.nodes.cut):
        first = True

        def stop(end: Callable[[], None] = end) -> None:
            nonlocal first
            if first:
                first = False
                end()

        (checked.nodes.mount / "much").write_bytes(os.urandom(30_000_000))
        fields = slow.verify(meanwhile=stop)
        assert fields["outcome"] == "interrupted"
        checked.nodes.lost.clear()
