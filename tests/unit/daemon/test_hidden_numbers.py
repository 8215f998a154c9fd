"""The hidden numbers of a directory: what they may and may not say of a disk."""

from pathlib import Path

from mirror.daemon.plane.directories import Directory
from mirror.daemon.plane.numbers import HiddenNumbers, Numbers


def test_a_checkpoint_never_goes_back_within_a_generation(tmp_path: Path) -> None:
    (tmp_path / ".mirror").mkdir()
    numbers = HiddenNumbers([Directory(0, "/srv/a", str(tmp_path))])
    numbers.record("aa", 41)  # by the core, with the record
    numbers.record("aa", 0)  # by a data plane that has just begun to serve
    assert Numbers.read(str(tmp_path)) == Numbers("aa", 41)
    numbers.record("aa", 42)
    assert Numbers.read(str(tmp_path)) == Numbers("aa", 42)
    numbers.record("bb", 3)
    assert Numbers.read(str(tmp_path)) == Numbers("bb", 3)
