"""The story that `mirror demo` tells: a function for each chapter, `Story.run` has their order.

What it says was measured: by the client at the virtual IP, by the logs of both nodes, by reading
both disks. It knows the lab and the command line of the nodes, nothing of how they work.
"""

import json
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mirror.adapters.lab import module_setup, plan, status
from mirror.adapters.lab.client import Lab
from mirror.adapters.lab.comparison import compare_hosts, plant_difference
from mirror.adapters.lab.load import LedgerClient, Pgbench
from mirror.cli import demo_timeline
from mirror.cli.demo_screen import Screen
from mirror.cli.demo_timeline import Line, Moment
from mirror.cli.state_view import progress_line
from mirror.errors import DemoFailed, MirrorError, WaitedInVain
from mirror.vocabulary.units import format_size

TRANSACTIONS = 500
FAULTS = ("power-off", "kill-data", "kill-control", "kill-both", "cut-all", "lose-second")

_SCALE = 5
_AT_RANDOM_S = 3.0
_ANSWER_S = 90.0
_READY_S = 300.0
_POLL_S = 0.2
# How long the last times of files may take to reach the other side after writes have stopped.
_SETTLE_S = 15.0


@dataclass(slots=True)
class Result:
    """What the last line says."""

    lost: int = 0
    different: int = 0
    outage_ms: float = 0.0

    @property
    def good(self) -> bool:
        """Exit code 0."""
        return self.lost == 0 and self.different == 0

    def __str__(self) -> str:
        """Render the last line."""
        return (
            f"demo: lost {self.lost}, different {self.different}, outage {self.outage_ms:.0f} ms"
        )


