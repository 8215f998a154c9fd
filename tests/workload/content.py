"""Bytes of a sparse file, as the model keeps them: pages that were written, and a size."""

import functools
import hashlib

PAGE_BYTES = 4096
BLOCK_BYTES = 1 << 20  # as mirror.adapters.compare hashes
_PAGES_A_BLOCK = BLOCK_BYTES // PAGE_BYTES


class Content:
    """What a file holds. Holes and zeros are the same here; the comparison of disks tells them."""

    def __init__(self) -> None:
        self.size = 0
        self._pages: dict[int, bytearray] = {}

    def read(self, offset: int, length: int) -> bytes:
        """As pread: short at the end of the file."""
        end = min(self.size, offset + length)
        parts = []
        while offset < end:
            at = offset % PAGE_BYTES
            take = min(PAGE_BYTES - at, end - offset)
            page = self._pages.get(offset // PAGE_BYTES)
            parts.append(bytes(take) if page is None else bytes(page[at : at + take]))
            offset += take
        return b"".join(parts)

    def write(self, offset: int, data: bytes) -> None:
        """As pwrite: the file grows when it must."""
        done = 0
        while done < len(data):
            at = (offset + done) % PAGE_BYTES
            take = min(PAGE_BYTES - at, len(data) - done)
            number = (offset + done) // PAGE_BYTES
            page = self._pages.setdefault(number, bytearray(PAGE_BYTES))
            page[at : at + take] = data[done : done + take]
            done += take
        if data:
            self.size = max(self.size, offset + len(data))

    def zero(self, offset: int, length: int) -> None:
        """Zeros within the file; the size stays."""
        end = min(self.size, offset + length)
        for number in [n for n in self._pages if offset // PAGE_BYTES <= n <= end // PAGE_BYTES]:
            start = max(offset - number * PAGE_BYTES, 0)
            stop = min(end - number * PAGE_BYTES, PAGE_BYTES)
            if start < stop:
                self._pages[number][start:stop] = bytes(stop - start)

    def resize(self, size: int) -> None:
        """As ftruncate."""
        if size < self.size:
            self.zero(size, self.size - size)
            self._pages = {n: page for n, page in self._pages.items() if n * PAGE_BYTES < size}
        self.size = size

    def grow(self, size: int) -> None:
        """At least this size."""
        self.size = max(self.size, size)

    def digests(self) -> tuple[str, ...]:
        """As mirror.adapters.compare gives them."""
        filled = {number // _PAGES_A_BLOCK for number in self._pages}
        found = []
        for offset in range(0, self.size, BLOCK_BYTES):
            length = min(BLOCK_BYTES, self.size - offset)
            if offset // BLOCK_BYTES in filled:
                found.append(_digest(self.read(offset, length)))
            else:
                found.append(_digest_of_zeros(length))
        return tuple(found)


def _digest(block: bytes) -> str:
    return hashlib.blake2b(block, digest_size=16).hexdigest()


@functools.lru_cache(maxsize=64)
def _digest_of_zeros(length: int) -> str:
    return _digest(bytes(length))
