"""What GlusterFS needs for the same: a volume of two replicas, beside us and beside rsync.

    heal      small files are written through the mount, n2's brick is put back to an empty one,
              and healed: until the index is empty, `heal info` counts 0, all is on n2's disk and
              both bricks are equal. Ours and rsync's are the first copy of the same tree, as in h
    unpack    the standard library, through a mount of either and on the local disk. Ours with
              barrier="write": each call waits for the other node; a close of GlusterFS does not.

The same disks and cables for all; GlusterFS without TLS, which we always have. How it is tuned:
bench/gluster_volume.py. Processor time is that of the processes, on both hosts, the kernel's own
threads not counted. BENCH_FILES: how many files, in place of 10,000, or 100,000 with --full.

With --full it takes half an hour. Seen with GlusterFS 10.3 and 100,000 files, on two processors
that some thirty other tasks wanted too: its heal 831 s (955 s of processor time), ours 157 s
(18 s), rsync 34 s (6 s).
"""

import os
from functools import partial

from bench.gluster_volume import Volume, installed, opened
from bench.hosts import Hosts
from bench.returning import FULL, SHORT, fill, first_copies
from bench.row import Row
from bench.turns import on_each
from bench.unpacking import stdlib_archive, unpacked_stdlib

HEAL_RATIO_MAX = 1 / 5
UNPACK_ROUNDS_MAX = 3
UNPACK_RATIO_MAX = 6.0  # as in measure e


def healed(hosts: Hosts, volume: Volume, count: int) -> list[Row]:
    """The first copy of many small files."""
    rsync, ours = first_copies(hosts, count)
    fill(volume.mount, count)
    heal = volume.first_copy()
    what = f"first copy of {count:,} files"
    used = {"processor_s": ours["processor_s"]}
    used_ratio = ours["processor_s"] / heal["processor_s"]
    return [
        Row("j", f"{what}: GlusterFS heal", heal),
        Row("j", f"{what}: rsync", rsync, rsync["s"] / heal["s"], "GlusterFS"),
        Row("j", f"{what}: mirror", ours, ours["s"] / heal["s"], "GlusterFS", HEAL_RATIO_MAX),
        Row("j", f"{what}: mirror, processor", used, used_ratio, "GlusterFS"),
    ]


def unpacked(hosts: Hosts, volume: Volume, rounds: int) -> list[Row]:
    """The standard library by tar."""
    local = hosts.disk("n1") / "unpack"
    local.mkdir()
    with hosts.mount(mirrored=True) as mirrored:
        at = {"local": local, "GlusterFS": volume.mount, "mirror": mirrored}
        seen = on_each(
            at, min(rounds, UNPACK_ROUNDS_MAX), partial(unpacked_stdlib, stdlib_archive(hosts))
        )
    targets = {"mirror": UNPACK_RATIO_MAX}
    rows = [
        Row(
            "j",
            f"unpack: {name}",
            each,
            each["s"] / seen["local"]["s"],
            "local",
            targets.get(name),
        )
        for name, each in seen.items()
    ]
    ratio = seen["mirror"]["s"] / seen["GlusterFS"]["s"]
    return [*rows, Row("j", "unpack: mirror", seen["mirror"], ratio, "GlusterFS")]


def gluster(hosts: Hosts, rounds: int) -> list[Row]:
    """(j) GlusterFS beside us: healing small files, unpacking through the mount."""
    if not installed():
        return [Row("j", "GlusterFS is not here: apt-get install glusterfs-server", {})]
    scale = FULL if hosts.full else SHORT
    count = int(os.environ.get("BENCH_FILES", scale.copied_files))
    with opened(hosts) as volume:
        return [*unpacked(hosts, volume, rounds), *healed(hosts, volume, count)]
