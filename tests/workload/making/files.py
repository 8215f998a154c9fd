"""Operations on the content of files."""

import stat

from tests.workload import syscalls
from tests.workload.choices import (
    FAR_BYTES,
    LARGE_BYTES,
    MODES,
    SMALL_BYTES,
    UMASKS,
    Choices,
    Maker,
    regular,
    writable,
)
from tests.workload.model import Inode
from tests.workload.operations import Operation

_SLOTS_MAX = 8


def _open(gen: Choices) -> Operation | None:
    if len(gen.model.slots) >= _SLOTS_MAX:
        return None
    path = gen.new_path() if gen.random.random() < 0.5 else gen.some_path(regular)
    if path is None:
        return None
    flags = [gen.random.choice(("O_RDWR", "O_RDWR", "O_RDWR", "O_WRONLY", "O_RDONLY"))]
    flags += ["O_CREAT"] if gen.room() and gen.random.random() < 0.8 else []
    for flag, chance in (("O_EXCL", 0.15), ("O_TRUNC", 0.12), ("O_APPEND", 0.12)):
        flags += [flag] if gen.random.random() < chance else []
    flags += gen.random.choice(([], [], [], ["O_SYNC"], ["O_DSYNC"], ["O_DIRECT"]))
    if "O_EXCL" in flags and "O_CREAT" not in flags:
        flags.remove("O_EXCL")  # undefined without
    if "O_TRUNC" in flags and "O_RDONLY" in flags:
        flags.remove("O_TRUNC")  # unspecified
    if "O_DIRECT" in flags and "O_APPEND" in flags:
        flags.remove("O_APPEND")  # would need an aligned end
    there = gen.standing_at(path)
    if there is not None and not _opens_at_once(there, flags):
        return None
    user = gen.some_user() if there is None else gen.some_writer(there)
    gen._slot += 1
    return {
        "do": "open",
        "slot": gen._slot,
        "path": path,
        "flags": flags,
        "mode": gen.random.choice(MODES),
        "umask": gen.random.choice(UMASKS),
        **user,
    }


def _opens_at_once(inode: Inode, flags: list[str]) -> bool:
    """Fifos wait for the other end, sockets and devices answer with what is behind them."""
    if inode.is_directory:
        return "O_RDONLY" not in flags or "O_CREAT" in flags
    return inode.is_file or inode.is_kind(stat.S_IFLNK)


def _close(gen: Choices) -> Operation | None:
    found = gen.some_slot(lambda _: True)
    return None if found is None else {"do": "close", "slot": found[0]}


def _write(gen: Choices) -> Operation | None:
    found = gen.some_slot(lambda slot: slot.writable or gen.random.random() < 0.02)
    if found is None:
        return None
    number, slot = found
    offset, length = gen.range_in(slot)
    return {
        "do": "write",
        "slot": number,
        "offset": offset,
        "length": length,
        "tag": gen.tag(),
        **gen.some_writer(slot.inode),
    }


def _read(gen: Choices) -> Operation | None:
    found = gen.some_slot(lambda slot: slot.readable)
    if found is None:
        return None
    offset, length = gen.range_in(found[1])
    return {"do": "read", "slot": found[0], "offset": offset, "length": length}


def _truncate(gen: Choices) -> Operation | None:
    path = gen.some_path(regular)
    if path is None:
        return None
    size = gen.random.randrange(2 * SMALL_BYTES)
    user = gen.some_writer(gen.model.tree.lookup(path))
    return {"do": "truncate", "path": path, "size": size, **user}


def _ftruncate(gen: Choices) -> Operation | None:
    found = gen.some_slot(writable)
    if found is None:
        return None
    size = gen.random.choice((0, 1, 4096, gen.random.randrange(LARGE_BYTES)))
    size = FAR_BYTES if gen.random.random() < 0.01 else size
    user = gen.some_writer(found[1].inode)
    return {"do": "ftruncate", "slot": found[0], "size": size, **user}


def _fallocate(gen: Choices) -> Operation | None:
    found = gen.some_slot(writable)
    if found is None:
        return None
    keep, punch, zero = syscalls.KEEP_SIZE, syscalls.PUNCH_HOLE, syscalls.ZERO_RANGE
    mode = gen.random.choice((0, keep, punch | keep, punch | keep, zero, zero | keep))
    offset = gen.random.randrange(2 * LARGE_BYTES)
    length = 1 + gen.random.randrange(LARGE_BYTES)
    return {
        "do": "fallocate",
        "slot": found[0],
        "mode": mode,
        "offset": offset,
        "length": length,
    }


def _copy(gen: Choices) -> Operation | None:
    source = gen.some_slot(lambda slot: slot.readable)
    target = gen.some_slot(writable)
    if source is None or target is None or source[1].inode is target[1].inode:
        return None
    offset, length = gen.range_in(source[1])
    to_offset, _ = gen.range_in(target[1])
    if "O_DIRECT" in source[1].flags | target[1].flags:
        return None  # the kernel may copy by reading and writing: alignment is not ours to choose
    return {
        "do": "copy",
        "slot": source[0],
        "offset": offset,
        "length": length,
        "to_slot": target[0],
        "to_offset": to_offset,
    }


def _map(gen: Choices) -> Operation | None:
    found = gen.some_slot(lambda slot: "O_RDWR" in slot.flags and slot.inode.content.size > 0)
    if found is None:
        return None
    size = found[1].inode.content.size
    offset = gen.random.randrange(size)
    length = 1 + gen.random.randrange(min(size - offset, SMALL_BYTES))
    return {
        "do": "map",
        "slot": found[0],
        "offset": offset,
        "length": length,
        "tag": gen.tag(),
    }


def _fsync(gen: Choices) -> Operation | None:
    found = gen.some_slot(lambda _: True)
    if found is None:
        return None
    return {"do": "fsync", "slot": found[0], "datasync": gen.random.random() < 0.5}


WEIGHTS: tuple[tuple[Maker, int], ...] = (
    *((_open, 14), (_close, 7), (_write, 26), (_read, 6), (_truncate, 3), (_ftruncate, 4)),
    *((_fallocate, 6), (_copy, 5), (_map, 5), (_fsync, 2)),
)
