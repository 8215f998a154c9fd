"""What an application does, and waits for, while the secondary is brought up to date."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from mirror.daemon.plane.finish import Finisher
from mirror.daemon.plane.objects import DIRECTORY, opened
from mirror.daemon.plane.rpc import Rpc
from mirror.vocabulary.places import PlaceKind
from mirror.wire.codec import code_of
from tests.mount import reintegrating
from tests.mount.pair import AWAIT_MS
from tests.mount.reintegrating import two_nodes
from tests.mount.small_disk import small_disk, standing_still

pytestmark = pytest.mark.mount

STALL_MS = 1000
AWAIT_S_MAX = AWAIT_MS / 1000


def test_a_target_that_hangs_does_not_hold_a_lock_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source asks under the lock of an object, and the application waits for that lock."""
    monkeypatch.setattr(reintegrating, "IO_TIMEOUT_MS", STALL_MS)
    with small_disk(tmp_path / "n2", 256 << 20), two_nodes(tmp_path) as nodes:
        path = nodes.mount / "log"
        path.write_text("one\n")
        # What flags protect is finished under its lock from the first.
        assert os.spawnlp(os.P_WAIT, "chattr", "chattr", "+a", str(path)) == 0
        lock = nodes.source.object_lock
        hung, gave_up = threading.Event(), threading.Event()

        def change() -> None:
            with pytest.raises(PermissionError):
                path.chmod(0o600)

        application = threading.Thread(target=change, daemon=True)

        @contextmanager
        def hanging(handle: bytes) -> Iterator[None]:
            with lock(handle), standing_still(tmp_path / "n2") as thaw:
                hung.set()
                application.start()

                def give_up() -> None:
                    gave_up.set()
                    thaw()

                # Without a bound nobody would ever come back from here.
                late = threading.Timer(AWAIT_S_MAX, give_up)
                late.start()
                try:
                    yield
                finally:
                    late.cancel()

        monkeypatch.setattr(nodes.source, "object_lock", hanging)
        while not hung.is_set():  # a machine that does other work may be late before that, too
            with pytest.raises(OSError, match="time"):
                nodes.reintegrate(full=True)
            nodes.part()
            nodes.forget_losses()
        monkeypatch.undo()
        application.join(AWAIT_S_MAX)
        assert not application.is_alive()
        assert not gave_up.is_set()
        nodes.reintegrate()
        assert nodes.differences() == []
        assert os.spawnlp(os.P_WAIT, "chattr", "chattr", "-a", str(path)) == 0


