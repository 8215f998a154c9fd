"""What people and scripts see of one module: log, resources, state; and what survives a restart.

The state file is this control plane's own: it says what ran here in this boot of the host, so
that the next control plane goes on where this one ended. It decides nothing about the data.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mirror.adapters import clock
from mirror.adapters.alive_writer import AliveWriter, read_moment
from mirror.adapters.durable import write_durably, write_into_reserve
from mirror.adapters.module_log import ModuleLog
from mirror.config.layout import ModuleLayout
from mirror.daemon.node.saved_state import (
    boot_name,
    read_saved_state,
    write_saved_state,
    write_small_file,
)
from mirror.vocabulary.actions import Log, SaveState, ShowState
from mirror.vocabulary.states import Goal, Readiness, ScreenWord, State

SERVING_WORDS = frozenset({ScreenWord.PRIM, ScreenWord.ALONE, ScreenWord.UP})
SYNCED_EVERY_MS = 5_000  # a moment in step that is noted: syncdelta counts in minutes
HISTORY_MAX = 100  # values of one resource


class Notebook:
    """Implements ports.Notebook. Used by one event loop."""

    def __init__(self, layout: ModuleLayout, log: ModuleLog, alive: AliveWriter) -> None:
        self.module_log = log
        self.resources: dict[str, dict[str, Any]] = {}
        self.shown = ShowState(ScreenWord.STOP, Readiness.NOT_READY, "", "")
        self.changed = asyncio.Condition()
        self.starts = 0  # how often it began to serve
        self.found_of_this_boot = False  # a control plane was here since the host started
        self._answers: dict[int, asyncio.Future[str]] = {}
        self._command_count = 0
        self._directory = layout.state
        self._wanted_file = layout.state / "wanted"
        self._owed_file = layout.state / "owed"
        self._alive_file = layout.state / "alive"
        self._synced_file = layout.state / "synced"
        self._synced_ms = 0
        self._left = False
        self._alive = alive
        self._alive_fd: int | None = None
        # One thread, so that states reach the file in order, and a slow disk delays no event.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="state")
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Make the files. Raises: OSError."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._alive_fd = os.open(self._alive_file, flags, 0o600)
        if not self._owed_file.exists():
            write_small_file(self._owed_file, "")  # so that there is room for it later

    async def wait_for(self, is_so: Callable[[], bool]) -> None:
        """Wait until that is so, or until this notebook is not written any more."""
        async with self.changed:
            await self.changed.wait_for(lambda: is_so() or self._left)

    def leave(self) -> None:
        """Whoever waits for a change here waits in vain."""
        self._left = True
        self._tell()

    def close(self) -> None:
        """Write what waits."""
        self._writer.shutdown(wait=True)
        if self._alive_fd is not None:
            self._alive.close(self._alive_fd)
            self._alive_fd = None
        self.module_log.close()

    def command_begins(self) -> tuple[int, "asyncio.Future[str]"]:
        """Give a command its number, and the future of its answer: "" or the refusal."""
        self._command_count += 1
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._answers[self._command_count] = answer
        return self._command_count, answer

    # --- the port ---

    def log(self, line: Log) -> None:
        fields = {name: value for name, value in line.fields.items() if name != "level"}
        self.module_log.append(line.level, line.source, line.text, **fields)

    def save(self, saved: SaveState) -> None:
        self._writer.submit(write_saved_state, self._directory, saved)

    def owe_start(self, *, owed: bool) -> None:
        self._writer.submit(write_small_file, self._owed_file, boot_name() if owed else "")

    def show(self, state: ShowState) -> None:
        served = self.serves
        self.shown = state
        self.starts += self.serves and not served
        self._tell()

    @property
    def serves(self) -> bool:
        """Whether the application runs here, as others may rely on it (ready.txt)."""
        return self.shown.word in SERVING_WORDS and self.shown.readiness is Readiness.READY

    def set_resource(self, name: str, value: str) -> None:
        before = self.resources.get(name)
        if before is not None and before["value"] == value:
            return
        now_us = clock.wall_us()
        history = [*(before["history"] if before else ()), {"value": value, "time_us": now_us}]
        self.resources[name] = {
            "value": value,
            "time_us": now_us,
            "since": clock.wall_text(now_us),
            "history": history[-HISTORY_MAX:],
        }

    def answer(self, command_id: int, refusal: str) -> None:
        answer = self._answers.pop(command_id, None)
        if answer is not None and not answer.done():
            answer.set_result(refusal)

    # --- for the next control plane ---

    def still_alive(self) -> None:
        """Note that this control plane ran at this moment. Never blocks."""
        if self._alive_fd is not None:
            self._alive.note(self._alive_fd, clock.boottime_ms())

    def note_synced(self, at_ms: int) -> None:
        """Note that this node was in step at this moment (boot clock), for `syncdelta`."""
        if at_ms - self._synced_ms >= SYNCED_EVERY_MS or not self._synced_ms:
            self._synced_ms = at_ms
            at_us = clock.wall_us() - (clock.boottime_ms() - at_ms) * 1_000
            self._writer.submit(_write_time, self._synced_file, at_us)

    def synced_ago_ms(self) -> int | None:
        """How long ago it was in step, by wall time; None: never, or the clock was set back."""
        with contextlib.suppress(OSError, ValueError):
            ago_us = clock.wall_us() - int(self._synced_file.read_text(encoding="ascii"))
            return ago_us // 1_000 if ago_us >= 0 else None
        return None

    def want(self, *, running: bool) -> None:
        """Remember for `boot="auto"` whether an administrator wants the module to run."""
        self._writer.submit(_write_wanted, self._wanted_file, "on" if running else "off")

    def wanted(self) -> bool:
        """Tell whether an administrator last started it, rather than stopped it."""
        with contextlib.suppress(OSError):
            return self._wanted_file.read_text(encoding="utf-8").strip() == "on"
        return False

    def found(self) -> tuple[SaveState, int]:
        """What an earlier control plane of this boot left, and for how many ms none ran."""
        saved = read_saved_state(self._directory)
        if saved is None:
            return SaveState(State.STOP, Goal.STOP.value, ""), 0
        self.found_of_this_boot = True
        alive_ms = 0
        with contextlib.suppress(OSError):
            alive_ms = read_moment(self._alive_fd) if self._alive_fd is not None else 0
        return saved, max(0, clock.boottime_ms() - alive_ms)

    def owes_start(self) -> bool:
        """Tell whether an earlier control plane of this boot died in the middle of a restart."""
        with contextlib.suppress(OSError):
            return self._owed_file.read_text(encoding="utf-8").strip() == boot_name()
        return False

    def _tell(self) -> None:
        async def tell() -> None:
            async with self.changed:
                self.changed.notify_all()

        task = asyncio.get_running_loop().create_task(tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _write_wanted(file: Path, word: str) -> None:
    """It is for the next boot, that after a loss of power above all."""
    with contextlib.suppress(OSError):
        write_into_reserve(file, word.encode())


def _write_time(file: Path, time_us: int) -> None:
    """Also after a loss of power; one that could not be written makes the node wait."""
    with contextlib.suppress(OSError):
        write_durably(file, str(time_us).encode())
