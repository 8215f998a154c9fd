"""A process that does what it is told, by ordinary system calls, and says what came of it.

    python -m tests.workload.performer DIRECTORY            operations on stdin, outcomes on stdout
    python -m tests.workload.performer DIRECTORY --port N --pid-file FILE
                                                            the same for each connection

One operation a line, one outcome a line, in order: an outcome is the acknowledgement. A connection
has its own open files, which are closed when it ends. Nothing is repeated and nothing is retried.
"""

import argparse
import json
import mmap
import os
import signal
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from tests.workload import syscalls
from tests.workload.operations import Operation, Outcome, digest, pattern, user_of

_CHUNK_BYTES = 3000  # of a path, safely below PATH_MAX
_PATH = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
# The model knows no permissions: these let an ordinary user's call pass them, and change nothing
# in what the call does.
_DAC_OVERRIDE, _DAC_READ_SEARCH, _FOWNER = 1, 2, 3
_HELD = (_DAC_OVERRIDE, _DAC_READ_SEARCH, _FOWNER)


class Performer:
    """The operations; `_name` does operation `name`."""

    def __init__(self, top: Path) -> None:
        self._top = os.open(top, _PATH | os.O_DIRECTORY)
        self._slots: dict[int, int] = {}
        self._direct: set[int] = set()

    def close(self) -> None:
        """Close what is open."""
        for fd in [*self._slots.values(), self._top]:
            os.close(fd)
        self._slots.clear()

    def perform(self, operation: Operation) -> Outcome:
        """Do it; an errno is an outcome like any other."""
        doing: Callable[[Operation], object] = getattr(self, f"_{operation['do']}")
        user = user_of(operation)
        os.umask(operation.get("umask", 0o022))
        if user != (0, 0):
            syscalls.act_as(*user, _HELD)
        try:
            return {"ok": doing(operation)}
        except OSError as error:
            return {"errno": error.errno}
        finally:
            if user != (0, 0):
                syscalls.act_as(0, 0, ())

    # Where.

    def _at(self, path: str) -> tuple[int, str]:
        """A descriptor of the directory, to be closed by the caller, and the name in it."""
        parts = path.split("/")
        fd = os.dup(self._top)
        while len(parts) > 1:
            step = 1
            while step < len(parts) - 1 and len("/".join(parts[: step + 1])) < _CHUNK_BYTES:
                step += 1
            below = "/".join(parts[:step])
            try:
                deeper = os.open(below, _PATH | os.O_DIRECTORY, dir_fd=fd)
            finally:
                os.close(fd)
            fd, parts = deeper, parts[step:]
        return fd, parts[0]

    def _in(self, operation: Operation, act: Callable[[int, str], Any]) -> Any:
        fd, name = self._at(operation["path"])
        try:
            return act(fd, name)
        finally:
            os.close(fd)

    def _by_path(self, operation: Operation, act: Callable[[str], Any]) -> Any:
        """For calls that know no directory descriptor."""
        return self._in(operation, lambda fd, name: act(f"/proc/self/fd/{fd}/{name}"))

    # Names.

    def _mkdir(self, op: Operation) -> None:
        self._in(op, lambda fd, name: os.mkdir(name, op["mode"], dir_fd=fd))

    def _mknod(self, op: Operation) -> None:
        self._in(op, lambda fd, name: os.mknod(name, op["mode"], op["rdev"], dir_fd=fd))

    def _symlink(self, op: Operation) -> None:
        self._in(op, lambda fd, name: os.symlink(op["target"], name, dir_fd=fd))

    def _unlink(self, op: Operation) -> None:
        self._in(op, lambda fd, name: os.unlink(name, dir_fd=fd))

    def _rmdir(self, op: Operation) -> None:
        self._in(op, lambda fd, name: os.rmdir(name, dir_fd=fd))

    def _link(self, op: Operation) -> None:
        to_fd, to = self._at(op["to"])
        try:
            self._in(
                op,
                lambda fd, name: os.link(
                    name, to, src_dir_fd=fd, dst_dir_fd=to_fd, follow_symlinks=False
                ),
            )
        finally:
            os.close(to_fd)

    def _rename(self, op: Operation) -> None:
        to_fd, to = self._at(op["to"])
        try:
            self._in(op, lambda fd, name: syscalls.rename(fd, name, to_fd, to, op["flags"]))
        finally:
            os.close(to_fd)

    # Open files.

    def _open(self, op: Operation) -> None:
        flags = os.O_CLOEXEC | os.O_NOFOLLOW
        for flag in op["flags"]:
            flags |= getattr(os, flag)
        slot = op["slot"]
        self._slots[slot] = self._in(
            op, lambda fd, name: os.open(name, flags, op["mode"], dir_fd=fd)
        )
        if flags & os.O_DIRECT:
            self._direct.add(slot)

    def _close(self, op: Operation) -> None:
        self._direct.discard(op["slot"])
        os.close(self._slots.pop(op["slot"]))

    def _write(self, op: Operation) -> int:
        data = pattern(op["tag"], op["length"])
        fd = self._slots[op["slot"]]
        if op["slot"] not in self._direct:
            return os.pwrite(fd, data, op["offset"])
        with mmap.mmap(-1, max(len(data), 1)) as aligned:
            aligned[:] = data
            return os.pwrite(fd, aligned, op["offset"])

    def _read(self, op: Operation) -> str:
        fd = self._slots[op["slot"]]
        if op["slot"] not in self._direct:
            return digest(os.pread(fd, op["length"], op["offset"]))
        with mmap.mmap(-1, max(op["length"], 1)) as aligned:
            return digest(aligned[: os.preadv(fd, [aligned], op["offset"])])

    def _truncate(self, op: Operation) -> None:
        self._by_path(op, lambda path: os.truncate(path, op["size"]))

    def _ftruncate(self, op: Operation) -> None:
        os.ftruncate(self._slots[op["slot"]], op["size"])

    def _fallocate(self, op: Operation) -> None:
        fd = self._slots[op["slot"]]
        syscalls.fallocate(fd, op["mode"], op["offset"], op["length"])

    def _copy(self, op: Operation) -> int:
        source, target = self._slots[op["slot"]], self._slots[op["to_slot"]]
        done = 0
        while done < op["length"]:
            copied = os.copy_file_range(
                source, target, op["length"] - done, op["offset"] + done, op["to_offset"] + done
            )
            if copied == 0:
                break
            done += copied
        return done

    def _map(self, op: Operation) -> None:
        """Store through a shared mapping, then msync."""
        start = op["offset"] - op["offset"] % mmap.ALLOCATIONGRANULARITY
        at = op["offset"] - start
        length = at + op["length"]
        with mmap.mmap(self._slots[op["slot"]], length, offset=start) as mapped:
            mapped[at:] = pattern(op["tag"], op["length"])
            mapped.flush()

    def _fsync(self, op: Operation) -> None:
        (os.fdatasync if op["datasync"] else os.fsync)(self._slots[op["slot"]])

    # Attributes.

    def _chmod(self, op: Operation) -> None:
        self._by_path(op, lambda path: os.chmod(path, op["mode"]))

    def _fchmod(self, op: Operation) -> None:
        os.fchmod(self._slots[op["slot"]], op["mode"])

    def _chown(self, op: Operation) -> None:
        self._in(
            op,
            lambda fd, name: os.chown(
                name, op["uid"], op["gid"], dir_fd=fd, follow_symlinks=False
            ),
        )

    def _utimens(self, op: Operation) -> None:
        times = (op["atime_ns"], op["mtime_ns"])
        self._in(op, lambda fd, name: os.utime(name, ns=times, dir_fd=fd, follow_symlinks=False))

    def _setxattr(self, op: Operation) -> None:
        value = bytes.fromhex(op["value"])
        self._by_path(
            op,
            lambda path: os.setxattr(path, op["name"], value, op["flags"], follow_symlinks=False),
        )

    def _removexattr(self, op: Operation) -> None:
        self._by_path(op, lambda path: os.removexattr(path, op["name"], follow_symlinks=False))

    def _getxattr(self, op: Operation) -> str:
        value: bytes = self._by_path(
            op, lambda path: os.getxattr(path, op["name"], follow_symlinks=False)
        )
        return value.hex()

    def _listxattr(self, op: Operation) -> list[str]:
        names = self._by_path(op, lambda path: os.listxattr(path, follow_symlinks=False))
        return sorted(names)

    def _setflags(self, op: Operation) -> None:
        self._with_file(op, lambda fd: syscalls.set_flags(fd, op["flags"]))

    def _with_file(self, op: Operation, act: Callable[[int], Any]) -> Any:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        opened = self._in(op, lambda fd, name: os.open(name, flags, dir_fd=fd))
        try:
            return act(opened)
        finally:
            os.close(opened)

    # Looking.

    def _stat(self, op: Operation) -> dict[str, int]:
        found = self._in(op, lambda fd, name: os.stat(name, dir_fd=fd, follow_symlinks=False))
        return _described(found)

    def _fstat(self, op: Operation) -> dict[str, int]:
        return _described(os.fstat(self._slots[op["slot"]]))

    def _list(self, op: Operation) -> list[str]:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        opened = self._in(op, lambda fd, name: os.open(name, flags, dir_fd=fd))
        try:
            return sorted(os.listdir(opened))
        finally:
            os.close(opened)

    def _readlink(self, op: Operation) -> str:
        target: str = self._in(op, lambda fd, name: os.readlink(name, dir_fd=fd))
        return target

    def _syncdir(self, op: Operation) -> None:
        self._with_file(op, os.fsync)