def test_nobody_holds_a_lock_who_waits_for_the_answer_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version of gigabytes may be kept aside meanwhile: the application would wait for it."""
    with two_nodes(tmp_path) as nodes:
        path = nodes.mount / "log"
        path.write_text("one\n")
        assert os.spawnlp(os.P_WAIT, "chattr", "chattr", "+a", str(path)) == 0
        nodes.reintegrate(full=True)
        assert nodes.session is not None
        target, handle = nodes.session.target, nodes.session.target.handle
        asked, may_answer, locked = threading.Event(), threading.Event(), threading.Event()

        def slowly(code: int, payload: bytes) -> tuple[int, bytes]:
            if code == code_of("KeepAside"):
                asked.set()
                assert may_answer.wait(AWAIT_S_MAX)
            return handle(code, payload)

        lock = nodes.source.object_lock

        def seen(of: bytes) -> AbstractContextManager[None]:
            locked.set()
            return lock(of)

        monkeypatch.setattr(target, "handle", slowly)
        monkeypatch.setattr(nodes.source, "object_lock", seen)
        rpc = Rpc(nodes.session.control)
        finisher = Finisher(nodes.source, rpc)
        with opened(nodes.source, 0, nodes.source.root_handle(0), DIRECTORY) as fd:
            here = nodes.source.look(fd, b"log")
        assert here is not None
        assert here.id is not None
        rpc.ask("BeginVerify", aside="kept")
        keeping = threading.Thread(
            target=rpc.ask, args=("KeepAside",), kwargs={"root": 0, "id": here.id}
        )
        finishing = threading.Thread(target=finisher.finish, args=(0, [(here.id, here.handle)]))
        keeping.start()
        assert asked.wait(AWAIT_S_MAX)
        finishing.start()
        assert not locked.wait(0.5)
        may_answer.set()
        for thread in (keeping, finishing):
            thread.join(AWAIT_S_MAX)
            assert not thread.is_alive()
        assert locked.is_set()
        assert os.spawnlp(os.P_WAIT, "chattr", "chattr", "-a", str(path)) == 0
        assert nodes.differences() == []


def set_flags(path: Path, flags: str) -> None:
    assert os.spawnlp(os.P_WAIT, "chattr", "chattr", flags, str(path)) == 0


def change_flagged(path: Path, held: int, number: int) -> None:
    """Everything that may be done to a file whose flags come and go."""
    with path.open("ab") as file:
        file.write(b"a" * 700)
    os.write(held, b"h" * 5000)  # opened before there was any flag
    set_flags(path, "-a")
    with path.open("r+b") as file:
        file.write(b"o" * 300)
        if number % 3 == 0:
            file.truncate(100_000)
    set_flags(path, "+i")
    with pytest.raises(PermissionError):
        path.open("ab")
    with pytest.raises(PermissionError):
        os.write(held, b"never")
    set_flags(path, "-i")
    with path.open("ab") as file:
        file.write(b"b" * 900)
    set_flags(path, "+a")
    with path.open("ab") as file:
        file.write(b"c" * 4096)


def keep_changing(path: Path, held: int, begun: threading.Event, ended: threading.Event) -> None:
    done = 0
    while not ended.is_set():
        change_flagged(path, held, done)
        begun.set()
        done += 1


@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
def test_flags_come_and_go_while_the_secondary_joins(tmp_path: Path, *, known: bool) -> None:
    with two_nodes(tmp_path) as nodes:
        path = nodes.mount / "log"
        path.write_bytes(os.urandom(2_000_000))
        held = os.open(path, os.O_WRONLY | os.O_APPEND)
        set_flags(path, "+a")
        if known:
            nodes.reintegrate(full=True)
            nodes.part()
            os.write(held, os.urandom(1_000_000))  # not as long there, and append-only on both
        for number in range(300):
            (nodes.mount / f"file{number}").write_bytes(os.urandom(10_000))
        begun, ended = threading.Event(), threading.Event()
        changing = threading.Thread(target=keep_changing, args=(path, held, begun, ended))
        changing.start()
        try:
            assert begun.wait(AWAIT_S_MAX)
            nodes.reintegrate(full=not known)
        finally:
            ended.set()
            changing.join(AWAIT_S_MAX)
            os.close(held)
        assert not changing.is_alive()
        # Its time is that of the last append, on each node by its own clock, until it may be set.
        assert [str(each) for each in nodes.differences() if each.what != "mtime"] == []
        set_flags(path, "-a")
        assert [str(each) for each in nodes.differences()] == []


def test_a_flag_that_was_away_when_the_target_died_comes_back(tmp_path: Path) -> None:
    """It takes it away for a moment when a descriptor is older; what is known is data alone."""
    with two_nodes(tmp_path) as nodes:
        path = nodes.mount / "log"
        path.write_bytes(os.urandom(200_000))
        with path.open("r+b", buffering=0) as old:
            set_flags(path, "+a")
            nodes.reintegrate(full=True)
            nodes.part()
            os.pwrite(old.fileno(), b"alone", 10)
            set_flags(nodes.right / "log", "-a")
            assert {each.kind for each in nodes.source.index_entries()} == {PlaceKind.DATA}
            nodes.reintegrate()
        assert nodes.differences() == []
        with pytest.raises(PermissionError):
            os.open(nodes.right / "log", os.O_WRONLY)
        set_flags(path, "-a")


def test_an_append_beyond_what_the_secondary_has_yet(tmp_path: Path) -> None:
    """Append-only on both nodes, and shorter there: reintegration has not come to it."""
    with two_nodes(tmp_path) as nodes:
        path = nodes.mount / "log"
        path.write_bytes(os.urandom(200_000))
        set_flags(path, "+a")
        nodes.reintegrate(full=True)
        nodes.part()
        with path.open("ab") as file:
            file.write(os.urandom(100_000))
        set_size, appended = nodes.source.copy_size, list[int]()

        def first(*arguments: Any) -> Any:
            set_flags(nodes.right / "log", "+a")  # as before its first block is sent
            with path.open("ab") as file:
                appended.append(file.write(b"live"))
            return set_size(*arguments)

        nodes.source.copy_size = first  # type: ignore[method-assign, assignment]
        nodes.reintegrate()
        assert appended
        assert nodes.differences() == []
        set_flags(path, "-a")


def test_a_change_that_takes_longer_than_a_freeze_does_not_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a slow disk: who gave up there would never come back to its secondary."""
    lower = tmp_path / "n1" / "lower"
    with small_disk(lower, 24 << 20), two_nodes(tmp_path) as nodes:
        (nodes.mount / "file").write_text("before")
        freeze, given_up = nodes.source.freeze, threading.Event()
        writing = threading.Thread(target=(nodes.mount / "new").write_text, args=("slow",))
        with standing_still(lower) as thaw:
            before = nodes.source.counters().changes
            writing.start()
            while nodes.source.counters().changes == before:
                assert not given_up.wait(0.01)

            def freezing(timeout_ms: int) -> None:
                try:
                    freeze(timeout_ms)
                except TimeoutError:
                    given_up.set()
                    thaw()
                    raise

            monkeypatch.setattr(nodes.source, "freeze", freezing)
            nodes.reintegrate(full=True)
        writing.join(AWAIT_S_MAX)
        assert given_up.is_set()
        assert nodes.differences() == []
