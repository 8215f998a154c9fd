"""Listings: many entries, positions, and what they show while names come and go."""

import ctypes
import os
from pathlib import Path

from tests.mount.posix.tools import case, make

_libc = ctypes.CDLL(None, use_errno=True)
_libc.opendir.restype = ctypes.c_void_p
_libc.readdir.restype = ctypes.c_void_p
_libc.telldir.restype = ctypes.c_long
MANY = 4_000  # many blocks of the directory, and many answers to who reads it


class Listing:
    """opendir(3) and its companions; Python's own have no positions."""

    def __init__(self, path: Path) -> None:
        self._raw = ctypes.c_void_p(_libc.opendir(os.fsencode(path)))

    def next(self) -> str | None:
        """The next name; None at the end."""
        entry = _libc.readdir(self._raw)
        return os.fsdecode(ctypes.string_at(entry + 19)) if entry else None

    def tell(self) -> int:
        """The position before the next name."""
        return int(_libc.telldir(self._raw))

    def seek(self, position: int) -> None:
        """Go back to a position that tell gave."""
        _libc.seekdir(self._raw, ctypes.c_long(position))

    def rewind(self) -> None:
        """Begin again, with what is there now."""
        _libc.rewinddir(self._raw)

    def rest(self) -> list[str]:
        """All that is left."""
        found = []
        while (name := self.next()) is not None:
            found.append(name)
        return found

    def close(self) -> None:
        """The listing is over."""
        _libc.closedir(self._raw)


@case
def thousands_of_entries_and_positions(top: Path) -> object:
    fd = os.open(top, os.O_RDONLY)
    for number in range(MANY):
        os.close(os.open(f"entry-{number:05}", os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=fd))
    os.close(fd)
    listing = Listing(top)
    order: list[str] = []
    positions: list[int] = []
    while True:
        positions.append(listing.tell())
        name = listing.next()
        if name is None:
            break
        order.append(name)
    seen: list[object] = [len(order), len(set(order))]
    same = 0
    for at in (0, 1, 2, 500, 2_000, 3_900, len(order) - 1):
        listing.seek(positions[at])
        same += listing.next() == order[at]
    listing.rewind()
    seen += [same, listing.rest() == order]
    listing.close()
    for name in order:
        if name.endswith(("3", "7")):
            os.unlink(top / name)
    return [*seen, len(os.listdir(top)), sum(1 for _ in os.scandir(top))]


@case
def a_listing_while_names_go(top: Path) -> object:
    """Each name that stays is seen once; one that goes may be seen or not."""
    for number in range(1200):
        make(top / f"{'stays' if number % 3 else 'goes'}-{number}")
    listing = Listing(top)
    found = [listing.next() for _ in range(100)]
    for number in range(0, 1200, 3):
        os.unlink(top / f"goes-{number}")
    found += listing.rest()
    listing.close()
    stays = [name for name in found if name and name.startswith("stays")]
    return [len(stays), len(set(stays)), len(os.listdir(top))]


@case
def a_listing_while_everything_is_removed(top: Path) -> object:
    """As rm does: read some, remove them, read on."""
    for number in range(1000):
        make(top / f"{number}")
    listing = Listing(top)
    removed = 0
    while (name := listing.next()) is not None:
        if name not in (".", ".."):
            os.unlink(top / name)
            removed += 1
    listing.close()
    return [removed, os.listdir(top)]


@case
def a_listing_while_names_come(top: Path) -> object:
    for number in range(500):
        make(top / f"old-{number}")
    listing = Listing(top)
    found = [listing.next() for _ in range(50)]
    for number in range(500):
        make(top / f"new-{number}")
        os.rename(top / f"old-{number}", top / f"old-{number}")
    found += listing.rest()
    old = [name for name in found if name and name.startswith("old")]
    listing.rewind()
    again = listing.rest()
    listing.close()
    return [len(old), len(set(old)), len(again), len(set(again))]


@case
def types_of_entries(top: Path) -> object:
    make(top / "f")
    (top / "d").mkdir()
    os.symlink("f", top / "l")
    os.mkfifo(top / "p")
    return sorted(
        [each.name, each.is_file(follow_symlinks=False), each.is_dir(), each.is_symlink()]
        for each in os.scandir(top)
    )


@case
def names_are_seen_at_once(top: Path) -> object:
    """What was looked up in vain is there once it is made, and gone once it is removed."""
    seen: list[object] = []
    for turn in range(50):
        seen.append(os.path.exists(top / "n"))
        make(top / "n", b"%d" % turn)
        seen.append((top / "n").read_bytes().decode())
        os.rename(top / "n", top / "m")
        seen += [os.path.exists(top / "n"), sorted(os.listdir(top))]
        os.unlink(top / "m")
    return seen
