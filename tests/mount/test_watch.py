"""capture="watch": what changes in a plain directory reaches the follower (design 11)."""

from __future__ import annotations

import contextlib
import mmap
import os
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mirror.adapters import clock
from mirror.daemon.plane import watching
from mirror.daemon.plane.interrupted import keep_interrupted
from mirror.errors import ReintegrationStopped
from tests.mount.watched import HeldWatching, WatchedNodes, watched_nodes

pytestmark = pytest.mark.mount

BIG_BYTES = 8 << 20


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[WatchedNodes]:
    """Joined; both hold a small tree."""
    with watched_nodes(tmp_path) as both:
        deep = both.left / "a" / "b"
        deep.mkdir(parents=True)
        (deep / "small").write_text("small")
        (both.left / "a" / "big").write_bytes(os.urandom(BIG_BYTES))
        os.symlink("nowhere", both.left / "a" / "link")
        both.join()
        assert both.unequal() == []
        yield both


def test_every_kind_of_change_arrives(nodes: WatchedNodes) -> None:
    top = nodes.left
    with (top / "a" / "big").open("r+b") as big:
        big.seek(3 << 20)
        big.write(b"changed")
    (top / "a" / "b" / "small").chmod(0o600)
    os.setxattr(top / "a" / "b" / "small", "user.colour", b"red")
    (top / "new" / "deep" / "er").mkdir(parents=True)
    (top / "new" / "deep" / "er" / "file").write_text("new")
    os.link(top / "a" / "b" / "small", top / "new" / "small too")
    os.rename(top / "a" / "b", top / "new" / "moved")
    (top / "a" / "link").unlink()
    os.mkfifo(top / "a" / "fifo")
    assert nodes.unequal() == []
    (top / "new" / "moved" / "small").write_text("written where it was moved to")
    (top / "new" / "deep" / "er" / "file").write_text("and in what was new")
    shutil.rmtree(top / "a")
    assert nodes.unequal() == []


def test_a_write_to_a_large_open_file_costs_what_it_wrote(nodes: WatchedNodes) -> None:
    with (nodes.left / "a" / "big").open("r+b", buffering=0) as big:
        big.write(b"first")
        # What was read within the tick of its last change is not believed to be known.
        while clock.file_ns() <= os.fstat(big.fileno()).st_ctime_ns:
            os.sched_yield()
        nodes.ship()
        before = received(nodes)
        big.seek(5 << 20)
        big.write(b"second")
        big.truncate(BIG_BYTES - 1)
        nodes.ship()
        # 16 bytes for each 4 KiB of the file would be 32 KiB.
        assert received(nodes) - before < 8_000
        assert nodes.unequal() == []
        with mmap.mmap(big.fileno(), 0) as mapped:
            mapped[6 << 20] ^= 1
    assert nodes.unequal() == []


def received(nodes: WatchedNodes) -> int:
    assert nodes.session is not None
    return sum(each.counters()[1] for each in nodes.session.copies)


def test_it_follows_while_the_application_goes_on(nodes: WatchedNodes) -> None:
    nodes.ship_beside()
    random_ = random.Random(3)
    for _ in range(400):
        change_something(random_, nodes.left)
    assert wait_for(lambda: nodes.watching.lag.behind_ms() == 0)
    nodes.part()
    for _ in range(100):
        change_something(random_, nodes.left)
    nodes.join()
    assert nodes.unequal() == []


def change_something(random_: random.Random, top: Path) -> None:
    """One change, of names that often exist already."""
    paths = [top / f"{random_.randrange(4)}" / f"{random_.randrange(4)}" for _ in range(2)]
    with contextlib.suppress(OSError):
        match random_.randrange(7):
            case 0:
                paths[0].mkdir(parents=True, exist_ok=True)
            case 1:
                paths[0].rename(paths[1])
            case 2:
                paths[0].parent.rename(paths[1].parent)
            case 3:
                shutil.rmtree(paths[0].parent)
            case 4:
                os.link(paths[0], paths[1])
            case 5:
                paths[0].chmod(random_.choice((0o600, 0o700, 0o755)))
            case _:
                paths[0].parent.mkdir(exist_ok=True)
                with paths[0].open("ab") as file:
                    file.write(random_.randbytes(random_.randrange(200_000)))


def wait_for(is_true: Callable[[], bool]) -> bool:
    pause = threading.Event()  # never set
    return any(is_true() or pause.wait(0.05) for _ in range(6000))


def test_an_overflow_of_the_queue_is_made_good(nodes: WatchedNodes) -> None:
    queued_max = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    nodes.watching.free.clear()
    names = [nodes.left / "a" / f"{number}" for number in (0, 1)]
    names[0].touch()
    for _ in range(queued_max):
        names.reverse()
        names[1].rename(names[0])
    (nodes.left / "a" / "b" / "unseen").write_text("after the queue was full")
    nodes.watching.free.set()
    assert nodes.unequal() == []


