"""The module log: SafeKit's lines, never in the way, and honest about what it lost."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.adapters import module_log
from mirror.adapters.module_log import LogEntry, ModuleLog, read_last


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ModuleLog]:
    made = ModuleLog(tmp_path / "deeper" / "log.db", "demo")
    yield made
    made.close()


def texts(entries: list[LogEntry]) -> list[str]:
    return [entry.text for entry in entries]


def test_lines_come_back_with_their_fields(log: ModuleLog) -> None:
    log.append("E", "heart", "Local state ALONE Ready", row="S5", generation=b"\x9f", silent_ms=1)
    [entry] = asyncio.run(log.last(10))
    assert entry.line.endswith(" | heart | E | Local state ALONE Ready")
    assert entry.line.startswith("| 2")
    assert entry.fields == {"row": "S5", "generation": "b'\\x9f'", "silent_ms": 1}


def test_the_last_ones_oldest_first_and_verbose_ones_when_asked(log: ModuleLog) -> None:
    for number in range(20):
        log.append("D" if number % 2 else "E", "heart", str(number))
    assert texts(asyncio.run(log.last(3))) == ["14", "16", "18"]
    assert texts(asyncio.run(log.last(3, module_log.LEVELS))) == ["17", "18", "19"]


def test_it_outlives_the_process_and_can_be_read_without_a_node(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    for number in range(2):
        log = ModuleLog(path, "demo")
        log.append("U", "cli", f"run {number}")
        log.close()
    assert texts(read_last(path, 10)) == ["run 0", "run 1"]
    assert read_last(tmp_path / "none.db", 10) == []


def test_followers_get_what_comes_after_them(log: ModuleLog) -> None:
    async def story() -> None:
        log.append("E", "heart", "before")
        await log.flush()
        following = log.follow()
        first = asyncio.ensure_future(anext(following))
        await asyncio.sleep(0)
        log.append("E", "heart", "one")
        log.append("E", "heart", "two")
        assert (await first).text == "one"
        assert (await anext(following)).text == "two"
        await following.aclose()  # type: ignore[attr-defined]

    asyncio.run(asyncio.wait_for(story(), 60))


def test_who_follows_is_told_the_end(tmp_path: Path) -> None:
    async def story() -> None:
        log = ModuleLog(tmp_path / "log.db", "web")
        seen: list[str] = []

        async def follow() -> None:
            seen.extend([entry.text async for entry in log.follow()])

        following = asyncio.ensure_future(follow())
        await asyncio.sleep(0)
        log.append("E", "heart", "one")
        await asyncio.to_thread(log.close)
        await following
        await follow()
        assert seen == ["one"]

    asyncio.run(asyncio.wait_for(story(), 60))


def test_a_writer_that_holds_the_database_delays_nobody(
    log: ModuleLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module_log, "BUSY_S", 60)
    log.append("E", "heart", "first")
    asyncio.run(log.flush())
    other = sqlite3.connect(log._path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    for number in range(100):
        log.append("E", "heart", str(number))
    assert log.lost_count == 0, "still waiting, and we are here"
    other.execute("COMMIT")
    other.close()
    assert len(asyncio.run(log.last(1000))) == 101


def test_a_file_that_is_no_database_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    path.write_bytes(b"garbage, torn by a power loss" * 100)
    log = ModuleLog(path, "demo")
    log.append("E", "heart", "alive")
    assert texts(asyncio.run(log.last(10))) == ["alive"]
    log.close()
    assert (tmp_path / "log.damaged").read_bytes().startswith(b"garbage")
    assert log.lost_count == 0


def test_what_cannot_be_written_is_counted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    log = ModuleLog(tmp_path / "file" / "log.db", "demo")
    log.append("C", "heart", "lost")
    asyncio.run(log.flush())
    assert log.lost_count == 1
    log.close()


def test_the_log_does_not_grow_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module_log, "ENTRIES_MAX", 100)
    monkeypatch.setattr(module_log, "_PRUNE_EVERY", 10)
    log = ModuleLog(tmp_path / "log.db", "demo")
    for number in range(500):
        log.append("E", "heart", str(number))
    kept = texts(asyncio.run(log.last(1000)))
    assert len(kept) <= 110
    assert kept[-1] == "499"
    log.close()


def test_appending_from_many_threads_loses_nothing(log: ModuleLog) -> None:
    def work(name: int) -> None:
        for number in range(100):
            log.append("E", "heart", f"{name} {number}")

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = texts(asyncio.run(log.last(1000)))
    assert len(entries) == 400
    for name in range(4):
        mine = [int(text.split()[1]) for text in entries if text.startswith(f"{name} ")]
        assert mine == sorted(mine)
