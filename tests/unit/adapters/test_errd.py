"""The process checker over real processes that begin, die, and block whoever looks at them."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from mirror.adapters import errd
from mirror.adapters.checkers import scan_client
from mirror.adapters.checkers.posix_regex import PosixRegex
from mirror.adapters.checkers.process_scan import Wanted, scan
from mirror.adapters.errd import ProcessChecker
from mirror.config.models import Errd, WatchedProcess

PATIENCE_S = 60.0


def watched(name: str, **others: object) -> WatchedProcess:
    values: dict[str, object] = {
        "name": name, "is_service": False, "nameregex": None, "argregex": None, "atleast": 1,
        "atmax": -1, "action": "stopstart", "process_class": "prim", "start_after": 0,
    }  # fmt: skip
    return WatchedProcess(**{**values, **others})  # type: ignore[arg-type]


class Application:
    """A program with a name of its own, as often as wanted."""

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self._program = directory / name
        sleep = shutil.which("sleep")
        assert sleep is not None
        shutil.copy(sleep, self._program)
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Return when the kernel tells its name and its arguments.

        An exec closes the parent's pipe, so that `Popen` returns, before it names the process.
        """
        command = [str(self._program), "1000", *arguments]
        started = subprocess.Popen(command)
        self.running.append(started)
        wanted = b"".join(part.encode() + b"\0" for part in command)
        deadline = time.monotonic() + 60
        while Path(f"/proc/{started.pid}/cmdline").read_bytes() != wanted:
            assert time.monotonic() < deadline, f"{self.name} did not get its arguments"
            time.sleep(0.001)
        return started

    def end(self) -> None:
        for each in self.running:
            each.kill()
            each.wait()


