"""Looks into one directory for the console: `python -m mirror.adapters.directory_names PATH`.

Run as a program with a time limit, because a directory may be on a mount that does not answer.
Prints JSON: names of directories (never of files, and never a content), the filesystem, its free
space, and what speaks against replicating it. It imports little, to start fast.
"""

import json
import os
import stat
import sys
from dataclasses import asdict, dataclass

NAMES_MAX = 1000
# A code of vocabulary/said_web.py, and its facts: whoever asks has the sentences.
Warned = tuple[str, dict[str, str]]
MOUNT_TABLE = "/proc/self/mountinfo"
# What a replicated directory can lie on (README): others lack file handles or extended attributes.
FILESYSTEMS = ("ext4", "xfs", "btrfs")
# The system's own: covered by a mount, the host would not come up, or would not be itself.
OF_THE_SYSTEM = ("/", "/bin", "/boot", "/dev", "/etc", "/lib", "/proc", "/run", "/sbin", "/sys")
OF_THE_SYSTEM_EXACTLY = ("/home", "/opt", "/root", "/srv", "/usr", "/var", "/var/lib")


@dataclass(frozen=True, slots=True)
class DirectoryNames:
    """What is seen. error, errno: "" and 0, or why nothing is. names: NAMES_MAX at most."""

    path: str
    parent: str
    names: tuple[str, ...] = ()
    more: bool = False
    filesystem: str = ""
    bytes_total: int = 0
    bytes_free: int = 0
    empty: bool = True
    warnings: tuple[Warned, ...] = ()
    error: str = ""
    errno: int = 0


def look(path: str, own: tuple[str, ...] = ()) -> DirectoryNames:
    """Look at one absolute directory. own: SAFE and SAFEVAR, which cannot be replicated."""
    path = os.path.normpath(path)
    parent = os.path.dirname(path)  # noqa: PTH120 - pathlib is not imported, to start fast
    try:
        names: list[str] = []
        empty = True
        with os.scandir(path) as entries:
            for entry in entries:
                empty = False
                if entry.is_dir(follow_symlinks=False):
                    names.append(entry.name)
        space = os.statvfs(path)
        facts = os.lstat(path)
    except OSError as error:
        return DirectoryNames(
            path, parent, error=error.strerror or str(error), errno=error.errno or 0
        )
    filesystem, beneath = _mounts(path)
    names.sort()
    return DirectoryNames(
        path=path,
        parent=parent,
        names=tuple(name for name in names if name.isprintable())[:NAMES_MAX],
        more=len(names) > NAMES_MAX,
        filesystem=filesystem,
        bytes_total=space.f_blocks * space.f_frsize,
        bytes_free=space.f_bavail * space.f_frsize,
        empty=empty,
        warnings=tuple(_warnings(path, facts, filesystem, beneath, own)),
    )


def _warnings(
    path: str, facts: os.stat_result, filesystem: str, beneath: list[str], own: tuple[str, ...]
) -> list[Warned]:
    found: list[Warned] = []
    inside = any(path == one or path.startswith(one + "/") for one in OF_THE_SYSTEM if one != "/")
    if path == "/" or path in OF_THE_SYSTEM_EXACTLY or inside:
        found.append(("directory.system", {}))
    if stat.S_ISLNK(facts.st_mode):
        found.append(("directory.link", {}))
    if filesystem not in FILESYSTEMS:
        kind = ("directory.filesystem", {"filesystem": filesystem})
        found.append(kind if filesystem else ("directory.unknown", {}))
    found += [("directory.mounted", {"point": point}) for point in beneath]
    for one in own:
        if path == one or path.startswith(one + "/") or one.startswith(path.rstrip("/") + "/"):
            found.append(("directory.own", {"own": one}))
    return found


def _mounts(path: str) -> tuple[str, list[str]]:
    """The filesystem that the path lies on, and the mount points beneath it."""
    best, filesystem, beneath = "", "", []
    with open(MOUNT_TABLE, encoding="utf-8", errors="surrogateescape") as table:  # noqa: PTH123
        for line in table:
            head, _, tail = line.partition(" - ")
            point = head.split(" ")[4].replace("\\040", " ")
            prefix = point.rstrip("/") + "/"
            if (path + "/").startswith(prefix) and len(prefix) >= len(best):
                best, filesystem = prefix, tail.split(" ")[0]
            elif point.startswith(path.rstrip("/") + "/"):
                beneath.append(point)
    return filesystem, beneath[:10]


if __name__ == "__main__":
    print(json.dumps(asdict(look(sys.argv[1], tuple(sys.argv[2:])))))  # noqa: T201 - its answer
