"""The simulator's own clock and clients: in order, without waiting, the same however shared."""

import asyncio
from functools import partial

import pytest

from tests.simulation.__main__ import main
from tests.simulation.loop import VirtualLoop
from tests.simulation.process import EVER, Process, Signal, Steps
from tests.simulation.run import end_loop


def told(steps_of: dict[str, Steps], lines: list[str], seconds: float) -> list[str]:
    """Run processes for a while; give what they, and their ends, put into lines."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    for name, steps in steps_of.items():
        Process(loop, steps, partial(_failed, lines, name))
    loop.run_until_complete(asyncio.sleep(seconds))
    end_loop(loop)
    return lines


def _failed(lines: list[str], name: str, error: BaseException) -> None:
    lines.append(f"{name} {error!r}")


def test_what_is_due_at_one_moment_runs_in_the_order_it_was_asked() -> None:
    lines: list[str] = []

    def late(name: str) -> Steps:
        yield 0.5
        yield 0.5
        lines.append(name)

    names = ["c", "a", "b", "e", "d"]
    assert told({name: late(name) for name in names}, lines, 2) == names


def test_who_waits_for_a_signal_goes_on_with_it_or_at_its_time() -> None:
    lines: list[str] = []
    signal = Signal()

    def patient() -> Steps:
        yield signal, EVER
        lines.append("patient")

    def hurried() -> Steps:
        yield signal, 1.0

    def sets() -> Steps:
        yield 2.0
        signal.set()

    waits = {"hurried": hurried(), "patient": patient(), "sets": sets()}
    assert told(waits, lines, 3) == ["hurried TimeoutError()", "patient"]


def test_the_same_seeds_are_run_however_many_processes_share_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    for jobs in ("1", "2"):
        monkeypatch.setattr("sys.argv", ["sim", "--hours", "0.02", "--jobs", jobs])
        assert main() == 0
        said.append(capsys.readouterr().out.splitlines()[0])
    assert said[0] == said[1]
    assert "faults" in said[0]
