"""Every kind of planted difference is found, and what may differ is not reported."""

import json
import mmap
import os
import shutil
import stat
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.adapters.compare import Difference, Entry, compare, compare_trees, digest_tree
from mirror.adapters.compare.differences import HOLE_BYTES_MIN
from mirror.adapters.compare.digest import BLOCK_BYTES

AN_HOUR_AGO_NS = 1_700_000_000_123_456_789

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="owners and devices need root")


def build(root: Path) -> None:
    """A tree with something of everything."""
    (root / "empty").mkdir(parents=True)
    (root / "deep/er").mkdir(parents=True)
    (root / "plain").write_bytes(b"content")
    (root / "big").write_bytes(os.urandom(16) * (3 * BLOCK_BYTES // 16) + b"tail")
    with (root / "sparse").open("wb") as sparse:
        sparse.seek(1 << 20)
        sparse.write(b"x" * 8192)
        sparse.truncate(4 << 20)
    (root / "first").write_bytes(b"two names")
    (root / "deep/second").hardlink_to(root / "first")
    (root / "link").symlink_to("deep/second")
    os.mkfifo(root / "fifo")
    (root / os.fsdecode(b"not utf-8 \xff")).write_bytes(b"")
    os.setxattr(root / "plain", "user.colour", b"blue\x00\xff")
    # Version 2, then entries: tag, permissions, id.
    entries = ((1, 6, -1), (2, 4, 12345), (4, 4, -1), (16, 4, -1), (32, 0, -1))
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    os.setxattr(root / "big", "system.posix_acl_access", acl)


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    left, right = tmp_path / "left", tmp_path / "right"
    build(left)
    # cp keeps holes only by luck of detection; -a keeps names, owners, times, attributes, links.
    subprocess.run(["cp", "-a", "--sparse=always", left, right], check=True)
    return left, right


def test_equal_trees_have_no_difference(trees: tuple[Path, Path]) -> None:
    assert compare_trees(*trees) == []


def test_holes_smaller_than_a_region_are_the_file_systems_affair(
    trees: tuple[Path, Path],
) -> None:
    def fill(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek((2 << 20) - 8192)
            file.write(bytes(32_768))  # as ext4 does around a write to preallocated space

    same_times(fill, trees[1] / "sparse")
    assert compare_trees(*trees) == []


def same_times(change: Callable[[Path], object], path: Path) -> None:
    """Change a file or directory, leaving its mtime as it was."""
    before = path.lstat()
    change(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns), follow_symlinks=False)


def flip_last_byte(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 1]))


