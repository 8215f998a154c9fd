"""What lies in some directories, for people who must say which copy is the right one.

`python -m mirror.adapters.data_facts SECONDS LISTED_MAX DIR...`, run as a program with a time
limit: a directory may be on a mount that does not answer. Prints JSON, one object a directory:
how many files, how many bytes, the newest ones, and at most LISTED_MAX entries by name. Names,
sizes and times only, never a content. What SECONDS did not suffice for is said (`complete`).
"""

import heapq
import json
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from mirror.adapters import clock

HIDDEN = ".mirror"  # of the engine, at the top of a lower directory
NEWEST_SHOWN = 5
US_PER_NS = 1000
CHECK_EVERY = 256  # entries between two looks at the clock

Entry = tuple[str, int, int]  # path beneath the directory, bytes, changed_us


@dataclass(slots=True)
class DataFacts:
    """One directory. error, errno: "" or why nothing is seen. complete: everything was counted.

    listed: entries by path, cut at the maximum; `listed_all` tells whether it was.
    """

    path: str
    error: str = ""
    errno: int = 0
    files: int = 0
    bytes: int = 0
    empty: bool = True
    complete: bool = True
    newest: list[Entry] = field(default_factory=list)
    listed: list[Entry] = field(default_factory=list)
    listed_all: bool = True


def look(path: str, end_ms: int, listed_max: int) -> DataFacts:
    """Count one directory until end_ms (monotonic)."""
    facts = DataFacts(path)
    newest: list[tuple[int, str, int]] = []
    try:
        for number, (name, size, changed_us) in enumerate(_files(path)):
            if number % CHECK_EVERY == 0 and clock.monotonic_ms() > end_ms:
                facts.complete = facts.listed_all = False
                break
            facts.empty = False
            facts.files += 1
            facts.bytes += size
            if len(facts.listed) < listed_max:
                facts.listed.append((name, size, changed_us))
            else:
                facts.listed_all = False
            push = heapq.heappush if len(newest) < NEWEST_SHOWN else heapq.heappushpop
            push(newest, (changed_us, name, size))
    except OSError as error:
        facts.error, facts.errno = error.strerror or str(error), error.errno or 0
        facts.complete = facts.listed_all = False
    facts.newest = [(name, size, changed_us) for changed_us, name, size in sorted(newest)[::-1]]
    return facts


def _files(top: str) -> Iterator[Entry]:
    """Every file, symbolic link and other non-directory beneath, each directory in order."""
    pending = [""]
    while pending:
        directory = pending.pop()
        with os.scandir(os.path.join(top, directory)) as found:  # noqa: PTH118 - starts fast
            entries = sorted(found, key=lambda one: one.name)
        for entry in entries:
            if not directory and entry.name == HIDDEN:
                continue
            name = f"{directory}/{entry.name}" if directory else entry.name
            if entry.is_dir(follow_symlinks=False):
                pending.append(name)
                continue
            try:
                facts = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # it went while we looked
            size = facts.st_size if stat.S_ISREG(facts.st_mode) else 0
            yield _shown(name), size, facts.st_mtime_ns // US_PER_NS


def _shown(name: str) -> str:
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def main(arguments: list[str]) -> None:
    """See the module."""
    end_ms = clock.monotonic_ms() + int(float(arguments[0]) * 1000)
    found = [asdict(look(path, end_ms, int(arguments[1]))) for path in arguments[2:]]
    print(json.dumps(found))  # noqa: T201 - its answer


if __name__ == "__main__":
    main(sys.argv[1:])
