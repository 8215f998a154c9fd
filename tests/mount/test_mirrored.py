"""Whatever an application does on a mirrored mount, both copies are equal (invariant 10)."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import select
import shutil
import sqlite3
import stat
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.adapters import native
from mirror.adapters.compare import compare_trees
from tests.mount.pair import AWAIT_MS, Pair, open_pair
from tests.mount.small_disk import fill, small_disk

pytestmark = pytest.mark.mount

FS_IOC_SETFLAGS, FS_NODUMP_FL, FS_NOATIME_FL = 0x40086602, 0x40, 0x80
ROOT = Path(__file__).parents[2]
BUILT = shutil.ignore_patterns("static", "__pycache__", "*.so")


@pytest.fixture(params=["write", "fsync"])
def pair(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Pair]:
    with open_pair(tmp_path, writeback=request.param == "fsync", sync_both=True) as made:
        yield made


def settle_and_compare(pair: Pair) -> None:
    """Write back what the kernel caches, send the times, compare bit by bit."""
    fd = os.open(pair.mount, os.O_RDONLY)
    ctypes.CDLL(None, use_errno=True).syncfs(fd)
    os.close(fd)
    pair.primary.checkpoint()
    assert compare_trees(pair.left, pair.right) == []


def test_files_directories_links_and_devices(pair: Pair) -> None:
    top = pair.mount
    (top / "a" / "b").mkdir(parents=True)
    (top / "a" / "file").write_bytes(b"hello" * 1000)
    os.link(top / "a" / "file", top / "a" / "b" / "again")
    os.symlink("../nowhere", top / "a" / "link")
    os.mkfifo(top / "fifo", 0o640)
    os.mknod(top / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    os.rename(top / "a" / "file", top / "moved")
    os.chmod(top / "moved", 0o4755)
    os.chown(top / "a", 33, 44)
    os.utime(top / "moved", ns=(1_000_000_001, 1_234_567_890_123_456_789))
    os.setxattr(top / "moved", "user.colour", b"blue")
    os.unlink(top / "a" / "b" / "again")
    os.rmdir(top / "a" / "b")
    settle_and_compare(pair)
    assert (pair.right / "moved").stat().st_mode & 0o7777 == 0o4755


def test_data_in_every_form(pair: Pair) -> None:
    with (pair.mount / "data").open("w+b", buffering=0) as file:
        file.write(os.urandom(3_000_000))
        file.seek(10_000_000)
        file.write(b"beyond a hole")
        os.posix_fallocate(file.fileno(), 20_000_000, 4096)
        os.pwrite(file.fileno(), b"x" * 70_000, 65_530)
        os.ftruncate(file.fileno(), 12_000_000)
        os.fsync(file.fileno())
    with (
        (pair.mount / "data").open("r+b") as updated,
        mmap.mmap(updated.fileno(), 8192) as mapped,
    ):
        mapped[4000:4200] = b"m" * 200
        mapped.flush()
    with (pair.mount / "copy").open("w+b") as to, (pair.mount / "data").open("rb") as source:
        assert os.copy_file_range(source.fileno(), to.fileno(), 1_000_000) > 0
    with (pair.mount / "data").open("ab") as appended:
        appended.write(b"at the end")
    settle_and_compare(pair)


def test_a_large_copy_comes_in_pieces(pair: Pair) -> None:
    """Each is over within the time of a request; the caller asks for the rest."""
    size, at_once = 20 << 20, 16 << 20
    (pair.mount / "source").write_bytes(os.urandom(size))
    with (pair.mount / "copy").open("wb") as to, (pair.mount / "source").open("rb") as source:
        assert os.copy_file_range(source.fileno(), to.fileno(), size) == at_once
        assert os.copy_file_range(source.fileno(), to.fileno(), size) == size - at_once
        assert os.copy_file_range(source.fileno(), to.fileno(), size) == 0
    settle_and_compare(pair)


def test_exchange_replace_and_unlinked_files(pair: Pair) -> None:
    top = pair.mount
    libc = ctypes.CDLL(None, use_errno=True)
    (top / "one").write_text("1")
    (top / "two").mkdir()
    (top / "two" / "inside").write_text("2")
    result = libc.renameat2(-100, bytes(top / "one"), -100, bytes(top / "two"), 2)
    assert result == 0, os.strerror(ctypes.get_errno())
    assert (top / "one" / "inside").read_text() == "2"
    with (top / "gone").open("w+b", buffering=0) as file:
        file.write(b"before")
        os.unlink(top / "gone")
        file.write(b"after")
        os.ftruncate(file.fileno(), 3)
        assert os.pread(file.fileno(), 10, 0) == b"bef"
    (top / "new").write_text("new")
    os.replace(top / "new", top / "two")
    with pytest.raises(FileNotFoundError):
        os.stat(top / "gone")
    settle_and_compare(pair)


def test_an_ordinary_user_and_acls(pair: Pair) -> None:
    os.chmod(pair.mount, 0o1777)
    os.chmod(pair.mount.parent, 0o755)
    script = "umask 027; mkdir d && echo hi > d/f && ln d/f d/g && chmod g+w d/f && mkfifo d/p"
    subprocess.run(["sh", "-c", script], cwd=pair.mount, user=1234, group=4321, check=True)
    subprocess.run(["setfacl", "-m", "u:5:rwx,d:g:6:r-x", str(pair.mount / "d")], check=True)
    subprocess.run(
        ["sh", "-c", "echo x > d/inherits"], cwd=pair.mount, user=1234, group=4321, check=True
    )
    settle_and_compare(pair)
    assert (pair.right / "d" / "f").stat().st_uid == 1234


def test_a_large_tree_and_a_database(pair: Pair) -> None:
    shutil.copytree(ROOT / "mirror", pair.mount / "tree", symlinks=True, ignore=BUILT)
    shutil.rmtree(next(each for each in (pair.mount / "tree").iterdir() if each.is_dir()))
    for mode in ("wal", "delete"):
        base = sqlite3.connect(pair.mount / f"{mode}.db")
        base.execute(f"pragma journal_mode={mode}")
        base.execute("create table t (x)")
        for value in range(10):
            base.execute("insert into t values (?)", (value,))
            base.commit()
        base.close()
    settle_and_compare(pair)


def test_many_threads_at_once(pair: Pair) -> None:
    def work(number: int) -> None:
        for turn in range(60):
            path = pair.mount / f"{number % 2}-{turn % 7}"
            fresh = pair.mount / f"fresh-{number}"
            fresh.write_bytes(bytes([number]) * (turn * 777))
            os.replace(fresh, path)
            with path.open("r+b") if path.exists() else path.open("w+b") as file:
                file.seek(turn * 100)
                file.write(b"%d" % number * 50)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settle_and_compare(pair)


def test_a_lost_link_parks_changes_until_alone(pair: Pair) -> None:
    (pair.mount / "before").write_text("before")
    pair.part()
    done = threading.Event()

    def write() -> None:
        (pair.mount / "after").write_text("after")
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert select.select([pair.primary.event_fd()], [], [], AWAIT_MS / 1000)[0]
    event = pair.primary.event_take()
    assert event is not None
    assert event.kind == 1
    assert (pair.mount / "before").read_text() == "before"  # reads go on
    assert not done.is_set()
    assert not (pair.left / "after").exists()  # invariant 1
    pair.go_alone()
    writer.join(AWAIT_MS / 1000)
    assert done.is_set()
    noted = {entry.name for entry in pair.primary.index_entries() if entry.kind == 3}
    assert b"after" in noted  # invariant 3


def give_name(fd: int, path: Path) -> None:
    """Link a file that has none; os.link does not follow /proc/self/fd by itself."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.linkat(-100, b"/proc/self/fd/%d" % fd, -100, bytes(path), 0x400) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)


