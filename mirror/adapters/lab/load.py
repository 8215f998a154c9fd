"""The client host of a lab at work: the ledger, and pgbench beside it, through the virtual IP."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields
from types import TracebackType
from typing import Any, Self

from mirror.adapters.lab import plan
from mirror.adapters.lab.client import Lab
from mirror.adapters.lab.ledger_book import Verdict
from mirror.errors import DemoFailed

BOOK = "/tmp/ledger.book"  # noqa: S108 - on the client's own disk
_PGBENCH_LOG = "/tmp/pgbench.log"  # noqa: S108
_LEDGER = "mirror.adapters.lab.ledger"
_VERIFY_S = 120.0
_PROGRESS_AWAITED_S = 5.0
# pgbench ends when its connection does, and waits for ever for a server whose power is gone; so
# it is begun again, and the kernel asks every second whether the other side is there.
_PGBENCH = """
while :; do
    pgbench --no-vacuum --client=2 --rate=100 --time=3600 \
        "host=$1 user=postgres connect_timeout=2 keepalives_idle=1 keepalives_interval=1 \
keepalives_count=2 tcp_user_timeout=2000" >>"$2" 2>&1
    sleep 0.2
done
"""


class LedgerClient:
    """A ledger that runs on the client host; a thread reads what it says.

    A context manager: at the end it is stopped, what is in flight finished first.
    """

    def __init__(self, lab: Lab, *, seed: int, workers: int = 4) -> None:
        """Start it. The table is made anew."""
        self._lab = lab
        self._changed = threading.Condition()
        self._events: list[dict[str, Any]] = []  # guarded by _changed
        self._ended = False  # guarded by _changed
        options = [f"--book={BOOK}", f"--seed={seed}", f"--workers={workers}"]
        self._process = lab.popen(
            plan.CLIENT,
            [sys.executable, "-m", _LEDGER, "run", f"--host={plan.VIRTUAL_IP}", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, name="ledger", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def acknowledged(self) -> int:
        """Transactions acknowledged so far, at most a fifth of a second old."""
        with self._changed:
            return self._acknowledged()

    def acknowledged_at(self, moment_ms: float) -> int:
        """Transactions acknowledged at that moment of the monotonic clock, or a little later."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended or self._last_ms() >= moment_ms, _PROGRESS_AWAITED_S
            )
            return self._acknowledged()

    def await_acknowledged(self, count: int, timeout_s: float) -> None:
        """Wait until that many are acknowledged. Raises DemoFailed (MIR-707)."""
        with self._changed:
            reached = self._changed.wait_for(
                lambda: self._ended or self._acknowledged() >= count, timeout_s
            )
            have, ended = self._acknowledged(), self._ended
        if not reached or have < count:
            raise DemoFailed(
                step="client",
                observed=f"{have} of {count} transactions acknowledged "
                + ("when the client ended" if ended else f"after {timeout_s:.0f} s"),
                remedy="the module logs of both nodes say why",
            )

    def longest_gap_ms(self, from_ms: float, to_ms: float) -> float:
        """Longest time without an acknowledged transaction that was seen between two moments.

        Both on the monotonic clock, in milliseconds.
        """
        with self._changed:
            gaps = [
                float(event["gap_ms"])
                for event in self._events
                if event["event"] == "progress" and from_ms <= event["monotonic_ms"] <= to_ms
            ]
        return max(gaps, default=0.0)

    def first_success_after(self, moment_ms: float) -> float | None:
        """When the first outage that lasted at `moment_ms` or began later ended; None: none did.

        Returns microseconds since 1970, as in the module logs.
        """
        with self._changed:
            for event in self._events:
                if event["event"] == "outage" and event["from_ms"] + event["ms"] >= moment_ms:
                    return float(event["wall_us"])
        return None

    def stop(self) -> None:
        """Finish what is in flight and end. May be repeated."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            _end_group(self._process)
        self._reader.join()

    def verify(self) -> Verdict:
        """Read every row back through the virtual IP; allowed while it runs."""
        running = ["--running"] if self._process.poll() is None else []
        options = [f"--host={plan.VIRTUAL_IP}", f"--book={BOOK}", *running]
        done = self._lab.exec(
            plan.CLIENT,
            [sys.executable, "-m", _LEDGER, "verify", *options],
            check=False,
            timeout_s=_VERIFY_S,
        )
        try:
            said = json.loads(done.stdout)
        except ValueError:
            raise DemoFailed(
                step="reading the ledger back",
                observed=(done.stderr or done.stdout).strip()[-500:],
                remedy="the module logs of both nodes say why",
            ) from None
        facts = {field.name: said[field.name] for field in fields(Verdict)}
        return Verdict(**facts | {"examples": tuple(said["examples"])})

    def _last_ms(self) -> float:
        return float(self._events[-1]["monotonic_ms"]) if self._events else 0.0

    def _acknowledged(self) -> int:
        for event in reversed(self._events):
            if "acknowledged" in event:
                return int(event["acknowledged"])
        return 0

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            with self._changed:
                self._events.append(event)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


class Pgbench:
    """pgbench on the client host, begun again whenever its connection ends. A context manager."""

    def __init__(self, lab: Lab, *, scale: int) -> None:
        """Make its tables, then start it. scale: 100,000 accounts, about 15 MiB, each."""
        target = [f"--host={plan.VIRTUAL_IP}", "--username=postgres"]
        make = ["pgbench", "--initialize", "--quiet", f"--scale={scale}", *target, "postgres"]
        lab.exec(plan.CLIENT, make, timeout_s=300)
        self._lab = lab
        self._process = self._popen(["sh", "-c", _PGBENCH, "sh", plan.VIRTUAL_IP, _PGBENCH_LOG])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End it. May be repeated."""
        _end_group(self._process)

    def books_balance(self) -> bool:
        """Whether accounts, tellers, branches and history add up to the same.

        They do in every state of a database that kept its transactions whole.
        """
        sums = (
            "SELECT (SELECT sum(abalance) FROM pgbench_accounts),"
            " (SELECT sum(tbalance) FROM pgbench_tellers),"
            " (SELECT sum(bbalance) FROM pgbench_branches),"
            " (SELECT coalesce(sum(delta), 0) FROM pgbench_history)"
        )
        psql = ["psql", "-XAtq", f"--host={plan.VIRTUAL_IP}", "--username=postgres", "-c", sums]
        return len(set(self._lab.exec(plan.CLIENT, psql).stdout.strip().split("|"))) == 1

    def _popen(self, command: Sequence[str]) -> subprocess.Popen[Any]:
        return self._lab.popen(plan.CLIENT, command)


def _end_group(process: subprocess.Popen[Any]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
