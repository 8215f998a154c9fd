"""The application's clients: workers with models, who reach performers by the virtual address.

What a worker has heard is acknowledged, and must be there whatever happened to whom. Each works in
a directory of its own; what it had under way when its performer went is settled by looking.
"""

import errno
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from mirror.adapters.compare import Entry
from mirror.adapters.lab import plan
from mirror.adapters.lab.client import Lab
from tests.workload.hand import HandLost, LineHand
from tests.workload.operations import Operation, Outcome
from tests.workload.worker import Worker

TOP = f"{plan.REPLICATED_DIRECTORY}/work"
PORT = 7000
PID_FILE = "/run/workload.pid"
CONNECT_S_MAX = 120.0
ANSWER_S_MAX = 60.0
STOP_S_MAX = 3.0
# What a node that serves no more answers: the mount is dead, or its gate is closed, or it is gone
# and the read-only cover is there. Whether the operation happened is found out afterwards.
_GONE = (errno.ENOTCONN, errno.ESTALE, errno.ECONNABORTED, errno.EIO, errno.EROFS)


class LabHand(LineHand):
    """A performer of the node that holds the virtual address, called from the client's host."""

    def __init__(self, lab: Lab, directory: str) -> None:
        command = [sys.executable, "-m", "tests.workload.caller", plan.VIRTUAL_IP, str(PORT)]
        source = Path(__file__).parents[2]
        self._process = lab.popen(
            plan.CLIENT,
            ["env", f"PYTHONPATH={source}", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        super().__init__(self._process.stdin, self._process.stdout, ANSWER_S_MAX)
        try:
            self._operations.write(f"{directory}\n")
            self._operations.flush()
            said = [self._outcomes.readline() for _ in range(2)]
        except OSError:
            said = []
        if said != ["connected\n", "ready\n"]:
            self.close()
            raise HandLost("nobody serves at the virtual address")

    def perform(self, operation: Operation) -> Outcome:
        outcome = super().perform(operation)
        if outcome.get("errno") in _GONE:
            raise HandLost(f"{operation}: {outcome}")
        if operation["do"] == "write" and 0 <= outcome.get("ok", -1) < operation["length"]:
            # Of a call that the kernel cut in pieces, when the mount ends between two: then what
            # follows fails. Else a short write is wrong.
            self.perform({"do": "fsync", "slot": operation["slot"], "datasync": False})
        return outcome

    def close(self) -> None:
        """End the connection, whoever waits for an answer."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        for stream in (self._operations, self._outcomes):
            with suppress(OSError):
                stream.close()


class Member:
    """One worker, its directory, and its hand while it has one."""

    def __init__(self, lab: Lab, number: int, seed: int, log: Path) -> None:
        self.name = f"w{number}"
        self.worker = Worker(seed, log)
        self.error: BaseException | None = None
        self._lab = lab
        self._hand: LabHand | None = None
        self._lost = False
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def begin(self) -> None:
        """Work, with a connection that is there still or with a new one. Raises: HandLost."""
        deadline = time.monotonic() + CONNECT_S_MAX
        while self._hand is None:
            try:
                self._hand = LabHand(self._lab, self.name)
            except HandLost:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)  # nothing tells when somebody serves at an address
        self._stop.clear()
        self._thread = threading.Thread(target=self._work, args=(self._hand,), daemon=True)
        self._thread.start()

    def _work(self, hand: LabHand) -> None:
        try:
            while not self._stop.is_set():
                self.worker.run(hand, 1)
        except HandLost:
            self._lost = True
        except BaseException as error:  # noqa: BLE001 - told by `end`
            self.error = error

    def ask_to_end(self) -> None:
        """After the operation under way."""
        self._stop.set()

    def end(self) -> None:
        """Be done, or give the connection up. Raises what the work raised: Wrong."""
        if self._thread is not None:
            self._thread.join(STOP_S_MAX)
            if self._thread.is_alive():
                self._lost = True
                assert self._hand is not None
                self._hand.close()
            self._thread.join()
            self._thread = None
        if self._lost and self._hand is not None:
            self._hand.close()
            self._hand = None
        if self.error is not None:
            raise self.error

    @property
    def is_connected(self) -> bool:
        """True while a performer works for it."""
        return self._hand is not None

    def check(self, primary: str) -> str:
        """Compare with the mount of the primary. Raises: Wrong. Returns: how it was settled."""
        found = entries(self._lab, primary, f"{TOP}/{self.name}")
        if not self._lost:
            self.worker.verify(found, f"on {primary}")
            return "whole"
        self._lost = False
        return self.worker.resolve(found, lambda path: self._read(primary, path))

    def _read(self, host: str, path: str) -> bytes:
        command = ["cat", "--", f"{TOP}/{self.name}/{path}"]
        with self._lab.popen(host, command, stdout=subprocess.PIPE) as process:
            content, _ = process.communicate(timeout=60)
        assert process.returncode == 0, command
        return bytes(content)


def entries(lab: Lab, host: str, directory: str) -> list[Entry]:
    """What is there."""
    command = [sys.executable, "-m", "mirror.adapters.compare", directory]
    done = lab.exec(host, command, timeout_s=120)
    return [Entry.from_json(line) for line in done.stdout.splitlines()]


def performers(lab: Lab, host: str) -> int:
    """How many processes of the application run on a host."""
    done = lab.exec(host, ["pgrep", "-c", "-f", "tests[.]workload[.]performer"], check=False)
    return int(done.stdout or 0)
