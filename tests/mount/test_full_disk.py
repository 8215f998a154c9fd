"""What a node must write when its disk is full: who may serve, and how far its disk came."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirror.adapters.records import read_record, write_record
from mirror.daemon.plane.numbers import HIDDEN_NAME, NUMBERS_NAME, Numbers
from tests.mount.small_disk import fill, small_disk

pytestmark = pytest.mark.mount


def test_records_are_written_on_a_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, 16 << 20):
        (disk / HIDDEN_NAME).mkdir()
        record = disk / "state" / "record.json"
        history = ["0" * 32]
        write_record(record, {"history": history})
        Numbers(generation="0" * 32).write(str(disk))
        fill(disk)
        with pytest.raises(OSError, match="No space left"):
            (disk / "another").write_bytes(bytes(4096))
        for at in range(40):
            history.append(f"{at:032}")
            write_record(record, {"history": history})
            Numbers(generation=history[-1], checkpoint=at).write(str(disk))
            assert read_record(record) == {"history": history}
            assert Numbers.read(str(disk)) == Numbers(generation=history[-1], checkpoint=at)
        assert (disk / HIDDEN_NAME / NUMBERS_NAME).exists()
