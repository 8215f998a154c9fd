"""LOWER/.mirror/checkpoint: how far checkpoints came on a disk; C writes it, this reads it."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from mirror.core.reintegration.marks import Mark
from mirror.daemon.plane.numbers import HIDDEN_NAME

MARK_NAME = "checkpoint"
_LAYOUT = struct.Struct("<QQ")


def read_mark(lower: str) -> Mark:
    """Read the mark of a lower directory; none, or half of one, says nothing. Raises: OSError."""
    try:
        found = (Path(lower) / HIDDEN_NAME / MARK_NAME).read_bytes()
    except FileNotFoundError:
        return Mark()
    return Mark(*_LAYOUT.unpack(found)) if len(found) == _LAYOUT.size else Mark()


def reserve_mark(lower: str, *, anew: bool = False) -> None:
    """See to it that a checkpoint finds room for its mark on a full disk. Raises: OSError.

    anew: what an earlier pair marked there counts no more.
    """
    fd = os.open(Path(lower) / HIDDEN_NAME / MARK_NAME, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        if anew or os.fstat(fd).st_size != _LAYOUT.size:
            os.pwrite(fd, _LAYOUT.pack(0, 0), 0)
            os.fsync(fd)
    finally:
        os.close(fd)
