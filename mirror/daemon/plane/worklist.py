"""Objects to be looked at wholly, in the order they were found: millions fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mirror.adapters.native.values import HANDLE_BYTES, ID_BYTES

_HEAD_BYTES = 1 + ID_BYTES + 1


class Item(NamedTuple):
    """One object of the source. handle: padded, as the plane takes it."""

    root: int
    id: bytes
    handle: bytes


class Worklist:
    """Packed: root, identity, length of the handle, handle. One thread."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self.count = 0

    def add(self, root: int, identity: bytes, handle: bytes) -> None:
        """Append an object."""
        packed = handle.rstrip(b"\0")  # what is cut off is put back when read
        self._bytes += bytes((root,)) + identity + bytes((len(packed),)) + packed
        self.count += 1

    def __iter__(self) -> Iterator[Item]:
        """Every object, in order; what is added meanwhile is seen too."""
        at = 0
        while at < len(self._bytes):
            root = self._bytes[at]
            identity = bytes(self._bytes[at + 1 : at + 1 + ID_BYTES])
            end = at + _HEAD_BYTES + self._bytes[at + 1 + ID_BYTES]
            handle = bytes(self._bytes[at + _HEAD_BYTES : end])
            yield Item(root, identity, handle.ljust(HANDLE_BYTES, b"\0"))
            at = end