@pytest.fixture
def application(tmp_path: Path, run_name: str) -> Iterator[Application]:
    made = Application(tmp_path, f"{run_name}app")
    yield made
    made.end()


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scanner imports this program before it answers, on a machine that may be busy."""
    monkeypatch.setattr(errd, "SCAN_TIMEOUT_S", 60)


@contextlib.asynccontextmanager
async def checking(
    *processes: WatchedProcess, polltimer_ms: int = 600_000
) -> AsyncIterator[tuple[ProcessChecker, asyncio.Queue[tuple[str, str]]]]:
    said: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    checker = ProcessChecker(
        Errd(polltimer_ms, processes), lambda name, state: said.put_nowait((name, state))
    )
    try:
        async with asyncio.timeout(90):  # long before the next poll
            yield checker, said
    finally:
        await checker.close()


def test_a_death_is_seen_long_before_the_next_poll(application: Application) -> None:
    async def story() -> None:
        process = application.start()
        async with checking(watched(application.name)) as (checker, said):
            checker.watch({"prim"})
            assert await said.get() == (f"proc.{application.name}", "up")
            process.kill()
            assert await said.get() == (f"proc.{application.name}", "down")
            process.wait()

    asyncio.run(story())


def test_a_new_process_is_found_by_polling(application: Application) -> None:
    async def story() -> None:
        async with checking(watched(application.name), polltimer_ms=50) as (checker, said):
            checker.watch({"prim"})
            assert (await said.get())[1] == "down"
            application.start()
            assert (await said.get())[1] == "up"

    asyncio.run(story())


def test_too_few_and_too_many(application: Application) -> None:
    async def story() -> None:
        rule = watched(application.name, atleast=2, atmax=3)
        async with checking(rule, polltimer_ms=50) as (checker, said):
            application.start()
            checker.watch({"prim"})
            assert (await said.get())[1] == "down"
            application.start()
            assert (await said.get())[1] == "up"
            application.start()
            application.start()
            assert (await said.get())[1] == "down"

    asyncio.run(story())


def test_one_of_enough_may_die(application: Application) -> None:
    async def story() -> None:
        first, second = application.start(), application.start()
        async with checking(watched(application.name)) as (checker, said):
            checker.watch({"prim"})
            assert (await said.get())[1] == "up"
            first.kill()
            first.wait()
            second.kill()
            assert (await said.get())[1] == "down", "the second death, not the first"
            assert said.empty()

    asyncio.run(story())


def test_only_enabled_classes_are_looked_at(application: Application) -> None:
    async def story() -> None:
        rules = (watched(application.name), watched("other", process_class="both"))
        async with checking(*rules, polltimer_ms=50) as (checker, said):
            application.start()
            checker.watch({"prim"})
            assert await said.get() == (f"proc.{application.name}", "up")
            checker.watch({"both"})
            assert await said.get() == (f"proc.{application.name}", "init")
            assert await said.get() == ("proc.other", "down")

    asyncio.run(story())


def test_start_after_postpones_the_first_look(application: Application) -> None:
    async def story() -> None:
        rule = watched(application.name, start_after=4)
        async with checking(rule, polltimer_ms=100) as (checker, said):
            enabled = time.monotonic()
            checker.watch({"prim"})
            assert (await said.get())[1] == "down"
            assert time.monotonic() - enabled >= 0.3

    asyncio.run(story())


def test_names_and_arguments_by_posix_expressions(application: Application) -> None:
    process = application.start("2000", "3000")

    def count(nameregex: str | None, argregex: str | None) -> int:
        by_name = PosixRegex(nameregex) if nameregex else None
        by_arguments = PosixRegex(argregex) if argregex else None
        found, pidfds = scan(Wanted(application.name.encode(), by_name, by_arguments, 1))
        for pidfd in pidfds:
            signal.pidfd_send_signal(pidfd, 0)
            os.close(pidfd)
        assert len(pidfds) == found
        return found

    assert count(None, None) == 1
    assert count(f"^{application.name[:-1]}[[:alpha:]]$", None) == 1
    assert count(None, "1000 2.* (3|4)000$") == 1
    assert count(None, "^2000") == 0
    assert count("^nothing$", None) == 0
    process.kill()
    # Dead, but not waited for: a zombie serves nobody.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert count(None, None) == 0


def test_an_expression_that_is_none_says_so() -> None:
    with pytest.raises(ValueError, match="Unmatched"):
        PosixRegex("(")


def test_a_scanner_that_blocks_is_replaced_and_says_nothing_wrong(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        process = application.start()
        async with checking(watched(application.name), polltimer_ms=50) as (checker, said):
            checker.watch({"prim"})
            assert (await said.get())[1] == "up"
            scanner = checker._scanner._process
            assert scanner is not None
            scanner.send_signal(signal.SIGSTOP)  # as if its read of /proc did not come back
            with monkeypatch.context() as patched:
                patched.setattr(errd, "SCAN_TIMEOUT_S", 0.5)
                await scanner.wait()  # killed by the deadline
            process.kill()
            assert (await said.get())[1] == "down"
            process.wait()

    asyncio.run(story())


def test_stuck_scanners_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_client, "STUCK_MAX", 0)

    async def story() -> None:
        client = scan_client.ScanClient()
        query = scan_client.Query("init", None, None, 1)
        assert await client.scan([query], 5) == [None]
        await client.close()

    asyncio.run(story())


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_scan_that_is_given_up_leaves_no_descriptor_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who configures a module anew ends its checker at any moment."""

    async def story() -> None:
        client = scan_client.ScanClient()
        query = scan_client.Query("init", None, ".", 1)
        mine = scan_client.Query("python", ".", None, 100)
        await client.scan([mine], PATIENCE_S)  # it has all it needs
        before = open_descriptors()
        receive, received = scan_client.ScanClient._receive, asyncio.Event()

        async def once(self: scan_client.ScanClient, channel: socket.socket) -> Any:
            if received.is_set():
                await asyncio.Event().wait()
            answer = await receive(self, channel)
            assert answer[1]
            received.set()
            return answer

        with monkeypatch.context() as patched:
            patched.setattr(scan_client.ScanClient, "_receive", once)
            scans = asyncio.create_task(client.scan([mine, query], PATIENCE_S))
            await received.wait()
            await asyncio.sleep(0)
            scans.cancel()
            await asyncio.wait({scans})
        assert open_descriptors() == before
        await client.close()

    asyncio.run(story())
