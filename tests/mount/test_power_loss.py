"""The power of the target's host is lost: what its disk did not have yet is sent again.

The disk keeps names before it keeps data: ext4 gives what is written a place on the disk late.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.adapters.lab.linux import cut_power
from tests.mount.pair import make_plane
from tests.mount.reintegrating import Nodes, two_nodes
from tests.mount.small_disk import small_disk
from tests.mount.test_mirrored import give_name

pytestmark = pytest.mark.mount

DISK_BYTES = 64 << 20
CONTENT = os.urandom(200_000)


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    lower = tmp_path / "n2" / "lower"
    with small_disk(lower, DISK_BYTES, features="has_journal"):
        (lower / "lost+found").rmdir()
        with two_nodes(tmp_path) as made:
            yield made


def cut_with_names(nodes: Nodes) -> None:
    """The disk of the target holds every name and attribute that there is, and no new data.

    Unless somebody has the whole machine sync just then: who tests must not need that it is so.
    """
    fd = os.open(nodes.right / ".mirror" / "synced", os.O_CREAT | os.O_WRONLY)
    os.fsync(fd)
    os.close(fd)
    cut_power(nodes.right)


def boot(nodes: Nodes) -> None:
    """The target's host is up again, and the source has gone on alone."""
    nodes.end_session()
    nodes.target.destroy()
    image = nodes.right.with_suffix(".img")
    subprocess.run(["umount", str(nodes.right)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(nodes.right)], check=True)
    nodes.target = make_plane(nodes.right.parent)
    nodes.target.root_add(str(nodes.right))
    nodes.source.go_alone()


def test_a_file_that_got_its_name_late_is_there_with_its_data(nodes: Nodes) -> None:
    nodes.reintegrate(full=True)
    with open(os.open(nodes.mount, os.O_TMPFILE | os.O_RDWR, 0o640), "r+b", buffering=0) as file:
        file.write(CONTENT)
        give_name(file.fileno(), nodes.mount / "named")
    cut_with_names(nodes)
    boot(nodes)
    nodes.forget_losses()
    nodes.reintegrate()
    assert nodes.differences() == []
