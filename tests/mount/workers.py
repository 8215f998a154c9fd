"""Workers of the workload on a mount, each on a subtree of its own, in threads of this process.

Their performers are processes of their own: an application is never the process that serves it.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Self

from mirror.adapters.compare import digest_tree
from tests.workload import syscalls
from tests.workload.hand import ProcessHand
from tests.workload.tidy import unlock
from tests.workload.worker import Worker

DONE_S_MAX = 400.0  # on a machine that does other work too


class Crew:
    """One worker and one performer per seed, in `mount`/w0, w1 ..."""

    def __init__(self, mount: Path, logs: Path, seeds: list[int]) -> None:
        self.workers: list[Worker] = []
        self._tops: list[Path] = []
        self._hands: list[ProcessHand] = []
        self._mount = mount
        self._changed = threading.Condition()
        self._done = 0
        self._errors: list[BaseException] = []
        self._threads: list[threading.Thread] = []
        for number, seed in enumerate(seeds):
            top = mount / f"w{number}"
            top.mkdir(mode=0o755)
            self._tops.append(top)
            self.workers.append(Worker(seed, logs / f"log-{number}-{seed}"))
            self._hands.append(ProcessHand(top))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for hand in self._hands:
            hand.close()

    def start(self, count: int) -> None:
        """Let each perform so many operations."""
        self._done = 0
        self._threads = [
            threading.Thread(target=self._work, args=(worker, hand, count), daemon=True)
            for worker, hand in zip(self.workers, self._hands, strict=True)
        ]
        for thread in self._threads:
            thread.start()

    def _work(self, worker: Worker, hand: ProcessHand, count: int) -> None:
        try:
            for _ in range(count):
                worker.run(hand, 1)
                with self._changed:
                    self._done += 1
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - told by `finish`
            with self._changed:
                self._errors.append(error)
                self._changed.notify_all()

    def await_done(self, count: int) -> None:
        """Wait until all together have performed so many since `start`."""
        with self._changed:
            reached = self._changed.wait_for(
                lambda: self._errors or self._done >= count, DONE_S_MAX
            )
        assert reached, f"{self._done} of {count} operations in time"
        self._raise()

    def finish(self) -> None:
        """Wait until all are done. Raises what a worker raised: Wrong, HandLost."""
        for thread in self._threads:
            thread.join(DONE_S_MAX)
            assert not thread.is_alive(), "a worker hangs"
        self._raise()

    def run(self, count: int) -> None:
        """Start and finish."""
        self.start(count)
        self.finish()

    def _raise(self) -> None:
        if self._errors:
            raise self._errors[0]

    def verify(self, directory: Path) -> None:
        """What is below this directory, a mount or a lower one, is what the models say."""
        for number, worker in enumerate(self.workers):
            worker.verify(list(digest_tree(directory / f"w{number}")), str(directory))

    def write_back(self) -> None:
        """Wait until the kernel has handed over what it caches of the mount."""
        fd = os.open(self._mount, os.O_RDONLY | os.O_DIRECTORY)
        try:
            syscalls.syncfs(fd)
        finally:
            os.close(fd)

    @staticmethod
    def unlock(*lowers: Path) -> None:
        """So that the directories can be removed."""
        for lower in lowers:
            unlock(lower)