@dataclass(slots=True)
class Story:
    """One demonstration in a lab whose module runs, PRIM on one node and SECOND on the other."""

    lab: Lab
    module: str
    fault: str
    dice: random.Random
    plant: bool
    screen: Screen
    result: Result = field(default_factory=Result)

    def run(self) -> None:
        """All chapters, in order."""
        primary, second = self._roles()
        screen = self.screen
        screen.step(f"A client at {plan.VIRTUAL_IP}: pgbench, and a ledger of acknowledged rows")
        with (
            Pgbench(self.lab, scale=_SCALE) as pgbench,
            LedgerClient(self.lab, seed=self.dice.randrange(2**32)) as ledger,
        ):
            self._await_transactions(ledger, TRANSACTIONS)
            fault_us = self._break(ledger, primary, second)
            self._check(ledger)
            self._repair(primary, second, fault_us)
            self._swap(ledger)
            pgbench.stop()
            ledger.stop()
            self._check_all(ledger, pgbench)
        self._compare()

    # --- chapters ---

    def _break(self, ledger: LedgerClient, primary: str, second: str) -> int:
        """The fault, at a random moment; 500 transactions later, its timeline. Returns when."""
        if self.fault == "kill-control":
            module_setup.await_spare(self.lab, primary)
        time.sleep(self.dice.uniform(0, _AT_RANDOM_S))
        self.screen.step(
            f"Fault: {_FAULT_TEXTS[self.fault].format(primary=primary, second=second)}"
        )
        fault_us, fault_ms = time.time_ns() // 1000, time.monotonic_ns() / 1e6
        _inflict(self.lab, self.fault, primary, second)
        before = ledger.acknowledged_at(time.monotonic_ns() / 1e6)
        self._await_transactions(ledger, before + TRANSACTIONS)
        outage_ms = ledger.longest_gap_ms(fault_ms, time.monotonic_ns() / 1e6)
        self.result.outage_ms = outage_ms
        moments = [Moment(fault_us, f"{before} transactions acknowledged; {self.fault}")]
        if self.fault != "lose-second":
            moments += demo_timeline.failover(self._log(second), second, fault_us)
        first_us = ledger.first_success_after(fault_ms)
        if first_us is not None:
            moments.append(Moment(round(first_us), "the client's first transaction after it"))
        self.screen.timeline("What happened", fault_us, moments)
        self.screen.say(f"the client waited {outage_ms:.0f} ms, then went on at the same address")
        return fault_us

    def _check(self, ledger: LedgerClient) -> None:
        """Read the ledger back while the load goes on."""
        verdict = ledger.verify()
        self.screen.say(
            f"ledger read back through {plan.VIRTUAL_IP}: {verdict.acknowledged} acknowledged, "
            f"lost {verdict.lost}, different {verdict.different}"
        )
        for example in verdict.examples:
            self.screen.alarm(example)

    def _repair(self, primary: str, second: str, fault_us: int) -> None:
        """The dead host gets its power or its cables back, and comes back by itself."""
        dead = second if self.fault == "lose-second" else primary
        if self.fault in ("power-off", "lose-second"):
            self.screen.step(f"{dead} gets its power back")
            self.lab.boot(dead)
        elif self.fault == "cut-all":
            self.screen.step(f"{dead} gets its cables back")
            self.lab.heal(dead)
        else:
            self.screen.step("What was killed comes back by itself")
        self._await_ready()
        _, second = self._roles()
        moved = demo_timeline.copied(self._log(*plan.NODES), fault_us)
        if moved is None:
            self.screen.say("no reintegration was needed")
        elif moved.bytes_copied >= 0:
            compared = max(moved.bytes_compared, 0)
            self.screen.say(
                f"copied back to {second}: {format_size(moved.bytes_copied)}"
                f" (compared {format_size(compared)})"
            )
        else:
            self.screen.say(moved.text)

    def _swap(self, ledger: LedgerClient) -> None:
        """A planned swap: the roles change while the client works."""
        primary, second = self._roles()
        self.screen.step(f"Planned swap: {primary} hands over to {second}")
        began_ms = time.monotonic_ns() / 1e6
        self.lab.exec(primary, ["mirror", "swap", "-m", self.module], timeout_s=_READY_S)
        self._await_ready(primary=second)
        self._await_transactions(ledger, ledger.acknowledged + TRANSACTIONS // 5)
        gap_ms = ledger.longest_gap_ms(began_ms, time.monotonic_ns() / 1e6)
        self.screen.say(f"PRIM is {second} now; the client waited {gap_ms:.0f} ms")

    def _check_all(self, ledger: LedgerClient, pgbench: Pgbench) -> None:
        """Read everything back after the last transaction."""
        self.screen.step("The load has ended: every row is read back")
        verdict = ledger.verify()
        self.result.lost += verdict.lost + verdict.different
        self.result.different += verdict.unexpected
        self.screen.say(
            f"{verdict.acknowledged} acknowledged, {verdict.present} in the table: lost "
            f"{verdict.lost}, different {verdict.different}, never sent {verdict.unexpected}"
        )
        for example in verdict.examples:
            self.screen.alarm(example)
        if pgbench.books_balance():
            self.screen.say("pgbench's accounts, tellers, branches and history add up")
        else:
            self.result.lost += 1
            self.screen.alarm("pgbench's accounts, tellers, branches and history do not add up")

    def _compare(self) -> None:
        """Writes stop; both lower directories are read and compared bit by bit."""
        primary, second = self._roles()
        self.screen.step("Writes stop: both lower directories are compared")
        freeze = "for _ in 1 2; do kill -STOP $(pidof postgres); done"
        self.lab.exec(primary, ["sh", "-c", freeze])
        try:
            if self.plant:
                victim = plant_difference(self.lab, second, self.module)
                self.screen.say(f"planted: one bit of {victim} on {second}")
            differences = self._settled_differences()
        finally:
            self.lab.exec(primary, ["sh", "-c", "kill -CONT $(pidof postgres)"])
        self.result.different += len(differences)
        for difference in differences[:20]:
            self.screen.alarm(str(difference))
        self.screen.say(
            "names, types, bytes, holes, modes, owners, times, attributes, ACLs, links: "
            f"{len(differences)} differences"
        )

    # --- what the chapters share ---

    def _settled_differences(self) -> list[Any]:
        """Differences that stay: file times travel a little after the data (design 7.10)."""
        deadline = time.monotonic() + _SETTLE_S
        while differences := compare_hosts(self.lab, self.module):
            if time.monotonic() > deadline:
                break
            time.sleep(1)
        return differences

    def _roles(self) -> tuple[str, str]:
        states = {host: status.module_states(self.lab, host) for host in plan.NODES}
        names = {
            found[self.module].state: host
            for host, found in states.items()
            if self.module in found
        }
        try:
            return names["PRIM"], names["SECOND"]
        except KeyError:
            raise WaitedInVain(module=self.module, observed=f"{states}") from None

    def _await_transactions(self, ledger: LedgerClient, count: int) -> None:
        deadline = time.monotonic() + _ANSWER_S
        while ledger.acknowledged < count and time.monotonic() < deadline:
            self.screen.moving(f"{ledger.acknowledged} transactions acknowledged")
            with suppress(DemoFailed):
                ledger.await_acknowledged(count, _POLL_S)
        ledger.await_acknowledged(count, _POLL_S)
        self.screen.say(f"{ledger.acknowledged} transactions acknowledged")

    def _await_ready(self, primary: str = "") -> None:
        """Wait for PRIM and SECOND (Ready), showing progress; `primary`: who must be PRIM."""
        began = time.monotonic()
        while True:
            said = {host: self._state(host) for host in plan.NODES}
            ready = {
                str(one.get("state")): host
                for host, one in said.items()
                if one.get("ready") in (True, "Ready")
            }
            shown = ", ".join(f"{host} {one.get('state', '?')}" for host, one in said.items())
            if set(ready) == {"PRIM", "SECOND"} and primary in ("", ready["PRIM"]):
                self.screen.say(f"{shown} after {time.monotonic() - began:.1f} s")
                return
            if time.monotonic() - began > _READY_S:
                raise WaitedInVain(module=self.module, observed=shown)
            progress = next(
                (one["progress"] for one in said.values() if one.get("progress")), None
            )
            self.screen.moving(f"{shown}  {progress_line(progress) if progress else ''}")
            time.sleep(_POLL_S)

    def _state(self, host: str) -> dict[str, Any]:
        command = ["mirror", "state", "-m", self.module, "--json"]
        try:
            said = json.loads(self.lab.exec(host, command, check=False, timeout_s=10).stdout)
        except (MirrorError, ValueError):
            return {}
        found: dict[str, Any] = said.get("modules", {}).get(self.module, {})
        return found

    def _log(self, *hosts: str) -> list[Line]:
        """Module logs of these nodes; one whose node does not answer is left out."""
        lines: list[Line] = []
        for host in hosts:
            command = ["mirror", "log", "-m", self.module, "-s", "2000", "-A", "--json"]
            with suppress(MirrorError, ValueError):
                said = json.loads(self.lab.exec(host, command, timeout_s=10).stdout)
                lines += demo_timeline.lines_of(host, said["entries"])
        return lines


_FAULT_TEXTS = {
    "power-off": "{primary} loses its power",
    "kill-data": "kill -9 of the data plane of {primary}",
    "kill-control": "kill -9 of the control plane of {primary}",
    "kill-both": "kill -9 of all of mirror on {primary}",
    "cut-all": "every cable of {primary} is pulled",
    "lose-second": "{second} loses its power",
}


def _inflict(lab: Lab, fault: str, primary: str, second: str) -> None:
    actions: dict[str, Callable[[], object]] = {
        "power-off": lambda: lab.power_off(primary),
        "kill-data": lambda: lab.kill(primary, "data"),
        "kill-control": lambda: lab.kill(primary, "control"),
        "kill-both": lambda: lab.kill(primary, "all"),
        "cut-all": lambda: lab.cut(primary),
        "lose-second": lambda: lab.power_off(second),
    }
    actions[fault]()
