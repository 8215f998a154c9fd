"""Mounts that are not the capture's, the process itself, and block hashes."""

from mirror._native import ffi, lib
from mirror.adapters.native.values import check


def bind(source: str, target: str, *, read_only: bool) -> None:
    """Bind a directory over another, privately."""
    check(lib.mnf_bind(source.encode(), target.encode(), int(read_only)), target)


def unmount(target: str, *, lazy: bool = False, force: bool = False) -> None:
    """Unmount. lazy: what is still used keeps it until then.

    force: a FUSE mount's connection is aborted first: what waits in it gets errors.
    """
    check(lib.mnf_unmount(target.encode(), int(lazy), int(force)), target)


def sync_filesystem(fd: int) -> None:
    """Write a file system back (syncfs) by any descriptor on it."""
    check(lib.mnf_sync(fd), "syncfs")


def protect_process() -> None:
    """Lock memory and keep the process from the OOM killer. Raises: OSError, the first failure."""
    check(lib.mnf_protect_process(), "process")


def block_hash(data: bytes) -> bytes:
    """XXH3-128 of a block, as the wire carries it."""
    out = ffi.new("uint8_t[16]")
    lib.mn_hash_block(data, len(data), out)
    return bytes(out)
