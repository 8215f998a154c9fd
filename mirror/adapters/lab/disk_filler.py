"""Fills the disk it runs on to the last block, and frees it: `disk_filler fill|free`."""

import errno
import os
import sys
from pathlib import Path

_FILL = Path("/.lab-fill")
_BLOCK_BYTES = 4096


def fill() -> None:
    """Take blocks by allocation without writing, in ever smaller pieces."""
    status = os.statvfs("/")
    piece = max(status.f_bfree * status.f_frsize, _BLOCK_BYTES)
    end = _FILL.stat().st_size if _FILL.exists() else 0
    with _FILL.open("ab") as file:
        while piece >= _BLOCK_BYTES:
            try:
                os.posix_fallocate(file.fileno(), end, piece)
                end += piece
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                piece = piece // 2 // _BLOCK_BYTES * _BLOCK_BYTES
        os.fsync(file.fileno())


def free() -> None:
    """Remove it; the blocks can be used at once (the journal has to be committed for that)."""
    _FILL.unlink(missing_ok=True)
    os.sync()


if __name__ == "__main__":
    {"fill": fill, "free": free}[sys.argv[1]]()
