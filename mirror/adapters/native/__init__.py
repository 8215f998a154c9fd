"""The C library as Python objects: the only importer of `mirror._native`.

Each method is one C function of native/mirror_native.h; a negative result is raised as the
OSError of its errno, a positive condition becomes a value. Calls that wait give the interpreter
lock away, so a thread may block in one while others run. Nothing is decided here.
"""

from mirror.adapters.native.host import (
    bind,
    block_hash,
    protect_process,
    sync_filesystem,
    unmount,
)
from mirror.adapters.native.link import Connection, Tls
from mirror.adapters.native.plane import Plane
from mirror.adapters.native.values import Copied, Counters, Entry, Hello, Look, PlaneEvent

__all__ = [
    "Connection",
    "Copied",
    "Counters",
    "Entry",
    "Hello",
    "Look",
    "Plane",
    "PlaneEvent",
    "Tls",
    "bind",
    "block_hash",
    "protect_process",
    "sync_filesystem",
    "unmount",
]
