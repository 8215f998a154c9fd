"""Two sequences of entries -> the differences, each with its path and both sides of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from mirror.adapters.compare.digest import (
    BLOCK_BYTES,
    Entry,
    IsLocal,
    digest_tree,
    nothing_is_local,
)

# A region of the dirty index: what reintegration copies as one, holes as holes.
HOLE_BYTES_MIN = 64 << 10

_ACL = "system.posix_acl_"


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which one name differs. left, right: what is there, for people."""

    path: str
    what: str
    left: str
    right: str

    def __str__(self) -> str:
        """Render as one line."""
        return f"{self.path!r}: {self.what}: {self.left} | {self.right}"


def _listed(pairs: Iterable[tuple[str, str]]) -> str:
    return " ".join(f"{name}={value}" for name, value in pairs) or "none"


def _xattrs(entry: Entry) -> str:
    return _listed(pair for pair in entry.xattrs if not pair[0].startswith(_ACL))


def _acls(entry: Entry) -> str:
    return _listed(pair for pair in entry.xattrs if pair[0].startswith(_ACL))


def _data(entry: Entry) -> str:
    return "data at " + (" ".join(f"{start}-{end}" for start, end in entry.data) or "no place")


# One row per property; content and holes have their own rules below. Compared as rendered: what
# people see of two sides is never the same when they differ.
_PROPERTIES: tuple[tuple[str, Callable[[Entry], str]], ...] = (
    ("mode", lambda entry: f"{entry.mode:04o}"),
    ("owner", lambda entry: f"{entry.uid}:{entry.gid}"),
    ("mtime", lambda entry: f"{entry.mtime_ns // 10**9}.{entry.mtime_ns % 10**9:09d}"),
    ("size", lambda entry: str(entry.size_bytes)),
    ("target", lambda entry: repr(entry.target)),
    ("device", lambda entry: f"{entry.device:#x}"),
    ("xattrs", _xattrs),
    ("acl", _acls),
    ("flags", lambda entry: entry.flags or "none"),
    ("links", lambda entry: f"same as {entry.object!r}" if entry.object else "one name"),
)


def compare(left: Iterable[Entry], right: Iterable[Entry]) -> list[Difference]:
    """Every difference of two trees, by path. Empty: they are equal in all that must be."""
    lefts, rights = _by_path(left), _by_path(right)
    differences: list[Difference] = []
    for path in sorted(lefts.keys() | rights.keys()):
        one, other = lefts.get(path), rights.get(path)
        if one is None or other is None or one.type != other.type:
            what = "name" if one is None or other is None else "type"
            differences.append(Difference(path, what, _type(one), _type(other)))
        else:
            differences += _compare_entries(one, other)
    return differences


def compare_trees(
    left: Path, right: Path, is_local: IsLocal = nothing_is_local
) -> list[Difference]:
    """Every difference of two trees of this host, but of what is local to each.

    Raises OSError when one cannot be read.
    """
    return compare(digest_tree(left, is_local), digest_tree(right, is_local))


def _type(entry: Entry | None) -> str:
    return "nothing" if entry is None else entry.type


def _by_path(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Entries by path; an object of which only one name is in the tree has no `object`."""
    found = {entry.path: entry for entry in entries}
    names: dict[str, int] = {}
    for entry in found.values():
        names[entry.object] = names.get(entry.object, 0) + 1
    return {
        path: replace(entry, object="") if names[entry.object] == 1 else entry
        for path, entry in found.items()
    }


def _holes_differ(left: Entry, right: Entry) -> bool:
    """True when one is all hole where the other is all data, over HOLE_BYTES_MIN aligned bytes.

    Smaller holes are the file system's own affair: of space that was preallocated, ext4 writes up
    to 32 KiB of zeros around what is written (extent_max_zeroout_kb), or does not, as the moment
    has it.
    """
    return _data_in_holes(left, right) or _data_in_holes(right, left)


def _data_in_holes(data: Entry, holes: Entry) -> bool:
    """True when a whole aligned range of `data` is data and in `holes` is a hole."""
    edges = [0, *(edge for pair in holes.data for edge in pair), holes.size_bytes]
    for hole_start, hole_end in zip(edges[::2], edges[1::2], strict=True):
        for start, end in data.data:
            first = -(-max(start, hole_start) // HOLE_BYTES_MIN) * HOLE_BYTES_MIN
            if first + HOLE_BYTES_MIN <= min(end, hole_end):
                return True
    return False


def _compare_entries(left: Entry, right: Entry) -> list[Difference]:
    differences = [
        Difference(left.path, what, render(left), render(right))
        for what, render in _PROPERTIES
        if render(left) != render(right)
    ]
    if left.size_bytes != right.size_bytes:  # says it all about the content
        return differences
    if _holes_differ(left, right):
        differences.append(Difference(left.path, "holes", _data(left), _data(right)))
    blocks = [
        number
        for number, (one, other) in enumerate(zip(left.blocks, right.blocks, strict=True))
        if one != other
    ]
    if blocks:
        start = blocks[0] * BLOCK_BYTES
        text = f"{len(blocks)} blocks of {BLOCK_BYTES} bytes, the first at offset {start}"
        one, other = left.blocks[blocks[0]], right.blocks[blocks[0]]
        differences.append(Difference(left.path, "bytes", f"{text}: {one}", other))
    return differences
