"""Takes a tree away whatever its flags say."""

import os
import stat
from pathlib import Path

from tests.workload import syscalls


def unlock(top: Path) -> None:
    """Clear the immutable and append flags of every file below `top`; paths may be long."""
    _unlock(os.open(top, os.O_RDONLY | os.O_DIRECTORY))


def _unlock(directory: int) -> None:
    try:
        for name in os.listdir(directory):
            mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
            flags = os.O_RDONLY | os.O_NOFOLLOW
            if stat.S_ISREG(mode):
                fd = os.open(name, flags, dir_fd=directory)
                if syscalls.get_flags(fd) & (syscalls.FLAG_IMMUTABLE | syscalls.FLAG_APPEND):
                    syscalls.set_flags(fd, 0)
                os.close(fd)
            elif stat.S_ISDIR(mode):
                _unlock(os.open(name, flags | os.O_DIRECTORY, dir_fd=directory))
    finally:
        os.close(directory)
