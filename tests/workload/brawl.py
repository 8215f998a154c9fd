"""Processes that want the same few names at the same time: what comes of it nobody can foretell.

There is no model, so nothing is checked here; whoever calls compares the copies.
"""

import multiprocessing
import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.workload import syscalls
from tests.workload.operations import pattern

_NAMES = ("a", "b", "c", "d")
_SIZE = 40_000
_RUN_S_MAX = 400  # on a machine that does other work too


def brawl(top: Path, seed: int, *, processes: int, operations: int) -> Counter[int]:
    """Let so many processes perform so many operations each, in `top`.

    Returns: how often each errno came, 0 for success.
    """
    # Spawned: a fork of a process that serves a mount would keep its descriptors.
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as pool:
        started = [
            pool.apply_async(_fight, (top, seed * 100 + number, operations))
            for number in range(processes)
        ]
        return sum((each.get(_RUN_S_MAX) for each in started), Counter[int]())


def _fight(top: Path, seed: int, operations: int) -> Counter[int]:
    chance = random.Random(seed)
    outcomes: Counter[int] = Counter()
    os.chdir(top)
    for _ in range(operations):
        try:
            chance.choice(_BLOWS)(chance)
            outcomes[0] += 1
        except OSError as error:
            outcomes[error.errno or -1] += 1
    os.chdir("/")
    return outcomes


def _path(chance: random.Random) -> str:
    return "/".join(chance.choice(_NAMES) for _ in range(chance.choice((1, 1, 2, 2, 3))))


def _with_file(chance: random.Random, act: Callable[[int], object]) -> None:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | chance.choice((0, 0, 0, os.O_TRUNC))
    fd = os.open(_path(chance), flags | chance.choice((0, os.O_APPEND)), 0o644)
    try:
        for _ in range(chance.randrange(4)):
            act(fd)
    finally:
        os.close(fd)


def _write(chance: random.Random) -> None:
    def act(fd: int) -> None:
        data = pattern(chance.getrandbits(40), chance.randrange(9000))
        os.pwrite(fd, data, chance.randrange(_SIZE))

    _with_file(chance, act)


def _resize(chance: random.Random) -> None:
    _with_file(chance, lambda fd: os.ftruncate(fd, chance.randrange(_SIZE)))


def _punch(chance: random.Random) -> None:
    mode = chance.choice((0, syscalls.KEEP_SIZE | syscalls.PUNCH_HOLE, syscalls.ZERO_RANGE))
    _with_file(
        chance,
        lambda fd: syscalls.fallocate(
            fd, mode, chance.randrange(_SIZE), 1 + chance.randrange(9000)
        ),
    )


def _copy(chance: random.Random) -> None:
    source = os.open(_path(chance), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        _with_file(
            chance,
            lambda fd: os.copy_file_range(
                source, fd, 8192, chance.randrange(_SIZE), chance.randrange(_SIZE)
            ),
        )
    finally:
        os.close(source)


def _rename(chance: random.Random) -> None:
    flags = chance.choice((0, 0, syscalls.RENAME_NOREPLACE, syscalls.RENAME_EXCHANGE))
    at_cwd = -100
    syscalls.rename(at_cwd, _path(chance), at_cwd, _path(chance), flags)


def _attributes(chance: random.Random) -> None:
    path = _path(chance)
    match chance.randrange(4):
        case 0:
            os.chmod(path, 0o400 | chance.getrandbits(9))
        case 1:
            os.lchown(path, chance.randrange(9), chance.randrange(9))
        case 2:
            os.setxattr(path, "trusted.x", chance.randbytes(9), follow_symlinks=False)
        case _:
            os.utime(path, ns=(chance.getrandbits(60), chance.getrandbits(60)))


_BLOWS: tuple[Callable[[random.Random], object], ...] = (
    *(_write, _write, _write, _resize, _punch, _copy, _rename, _rename, _rename),
    *(_attributes, _attributes),
    lambda chance: os.mkdir(_path(chance)),
    lambda chance: os.mkdir(_path(chance)),
    lambda chance: os.rmdir(_path(chance)),
    lambda chance: os.unlink(_path(chance)),
    lambda chance: os.link(_path(chance), _path(chance), follow_symlinks=False),
    lambda chance: os.symlink("a", _path(chance)),
    lambda chance: os.listdir(_path(chance)),
)