def fill_hole(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek((2 << 20) - 4096)
        file.write(bytes(HOLE_BYTES_MIN + 4096))


def replace_by_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def break_link(path: Path) -> None:
    content = path.read_bytes()
    before = path.stat()
    path.unlink()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def chattr(flags: str, path: Path) -> None:
    subprocess.run(["chattr", flags, path], check=True)


def new_target(path: Path) -> None:
    path.unlink()
    path.symlink_to("deep/other")


PLANTS: dict[str, tuple[str, Callable[[Path], object], set[tuple[str, str]]]] = {
    "a byte": (
        "big",
        lambda path: same_times(flip_last_byte, path),
        {("big", "bytes")},
    ),
    "a byte of a small file": (
        "plain",
        lambda path: same_times(flip_last_byte, path),
        {("plain", "bytes")},
    ),
    "a shorter file": (
        "plain",
        lambda path: same_times(lambda it: os.truncate(it, 3), path),
        {("plain", "size")},
    ),
    "zeros in place of a hole": (
        "sparse",
        lambda path: same_times(fill_hole, path),
        {("sparse", "holes")},
    ),
    "permissions": ("plain", lambda path: path.chmod(0o600), {("plain", "mode")}),
    "set-user-id bit": ("plain", lambda path: path.chmod(0o4644), {("plain", "mode")}),
    "mode of a directory": ("deep/er", lambda path: path.chmod(0o700), {("deep/er", "mode")}),
    "mtime by a nanosecond": (
        "plain",
        lambda path: os.utime(path, ns=(0, path.stat().st_mtime_ns + 1)),
        {("plain", "mtime")},
    ),
    "mtime of a directory": (
        "deep",
        lambda path: os.utime(path, ns=(0, AN_HOUR_AGO_NS)),
        {("deep", "mtime")},
    ),
    "mtime of the top": (
        ".",
        lambda path: os.utime(path, ns=(0, AN_HOUR_AGO_NS)),
        {(".", "mtime")},
    ),
    "mtime of a symlink": (
        "link",
        lambda path: os.utime(path, ns=(0, AN_HOUR_AGO_NS), follow_symlinks=False),
        {("link", "mtime")},
    ),
    "value of an attribute": (
        "plain",
        lambda path: os.setxattr(path, "user.colour", b"blue\x00\xfe"),
        {("plain", "xattrs")},
    ),
    "an attribute more": (
        "deep",
        lambda path: os.setxattr(path, "user.more", b""),
        {("deep", "xattrs")},
    ),
    "an attribute less": (
        "plain",
        lambda path: os.removexattr(path, "user.colour"),
        {("plain", "xattrs")},
    ),
    # The mode of its group class is the ACL's mask: it is the same before and after here.
    "an ACL": (
        "big",
        lambda path: os.removexattr(path, "system.posix_acl_access"),
        {("big", "acl")},
    ),
    "a flag of a file": ("plain", lambda path: chattr("+d", path), {("plain", "flags")}),
    "a flag of a directory": ("deep", lambda path: chattr("+A", path), {("deep", "flags")}),
    "a name less": (
        "deep/second",
        lambda path: same_times(lambda _: path.unlink(), path.parent),
        {("deep/second", "name"), ("first", "links")},
    ),
    "a name more": (
        "deep/more",
        lambda path: same_times(lambda _: path.write_bytes(b""), path.parent),
        {("deep/more", "name")},
    ),
    "another type": (
        "plain",
        lambda path: same_times(lambda _: replace_by_directory(path), path.parent),
        {("plain", "type")},
    ),
    "two files in place of two names": (
        "deep/second",
        lambda path: same_times(lambda _: break_link(path), path.parent),
        {("deep/second", "links"), ("first", "links")},
    ),
    "target of a symlink": (
        "link",
        lambda path: same_times(lambda _: same_times(new_target, path), path.parent),
        {("link", "target")},
    ),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_planted_difference_is_found(trees: tuple[Path, Path], plant: str) -> None:
    left, right = trees
    name, change, expected = PLANTS[plant]
    change(right / name)
    found = compare_trees(left, right)
    assert {(difference.path, difference.what) for difference in found} == expected
    assert {(it.path, it.what) for it in compare_trees(right, left)} == expected
    assert all(str(difference) for difference in found)


@needs_root
def test_owner_group_and_device_are_compared(trees: tuple[Path, Path]) -> None:
    left, right = trees
    os.chown(right / "plain", 1, 0)
    os.chown(right / "deep", 0, 1)
    os.chown(right / "link", 1, 1, follow_symlinks=False)
    for tree, minor in ((left, 3), (right, 5)):
        same_times(
            lambda top, minor=minor: os.mknod(  # type: ignore[misc]
                top / "device", stat.S_IFCHR | 0o600, os.makedev(1, minor)
            ),
            tree,
        )
        os.utime(tree / "device", ns=(0, AN_HOUR_AGO_NS))
    found = {(difference.path, difference.what) for difference in compare_trees(left, right)}
    expected = {("plain", "owner"), ("deep", "owner"), ("link", "owner"), ("device", "device")}
    assert found == expected


@needs_root
def test_our_own_marks_are_not_compared(trees: tuple[Path, Path]) -> None:
    left, right = trees
    for number, tree in enumerate(trees):
        os.setxattr(tree / "plain", "trusted.mirror.id", bytes([number]))
        same_times(lambda top: (top / ".mirror").mkdir(), tree)
        (tree / ".mirror" / f"index-{number}").write_bytes(b"")
    os.setxattr(right / "plain", "trusted.other", b"")
    assert [str(difference) for difference in compare_trees(left, right)] == [
        "'plain': xattrs: user.colour=626c756500ff | trusted.other= user.colour=626c756500ff"
    ]


def test_room_that_was_only_reserved_is_a_hole_even_when_it_is_in_memory(
    trees: tuple[Path, Path],
) -> None:
    size = 4 * HOLE_BYTES_MIN
    for tree in trees:
        with (tree / "reserved").open("wb") as file:
            os.truncate(file.fileno(), size)
        os.utime(tree / "reserved", ns=(0, AN_HOUR_AGO_NS))
        os.utime(tree, ns=(0, AN_HOUR_AGO_NS))
    with (trees[1] / "reserved").open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, size)
        os.utime(file.fileno(), ns=(0, AN_HOUR_AGO_NS))
        with mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ) as mapped:
            assert mapped[:] == bytes(size)  # in memory, and mapped: it cannot be dropped
            assert os.lseek(file.fileno(), 0, os.SEEK_DATA) == 0
            assert compare_trees(*trees) == []
            with (trees[1] / "reserved").open("r+b", buffering=0) as other:
                other.write(b"x")
                os.utime(other.fileno(), ns=(0, AN_HOUR_AGO_NS))
            assert {each.what for each in compare_trees(*trees)} == {"bytes"}