def test_a_file_without_a_name_is_sent_whole_when_it_gets_one(pair: Pair) -> None:
    with open(os.open(pair.mount, os.O_TMPFILE | os.O_RDWR, 0o640), "r+b", buffering=0) as file:
        fd = file.fileno()
        os.pwrite(fd, os.urandom(300_000), 5_000_000)
        os.setxattr(fd, "user.kind", b"temporary")
        os.fchown(fd, 12, 34)
        assert list(pair.right.iterdir()) == [pair.right / ".mirror"]
        give_name(fd, pair.mount / "named")
        with pytest.raises(FileExistsError):
            give_name(fd, pair.mount / "named")
        os.pwrite(fd, b"afterwards", 0)
    settle_and_compare(pair)
    assert (pair.right / "named").stat().st_size == 5_300_000


def test_it_has_the_flags_that_it_had_without_a_name(pair: Pair) -> None:
    """And none of the directory in which it is made there."""
    directory = pair.mount / "directory"
    directory.mkdir()
    set_flags("+d", directory)
    for name, flags in ("flagged", FS_NODUMP_FL | FS_NOATIME_FL), ("plain", 0):
        fd = os.open(pair.mount, os.O_TMPFILE | os.O_RDWR, 0o640)
        fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("i", flags))
        give_name(fd, directory / name)
        os.close(fd)
    assert "d" in flags_of(pair.right / "directory" / "flagged")
    assert "d" not in flags_of(pair.right / "directory" / "plain")
    settle_and_compare(pair)


