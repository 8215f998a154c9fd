"""A program whose system gives two threads for a mount: the watch and one worker."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

from mirror.adapters import native
from tests.mount.pair import AWAIT_MS, make_plane

STACK_BYTES = 1 << 30  # of each thread, by prlimit: what the address space has room for is counted
WORKERS = 4


def main(directory: Path) -> None:
    mount = directory / "mount"
    mount.mkdir()
    plane = make_plane(directory)
    plane.root_add(str(directory / "lower"))
    plane.root_adopt(0, plane.identity_new())
    plane.capture_create(WORKERS, writeback=False, sync_both=False)
    others = plane.connections_needed()
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    unlimited = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + 5 * STACK_BYTES // 2, unlimited[1]))
    plane.capture_mount(0, str(mount))
    resource.setrlimit(resource.RLIMIT_AS, unlimited)
    plane.open_gate()
    (mount / "file").write_bytes(b"content")
    print(plane.connections_needed() - others, sorted(os.listdir(mount)))
    plane.close_gate(AWAIT_MS)
    native.unmount(str(mount), lazy=False, force=False)
    plane.capture_mount_end(0)
    plane.destroy()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
