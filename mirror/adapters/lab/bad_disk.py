"""A disk that can fail: serves an image as a file over FUSE, to be the backing of a loop device.

`python -m mirror.adapters.lab.bad_disk IMAGE MOUNT_POINT PARENT_PID`. Commands come as lines on
its standard input (`heal`, `error`, `slow MS`, `hang`, `unread OFFSET SIZE`), each answered by a
line when it is in force. One request at a time, as a disk without a queue; the speed of Python is
enough, since a loop device asks for many blocks at once. It dies with its parent, and the disk
with it.

The numbers and layouts are those of the kernel's linux/fuse.h, protocol 7.31.
"""

import errno
import mmap
import os
import select
import stat
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

from mirror.adapters.lab import linux

FILE_NAME = "disk.img"

_ROOT, _FILE = 1, 2  # node ids
_FOREVER_S = 1 << 32
_WRITE_BYTES_MAX = 1 << 20
_REQUEST_BYTES_MAX = _WRITE_BYTES_MAX + 4096
_IN_HEADER = struct.Struct("=IIQQIIIHH")
_OUT_HEADER = struct.Struct("=IiQ")
_ATTRIBUTES = struct.Struct("=QQQQQQIIIIIIIIII")
_ENTRY = struct.Struct("=QQQQII")
_INIT_OUT = struct.Struct("=IIIIHHIIHHIIIIIIII")
_BIG_WRITES, _MAX_PAGES, _DIRECT_IO = 1 << 5, 1 << 22, 1

_LOOKUP, _FORGET, _GETATTR, _OPEN, _READ, _WRITE, _STATFS = 1, 2, 3, 14, 15, 16, 17
_RELEASE, _FSYNC, _FLUSH, _INIT, _INTERRUPT, _DESTROY = 18, 20, 25, 26, 36, 38
_BATCH_FORGET, _FALLOCATE = 42, 43
_UNANSWERED = (_FORGET, _BATCH_FORGET, _INTERRUPT)
# What a broken disk refuses; looking at the file is not done by the disk.
_OF_THE_DISK = (_READ, _WRITE, _FSYNC, _FALLOCATE)
_KEEP_SIZE_PUNCH_HOLE = 3