def test_what_is_left_at_a_stop_is_awaited_as_long_as_there_is_time(
    nodes: WatchedNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than a pass awaits that a large tree has been walked."""
    monkeypatch.setattr(watching, "SETTLE_S_MAX", 0.0)
    nodes.watching.free.clear()
    (nodes.left / "a" / "b" / "small").write_text("the last one")
    ended = threading.Event()

    def ship() -> None:
        nodes.ship()
        ended.set()

    shipping = threading.Thread(target=ship)
    shipping.start()
    is_early = ended.wait(0.3) or not shipping.is_alive()
    nodes.watching.free.set()
    shipping.join()
    assert not is_early
    assert ended.is_set()
    assert nodes.unequal() == []


def test_a_directory_that_leaves_takes_nothing_along(nodes: WatchedNodes, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (nodes.left / "a").rename(outside)
    assert nodes.unequal() == []
    (outside / "b" / "small").write_text("nobody looks here")
    (outside / "b" / "other").mkdir()
    assert nodes.unequal() == []
    assert nodes.source.index_count() == 0
    outside.rename(nodes.left / "back")
    (nodes.left / "back" / "b" / "other" / "file").write_text("it is looked at again")
    assert nodes.unequal() == []


def test_with_too_few_watches_everything_is_looked_at_now_and_then(tmp_path: Path) -> None:
    with watched_nodes(tmp_path, watches_max=2) as nodes:
        (nodes.left / "a" / "b").mkdir(parents=True)
        nodes.join()
        assert "max_user_watches" in nodes.watching.trouble()
        (nodes.left / "a" / "b" / "unwatched").write_text("found all the same")
        assert nodes.unequal() == []


def test_what_an_unfinished_pass_replaced_is_kept_by_who_takes_over(nodes: WatchedNodes) -> None:
    fresh = nodes.left / "a" / "b" / "fresh"
    fresh.write_text("the new one")
    fresh.rename(nodes.left / "a" / "b" / "small")
    assert nodes.shipping is not None
    nodes.shipping.stop()
    with pytest.raises(ReintegrationStopped):
        nodes.shipping.ship()
    nodes.part()
    keep_interrupted(nodes.target, 0)
    kept = [each.read_text() for each in (nodes.right / ".mirror" / "aside").rglob("small")]
    assert kept == ["small"]
    nodes.join()
    assert nodes.unequal() == []


def test_a_file_that_took_the_name_of_a_directory_is_a_file(nodes: WatchedNodes) -> None:
    nodes.watching.free.clear()
    (nodes.left / "a" / "name").mkdir()
    (nodes.left / "a" / "name").rmdir()
    (nodes.left / "a" / "b" / "small").rename(nodes.left / "a" / "name")
    (nodes.left / "a" / "name").write_text("written under the new name")
    nodes.watching.free.set()
    assert nodes.unequal() == []


def test_what_was_written_under_a_name_that_has_gone_arrives(nodes: WatchedNodes) -> None:
    deep = nodes.left / "a" / "b"
    nodes.watching.free.clear()
    (deep / "small").write_text("before it was renamed")
    (deep / "small").rename(deep / "renamed")
    nodes.watching.free.set()
    assert nodes.unequal() == []
    nodes.watching.free.clear()
    (nodes.left / "brief").mkdir()
    os.link(deep / "renamed", nodes.left / "brief" / "link")
    (nodes.left / "brief" / "link").write_text("through a name that nobody will look at")
    shutil.rmtree(nodes.left / "brief")
    nodes.watching.free.set()
    assert nodes.unequal() == []


def test_a_name_that_goes_just_before_its_directory_is_watched(nodes: WatchedNodes) -> None:
    """The walk of a start has listed the directory above, and comes to this one later."""
    small = nodes.left / "a" / "b" / "small"
    nodes.part()
    nodes.watching.end()
    watching_again = HeldWatching(nodes.source, 10_000, nodes.failures.append)
    add_watch = watching_again._add_watch

    def late(fd: int) -> int | None:
        if os.readlink(f"/proc/self/fd/{fd}") == str(small.parent):
            small.unlink()
        return add_watch(fd)

    watching_again._add_watch = late  # type: ignore[method-assign]
    nodes.watching = watching_again
    watching_again.start(clock.file_ns())
    watching_again.settle()
    assert not small.exists()
    watching_again._add_watch = add_watch  # type: ignore[method-assign]
    nodes.join()
    assert nodes.unequal() == []
