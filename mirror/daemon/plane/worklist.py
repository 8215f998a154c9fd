"""Objects to be looked at, in the order they were found: millions fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mirror.adapters.native.values import HANDLE_BYTES, ID_BYTES

_WHOLE, _TRUSTED, _NEW = 1, 2, 4
_HEAD_BYTES = 1 + 1 + ID_BYTES + 1


class Item(NamedTuple):
    """One object of the source. handle: padded, as the plane takes it.

    whole: its data too, not only its attributes. trusted: neither its data nor its size.
    new: a small file that the target made for this reintegration; it holds nothing there.
    """

    root: int
    id: bytes
    handle: bytes
    whole: bool
    trusted: bool
    new: bool


class Worklist:
    """Packed: root, flags, identity, length of the handle, handle. One thread."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self.count = 0

    def add(
        self,
        root: int,
        identity: bytes,
        handle: bytes,
        *,
        whole: bool,
        trusted: bool = False,
        new: bool = False,
    ) -> None:
        """Append an object."""
        packed = handle.rstrip(b"\0")  # what is cut off is put back when read
        flags = whole * _WHOLE | trusted * _TRUSTED | new * _NEW
        self._bytes += bytes((root, flags)) + identity + bytes((len(packed),)) + packed
        self.count += 1

    def __iter__(self) -> Iterator[Item]:
        """Every object, in order; what is added meanwhile is seen too."""
        at = 0
        while at < len(self._bytes):
            root, flags = self._bytes[at], self._bytes[at + 1]
            identity = bytes(self._bytes[at + 2 : at + 2 + ID_BYTES])
            end = at + _HEAD_BYTES + self._bytes[at + 2 + ID_BYTES]
            handle = bytes(self._bytes[at + _HEAD_BYTES : end])
            yield Item(
                root,
                identity,
                handle.ljust(HANDLE_BYTES, b"\0"),
                bool(flags & _WHOLE),
                bool(flags & _TRUSTED),
                bool(flags & _NEW),
            )
            at = end
