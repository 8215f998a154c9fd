import os
import time
from pathlib import Path

from mirror.adapters.alive_writer import AliveWriter, read_moment


def test_the_newest_moment_is_in_the_file_when_it_is_closed(tmp_path: Path) -> None:
    writer = AliveWriter()
    writer.start()
    files = [os.open(tmp_path / name, os.O_RDWR | os.O_CREAT) for name in ("a", "b")]
    for at_ms in range(1, 1_000):
        for fd in files:
            writer.note(fd, at_ms)
    for fd, name in zip(files, ("a", "b"), strict=True):
        writer.close(fd)
        with open(tmp_path / name, "rb") as found:  # noqa: PTH123 - a descriptor is wanted
            assert read_moment(found.fileno()) == 999


def test_a_moment_reaches_the_file_by_itself(tmp_path: Path) -> None:
    writer = AliveWriter()
    writer.start()
    fd = os.open(tmp_path / "a", os.O_RDWR | os.O_CREAT)
    writer.note(fd, 77)
    deadline = time.monotonic() + 60
    while read_moment(fd) != 77:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    writer.close(fd)