def _described(found: os.stat_result) -> dict[str, int]:
    kind = stat.S_IFMT(found.st_mode)
    with_size = kind in (stat.S_IFREG, stat.S_IFLNK)
    return {
        "mode": found.st_mode,
        "uid": found.st_uid,
        "gid": found.st_gid,
        "names": found.st_nlink,
        "size": found.st_size if with_size else 0,
        "rdev": found.st_rdev if kind in (stat.S_IFCHR, stat.S_IFBLK) else 0,
        "mtime_ns": found.st_mtime_ns,
    }


def serve(top: Path, operations: IO[str], outcomes: IO[str]) -> None:
    """Perform one operation a line until there are no more."""
    performer = Performer(top)
    try:
        for line in operations:
            outcomes.write(json.dumps(performer.perform(json.loads(line))) + "\n")
            outcomes.flush()
    except (BrokenPipeError, ConnectionResetError):
        pass  # nobody hears the outcomes any more
    finally:
        performer.close()


def _serve_connection(top: Path, listener: socket.socket, connection: socket.socket) -> None:
    # Each with a process of its own: credentials, umask and open files are a process's. The first
    # line says where below `top` it works.
    if os.fork() == 0:
        listener.close()
        with connection, connection.makefile("r") as operations, connection.makefile("w") as out:
            below = top / operations.readline().strip()
            below.mkdir(exist_ok=True)
            out.write("ready\n")
            out.flush()
            serve(below, operations, out)
        os._exit(0)
    connection.close()


def listen(top: Path, port: int, pid_file: Path) -> None:
    """Perform for every connection, in the background; returns when it listens.

    All of its processes are one group, whose number is in pid_file.
    """
    top.mkdir(exist_ok=True)
    listener = socket.create_server(("", port), family=socket.AF_INET)
    if (child := os.fork()) != 0:
        pid_file.write_text(f"{child}\n")
        return
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who perform
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _serve_connection(top, listener, connection)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="performer")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--port", type=int)
    parser.add_argument("--pid-file", type=Path)
    arguments = parser.parse_args()
    os.setgroups([])  # the model knows one group of each user
    if arguments.port is None:
        serve(arguments.directory, sys.stdin, sys.stdout)
    else:
        listen(arguments.directory, arguments.port, arguments.pid_file)


if __name__ == "__main__":
    main()
