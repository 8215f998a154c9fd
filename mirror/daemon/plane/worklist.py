"""Objects to be looked at, in the order they were found: millions fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mirror.adapters.native.values import HANDLE_BYTES, ID_BYTES

_HEAD_BYTES = 1 + 1 + ID_BYTES + 1


class Item(NamedTuple):
    """One object of the source. handle: padded, as the plane takes it.

    whole: its data too, not only its attributes.
    """

    root: int
    id: bytes
    handle: bytes
    whole: bool


class Worklist:
    """Packed: root, whole, identity, length of the handle, handle. One thread."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self.count = 0

    def add(self, root: int, identity: bytes, handle: bytes, *, whole: bool) -> None:
        """Append an object."""
        packed = handle.rstrip(b"\0")  # what is cut off is put back when read
        self._bytes += bytes((root, whole)) + identity + bytes((len(packed),)) + packed
        self.count += 1

    def __iter__(self) -> Iterator[Item]:
        """Every object, in order; what is added meanwhile is seen too."""
        at = 0
        while at < len(self._bytes):
            root, whole = self._bytes[at], bool(self._bytes[at + 1])
            identity = bytes(self._bytes[at + 2 : at + 2 + ID_BYTES])
            end = at + _HEAD_BYTES + self._bytes[at + 2 + ID_BYTES]
            handle = bytes(self._bytes[at + _HEAD_BYTES : end])
            yield Item(root, identity, handle.ljust(HANDLE_BYTES, b"\0"), whole)
            at = end