def test_a_mirror_directory_deeper_down_is_ordinary(trees: tuple[Path, Path]) -> None:
    same_times(lambda deep: (deep / ".mirror").mkdir(), trees[1] / "deep")
    assert [difference.path for difference in compare_trees(*trees)] == ["deep/.mirror"]


def test_a_hard_link_from_outside_does_not_count(trees: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "outside").hardlink_to(trees[1] / "plain")
    assert compare_trees(*trees) == []


def test_access_times_are_neither_compared_nor_touched(trees: tuple[Path, Path]) -> None:
    plain = trees[1] / "plain"
    os.utime(plain, ns=(AN_HOUR_AGO_NS, plain.stat().st_mtime_ns))
    assert compare_trees(*trees) == []
    assert plain.stat().st_atime_ns == AN_HOUR_AGO_NS


def test_deeper_than_the_longest_path(tmp_path: Path) -> None:
    depth = 600
    for side, leaf in (("left", b"1"), ("right", b"2")):
        (tmp_path / side).mkdir()
        descriptor = os.open(tmp_path / side, os.O_RDONLY)
        for _ in range(depth):
            os.mkdir("d" * 10, dir_fd=descriptor)
            below = os.open("d" * 10, os.O_RDONLY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        file = os.open("leaf", os.O_WRONLY | os.O_CREAT, dir_fd=descriptor)
        os.write(file, leaf)
        os.close(file)
        os.close(descriptor)
    found = compare_trees(tmp_path / "left", tmp_path / "right")
    assert "bytes" in {it.what for it in found if it.path.endswith("/leaf")}
    shutil.rmtree(tmp_path / "left")
    shutil.rmtree(tmp_path / "right")


def test_missing_tree_is_no_equal_tree(tmp_path: Path) -> None:
    (tmp_path / "left").mkdir()
    with pytest.raises(FileNotFoundError):
        compare_trees(tmp_path / "left", tmp_path / "right")


def test_the_program_writes_what_can_be_compared_elsewhere(trees: tuple[Path, Path]) -> None:
    sides: list[list[Entry]] = []
    flip_last_byte(trees[1] / "big")
    for tree in trees:
        program = [sys.executable, "-m", "mirror.adapters.compare", str(tree)]
        output = subprocess.run(program, check=True, capture_output=True, text=True).stdout
        sides.append([Entry.from_json(line) for line in output.splitlines()])
        assert sides[-1] == list(digest_tree(tree))
    found = {(difference.path, difference.what) for difference in compare(*sides)}
    assert found == {("big", "bytes"), ("big", "mtime")}


ENTRIES = st.builds(
    Entry,
    path=st.text(min_size=1),
    type=st.sampled_from(["file", "directory"]),
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, 2**32 - 1),
    gid=st.integers(0, 2**32 - 1),
    mtime_ns=st.integers(),
    data=st.tuples(st.tuples(st.integers(0), st.integers(0))),
    xattrs=st.tuples(st.tuples(st.text(), st.text())),
)


@given(ENTRIES)
def test_an_entry_survives_json(entry: Entry) -> None:
    assert Entry.from_json(entry.to_json()) == entry
    assert json.loads(entry.to_json())["path"] == entry.path


@given(ENTRIES, st.lists(ENTRIES))
def test_one_entry_more_is_one_difference(entry: Entry, others: list[Entry]) -> None:
    others = [other for other in others if other.path != entry.path]
    found = compare(others, [entry, *others])
    assert found == [Difference(entry.path, "name", "nothing", entry.type)]