def test_it_has_the_access_list_that_it_had_without_a_name(pair: Pair) -> None:
    """And not the one that the directory gives in which it is made there."""
    (pair.mount / "plain").mkdir()
    shared = pair.mount / "shared"
    shared.mkdir()
    subprocess.run(["setfacl", "-d", "-m", "u:5:rwx", str(shared)], check=True)
    for made_in in "plain", "shared":
        fd = os.open(pair.mount / made_in, os.O_TMPFILE | os.O_RDWR, 0o640)
        os.write(fd, b"content")
        give_name(fd, shared / made_in)
        os.close(fd)
    settle_and_compare(pair)
    assert "system.posix_acl_access" not in os.listxattr(pair.right / "shared" / "plain")
    assert "system.posix_acl_access" in os.listxattr(pair.right / "shared" / "shared")


def look_up(pair: Pair, name: bytes) -> native.Look:
    """Identity and handle of a name at the top of the primary's lower directory."""
    fd = os.open(pair.left, os.O_RDONLY)
    try:
        found = pair.primary.look(fd, name)
    finally:
        os.close(fd)
    assert found is not None
    assert found.id is not None
    return found


def first_hole(path: Path) -> int:
    """Offset of the first hole, or the size of the file."""
    with path.open("rb") as file:
        return os.lseek(file.fileno(), 0, os.SEEK_HOLE)


def test_a_hole_within_a_block_at_the_target_is_no_data(pair: Pair) -> None:
    """After a power loss a disk may hold a hole where the other one holds zeros."""
    content = b"x" * 8192 + bytes(57344) + b"y" * 4096
    (pair.mount / "file").write_bytes(content)
    settle_and_compare(pair)
    with (pair.right / "file").open("r+b") as damaged:
        libc = ctypes.CDLL(None, use_errno=True)
        keep_size_and_punch = 3
        offset, size = ctypes.c_long(8192), ctypes.c_long(57344)
        assert libc.fallocate(damaged.fileno(), keep_size_and_punch, offset, size) == 0
    assert first_hole(pair.right / "file") == 8192
    with pair.copy_lane() as lane:
        look = look_up(pair, b"file")
        assert look.id is not None
        copied = pair.primary.copy_ranges(0, look.handle, look.id, lane, [(0, len(content))])
    assert copied.copied_bytes == 57344  # the hole, nothing beside it
    assert first_hole(pair.right / "file") == len(content)
    assert (pair.right / "file").read_bytes() == content


def test_only_blocks_that_differ_travel(pair: Pair) -> None:
    """A page of a database that has changed does not bring its whole region with it."""
    size = 3 * 65536 + 100
    content = os.urandom(size)
    (pair.mount / "file").write_bytes(content)
    settle_and_compare(pair)
    damaged = bytearray(content)
    for offset in (0, 4096, 65535, 81920, size - 1):
        damaged[offset] ^= 1
    (pair.right / "file").write_bytes(damaged)
    with pair.copy_lane() as lane:
        look = look_up(pair, b"file")
        assert look.id is not None
        copied = pair.primary.copy_ranges(0, look.handle, look.id, lane, [(0, size)])
    assert copied.copied_bytes == 4 * 4096 + 100
    assert copied.compared_bytes == size
    assert (pair.right / "file").read_bytes() == content


def set_flags(flags: str, path: Path) -> None:
    subprocess.run(["chattr", flags, str(path)], check=True)


def flags_of(path: Path) -> str:
    said = subprocess.run(["lsattr", str(path)], check=True, capture_output=True, text=True)
    return said.stdout.split()[0]


