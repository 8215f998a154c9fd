"""The cases, and what they share. An observation is anything that JSON can hold."""

import errno
import json
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

CASES: dict[str, Callable[[Path], object]] = {}
USER, GROUP, OTHER_GROUP = 1234, 4321, 5432


def case(function: Callable[[Path], object]) -> Callable[[Path], object]:
    """Register a case; its name is the function's."""
    assert function.__name__ not in CASES, function.__name__
    CASES[function.__name__] = function
    return function


def attempt(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """What it returns, or the name of the errno; "ok" for what returns nothing."""
    try:
        result = function(*arguments, **named)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    if isinstance(result, bytes):
        return result.hex() if len(result) < 200 else f"{len(result)} bytes"
    return "ok" if result is None else result


def make(path: Path, content: bytes = b"", mode: int = 0o644) -> Path:
    """A file with this content and exactly this mode."""
    path.write_bytes(content)
    path.chmod(mode)
    return path


def opened(path: Path | str, flags: int, mode: int = 0o600) -> Any:
    """Open and close at once; "ok" or the errno."""

    def act() -> None:
        os.close(os.open(path, flags, mode))

    return attempt(act)


def in_child(function: Callable[[], Any]) -> Any:
    """What `function` returns in a child process; None if that was killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            os.write(writing, json.dumps(function()).encode())
        except BaseException:  # noqa: BLE001 - the child must not go on as if it were the parent
            os.write(writing, json.dumps(traceback.format_exc()[-900:]).encode())
        finally:
            os._exit(0)
    os.close(writing)
    parts = []
    while part := os.read(reading, 65536):
        parts.append(part)
    os.close(reading)
    os.waitpid(child, 0)
    return json.loads(b"".join(parts)) if parts else None


def as_user(
    function: Callable[[], Any], uid: int = USER, gid: int = GROUP, groups: tuple[int, ...] = ()
) -> Any:
    """What `function` returns in a process of an ordinary user."""

    def act() -> Any:
        os.setgroups(groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        os.umask(0o022)
        return function()

    return in_child(act)


def shown(path: Path | str | int) -> list[object]:
    """Mode, owner, link count and size, as stat says."""
    found = os.stat(path) if isinstance(path, int) else os.lstat(path)
    return [oct(found.st_mode), found.st_uid, found.st_gid, found.st_nlink, found.st_size]


def parallel(function: Callable[[int], int], count: int) -> list[int]:
    """What `function(number)` returns in so many processes at once."""
    pipes = []
    children = []
    for number in range(count):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(writing, str(function(number)).encode())
            finally:
                os._exit(0)
        os.close(writing)
        pipes.append(reading)
        children.append(child)
    found = [os.read(reading, 100) for reading in pipes]
    for reading, child in zip(pipes, children, strict=True):
        os.close(reading)
        os.waitpid(child, 0)
    return [int(each or b"-1") for each in found]