class BadDisk:
    """Answers the requests of one mount. mode: "good", "error", "slow", "hang" or "unread"."""

    def __init__(self, image: int, device: int) -> None:
        self._image = image
        self._device = device
        self._mode = "good"
        self._delay_s = 0.0
        self._unread = range(0)
        self._answers: dict[int, Callable[[int, bytes], bytes]] = {
            _INIT: self._init,
            _LOOKUP: self._lookup,
            _GETATTR: self._getattr,
            _OPEN: lambda _node, _body: struct.pack("=QII", 0, _DIRECT_IO, 0),
            _READ: self._read,
            _WRITE: self._write,
            _FSYNC: self._fsync,
            _FALLOCATE: self._fallocate,
            _STATFS: lambda _node, _body: bytes(80),
            _RELEASE: lambda _node, _body: b"",
            _FLUSH: lambda _node, _body: b"",
            _DESTROY: lambda _node, _body: b"",
        }

    def command(self, line: str) -> None:
        """Change the mode: heal, error, slow MS, hang, unread OFFSET SIZE (bad sectors there)."""
        word, *numbers = line.split()
        self._mode = {"heal": "good"}.get(word, word)
        self._delay_s = int(numbers[0]) / 1000 if word == "slow" else 0.0
        offset, size = map(int, numbers) if word == "unread" else (0, 0)
        self._unread = range(offset, offset + size)

    def serves(self) -> bool:
        """False while it hangs: then nothing must be read from the device."""
        return self._mode != "hang"

    def answer_one(self) -> None:
        """Read one request and answer it. Raises OSError (ENODEV) after the unmount."""
        request = os.read(self._device, _REQUEST_BYTES_MAX)
        _, opcode, unique, node, *_ = _IN_HEADER.unpack_from(request)
        if opcode in _UNANSWERED:
            return
        try:
            body = self._perform(opcode, node, request[_IN_HEADER.size :])
            head = _OUT_HEADER.pack(_OUT_HEADER.size + len(body), 0, unique)
        except OSError as error:
            body = b""
            head = _OUT_HEADER.pack(_OUT_HEADER.size, -(error.errno or errno.EIO), unique)
        os.writev(self._device, (head, body))

    def _perform(self, opcode: int, node: int, body: bytes) -> bytes:
        if opcode in _OF_THE_DISK:
            time.sleep(self._delay_s)
            if self._mode == "error":
                raise OSError(errno.EIO, "as asked")
        if opcode not in self._answers:
            raise OSError(errno.ENOSYS, "not of a disk")
        return self._answers[opcode](node, body)

    def _init(self, _node: int, _body: bytes) -> bytes:
        flags = _BIG_WRITES | _MAX_PAGES
        pages = _WRITE_BYTES_MAX // mmap.PAGESIZE
        sizes = (16, 12, _WRITE_BYTES_MAX, 1, pages, 0, *[0] * 8)
        return _INIT_OUT.pack(7, 31, 0, flags, *sizes)

    def _lookup(self, _node: int, body: bytes) -> bytes:
        if body.rstrip(b"\0") != FILE_NAME.encode():
            raise FileNotFoundError(errno.ENOENT, "only one file")
        return _ENTRY.pack(_FILE, 0, _FOREVER_S, _FOREVER_S, 0, 0) + self._attributes(_FILE)

    def _getattr(self, node: int, _body: bytes) -> bytes:
        return struct.pack("=QII", _FOREVER_S, 0, 0) + self._attributes(node)

    def _attributes(self, node: int) -> bytes:
        status = os.fstat(self._image)
        mode = stat.S_IFREG | 0o600 if node == _FILE else stat.S_IFDIR | 0o700
        size = status.st_size if node == _FILE else 0
        return _ATTRIBUTES.pack(
            node, size, status.st_blocks, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0
        )

    def _read(self, _node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("=QQI", body)
        if offset < self._unread.stop and self._unread.start < offset + size:
            raise OSError(errno.EIO, "as asked")
        return os.pread(self._image, size, offset)

    def _write(self, _node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("=QQI", body)
        return struct.pack(
            "=II", os.pwrite(self._image, memoryview(body)[40 : 40 + size], offset), 0
        )

    def _fsync(self, _node: int, _body: bytes) -> bytes:
        os.fdatasync(self._image)
        return b""

    def _fallocate(self, _node: int, body: bytes) -> bytes:
        _, offset, length, mode = struct.unpack_from("=QQQI", body)
        if mode != _KEEP_SIZE_PUNCH_HOLE:
            raise OSError(errno.EOPNOTSUPP, "only discards")
        linux.punch_hole(self._image, offset, length)
        return b""


def main() -> None:
    """Mount, say so, serve until the end of the commands or of the mount."""
    image_path, mount_point, parent = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    linux.die_with_parent()
    if os.getppid() != parent:
        sys.exit(1)
    linux.set_name("lab-disk")
    image = os.open(image_path, os.O_RDWR | os.O_CLOEXEC)
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0"
    linux.mount("mirror-lab-disk", mount_point, "fuse", 0, options)
    disk = BadDisk(image, device)
    os.write(1, b"mounted\n")
    while True:
        watched = [0, device] if disk.serves() else [0]
        ready, _, _ = select.select(watched, [], [])
        if 0 in ready:
            commands = os.read(0, 4096).decode()
            if not commands:
                break
            for line in commands.splitlines():
                disk.command(line)
                os.write(1, b"done\n")
        elif device in ready:
            try:
                disk.answer_one()
            except OSError as error:
                if error.errno == errno.ENODEV:
                    break
                if error.errno not in (errno.ENOENT, errno.EINTR, errno.EAGAIN):
                    raise  # ENOENT: the asker was killed before it got the answer


if __name__ == "__main__":
    main()