def test_times_that_move_until_the_gate_is_closed_are_told_after_it(tmp_path: Path) -> None:
    """Of an orderly stop: the secondary that takes over has the mtimes of this node, too."""
    with open_pair(tmp_path) as pair:
        (pair.mount / "file").write_bytes(b"before")
        pair.primary.checkpoint()
        (pair.mount / "file").write_bytes(b"after")
        (pair.mount / "name").mkdir()
        pair.primary.close_gate(AWAIT_MS)
        with pytest.raises(OSError, match=os.strerror(errno.ESTALE)):
            (pair.mount / "late").mkdir()
        pair.primary.checkpoint()
        assert pair.primary.mirrored()
        assert compare_trees(pair.left, pair.right) == []


def test_an_append_only_file_is_written_by_a_descriptor_that_is_older(tmp_path: Path) -> None:
    """The kernel asks for the flag when a file is opened, and not any more afterwards."""
    with open_pair(tmp_path) as pair:
        here, there = pair.mount / "log", pair.right / "log"
        here.write_bytes(b"." * 100_000)
        with here.open("r+b", buffering=0) as old, here.open("rb") as source:
            set_flags("+a", here)
            os.pwrite(old.fileno(), b"in the middle", 50_000)
            os.pwrite(old.fileno(), b"and once more", 60_000)
            assert "a" in flags_of(there)
            set_flags("+a", here)  # whoever has it open there closes it
            os.copy_file_range(source.fileno(), old.fileno(), 100, 50_000, 70_000)
            assert "a" in flags_of(there)
            set_flags("+a", here)
            with here.open("ab") as log:
                log.write(b"at the end")
            set_flags("-a", there)  # as reintegration does before it sends a block
            os.pwrite(old.fileno(), b"without it", 80_000)
            assert "a" not in flags_of(there)
            set_flags("+a", there)
        assert here.read_bytes() == there.read_bytes()
        with pytest.raises(PermissionError):
            os.open(here, os.O_WRONLY)
        set_flags("-a", here)
        settle_and_compare(pair)


def test_who_may_write_anywhere_again_does_so_on_both_nodes(tmp_path: Path) -> None:
    """It was opened for its end, and that flag taken from the descriptor once it was allowed."""
    with open_pair(tmp_path) as pair:
        here, there = pair.mount / "log", pair.right / "log"
        here.write_bytes(b"." * 100_000)
        set_flags("+a", here)
        fd = os.open(here, os.O_WRONLY | os.O_APPEND)
        set_flags("-a", here)
        fcntl.fcntl(fd, fcntl.F_SETFL, 0)
        set_flags("+a", here)
        os.pwrite(fd, b"in the middle", 50_000)
        os.close(fd)
        assert b"in the middle" in there.read_bytes()
        set_flags("-a", here)
        assert pair.primary.mirrored()
        settle_and_compare(pair)


def append(path: Path, size: int) -> None:
    """In pieces that a request holds."""
    with path.open("ab", buffering=0) as log:
        for _ in range(0, size, 65_536):
            log.write(bytes(65_536))


@pytest.mark.parametrize("flag", ["", "+a"], ids=["plain", "append-only"])
def test_what_does_not_fit_here_is_undone_there(tmp_path: Path, flag: str) -> None:
    lower = tmp_path / "n1" / "lower"
    with small_disk(lower, 24 << 20):
        (lower / "lost+found").rmdir()
        with open_pair(tmp_path) as pair:
            here = pair.mount / "log"
            here.write_bytes(b"first")
            if flag:
                set_flags(flag, here)
            filler = fill(lower)
            with pytest.raises(OSError, match="No space"):
                append(here, 4 << 20)
            filler.unlink()
            assert pair.primary.mirrored()
            assert here.read_bytes() == (pair.right / "log").read_bytes()
            assert ("a" in flags_of(pair.right / "log")) == bool(flag)
            if flag:
                set_flags("-a", here)
            settle_and_compare(pair)


def test_the_time_of_an_append_only_file_is_told_once_it_may_be_set(tmp_path: Path) -> None:
    """Each node has that of its own append as long as the flag stands."""
    with open_pair(tmp_path) as pair:
        here, there = pair.mount / "log", pair.right / "log"
        here.write_bytes(b"one")
        set_flags("+a", here)
        with here.open("ab") as log:
            log.write(b"two")
        pair.primary.checkpoint()
        set_flags("-a", there)
        os.utime(there, ns=(1, 1))  # as when the clock ticked between the two
        set_flags("+a", there)
        set_flags("-a", here)
        settle_and_compare(pair)
