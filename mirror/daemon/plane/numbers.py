"""The hidden numbers of the replicated directories: what is known of each disk (design 8).

LOWER/.mirror/numbers.json:
    generation, checkpoint   a disk restored alone is recognised
    time_ns                  by the file system's own clock: every change before it is on both
                             nodes, or in an index
    clean                    the module was stopped in order at that time
    scan_due                 a scan for later changes began and has not ended
    edited                   a scan found changes made while stopped in order
    rules                    digest of what is not replicated, when everything above was true
    serves                   how often this node began to serve: what a reintegration left half
                             made before may hold what an application wrote
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirror.adapters.durable import write_into_reserve

if TYPE_CHECKING:
    from mirror.daemon.plane.directories import Directory

HIDDEN_NAME = ".mirror"
NUMBERS_NAME = "numbers.json"


@dataclass(frozen=True, slots=True)
class Numbers:
    """See the module. time_ns 0: never recorded."""

    generation: str = ""
    checkpoint: int = 0
    time_ns: int = 0
    clean: bool = False
    scan_due: bool = False
    edited: bool = False
    rules: str = ""
    serves: int = 0

    def write(self, lower: str) -> None:
        """Replace the file of a lower directory, durably, a full disk's too. Raises: OSError."""
        content = json.dumps(asdict(self)).encode()
        write_into_reserve(Path(lower) / HIDDEN_NAME / NUMBERS_NAME, content)

    @classmethod
    def read(cls, lower: str) -> Numbers:
        """Read the file of a lower directory; none, or one that cannot be read, tells nothing."""
        try:
            text = (Path(lower) / HIDDEN_NAME / NUMBERS_NAME).read_text(encoding="utf-8")
            values = json.loads(text)
            return cls(
                str(values["generation"]),
                int(values["checkpoint"]),
                int(values.get("time_ns", 0)),
                bool(values.get("clean", False)),
                bool(values.get("scan_due", False)),
                bool(values.get("edited", False)),
                str(values.get("rules", "")),
                int(values.get("serves", 0)),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls()


def filesystem_ns(lower: str) -> int:
    """Now, as the file system of a lower directory stamps changes. Raises: OSError.

    The hidden directory is touched rather than a file made: that needs no room.
    """
    hidden = Path(lower) / HIDDEN_NAME
    os.utime(hidden)
    return hidden.stat().st_ctime_ns


def filesystem_ns_after(lower: str) -> int:
    """A time later than the stamp of every change made so far. Raises: OSError.

    Stamps advance by ticks of some milliseconds, so the next one is awaited.
    """
    pause = threading.Event()  # never set
    begun_ns = filesystem_ns(lower)
    while (now_ns := filesystem_ns(lower)) == begun_ns:  # or earlier: somebody set the clock
        pause.wait(0.001)
    return now_ns


class HiddenNumbers:
    """The numbers of all directories of a module, and the only writer of them. Any thread."""

    def __init__(self, directories: Sequence[Directory]) -> None:
        self._lowers = [directory.lower for directory in directories]
        self._lock = threading.Lock()
        self._now = [Numbers.read(lower) for lower in self._lowers]

    def __len__(self) -> int:
        return len(self._lowers)

    def of(self, number: int) -> Numbers:
        """What stands for a directory now."""
        with self._lock:
            return self._now[number]

    def change(self, number: int, **values: Any) -> None:
        """Change some, durably; without a word when they stand already. Raises: OSError."""
        with self._lock:
            numbers = replace(self._now[number], **values)
            if numbers != self._now[number]:
                numbers.write(self._lowers[number])
                self._now[number] = numbers

    def record(self, generation: str, checkpoint: int) -> None:
        """Record the generation in every directory. Raises: OSError.

        Within a generation the checkpoint never goes back: a node that serves counts from its own
        process, and a number below the record's would look like a disk that was restored.
        """
        for number in range(len(self)):
            held = self.of(number)
            newest = max(checkpoint, held.checkpoint if held.generation == generation else 0)
            self.change(number, generation=generation, checkpoint=newest)

    def record_serving(self) -> None:
        """Record that this node serves from now on. Raises: OSError."""
        for number in range(len(self)):
            self.change(number, serves=self.of(number).serves + 1)

    def record_times(self, times_ns: Sequence[int]) -> None:
        """Everything before these times is where it must be. Raises: OSError."""
        for number, time_ns in enumerate(times_ns):
            self.change(number, time_ns=time_ns, clean=False)

    def adopted(self, number: int, rules: str) -> None:
        """A directory is used for the first time from now on. Raises: OSError."""
        now_ns = filesystem_ns(self._lowers[number])
        self.change(number, time_ns=now_ns, clean=False, scan_due=False, edited=False, rules=rules)

    def doubt(self) -> bool:
        """Nobody knows since when a directory agrees with the peer: a scan of all is due.

        Returns: whether anything was known of any. Raises: OSError.
        """
        known = [number for number in range(len(self)) if self.of(number) != Numbers()]
        for number in known:
            self.change(number, time_ns=0, scan_due=True)
        return bool(known)

    def times_ns(self) -> list[int]:
        """The time of each file system now. Raises: OSError."""
        return [filesystem_ns(lower) for lower in self._lowers]

    def record_stop(self) -> None:
        """The module is stopped in order: what comes later is somebody's edit. Raises: OSError."""
        for number, lower in enumerate(self._lowers):
            # A scan that has not ended goes on from the older time.
            if self.of(number).time_ns and not self.of(number).scan_due:
                self.change(number, time_ns=filesystem_ns_after(lower), clean=True)
