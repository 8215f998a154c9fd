"""Which script a module runs now, in a small file: who is killed leaves it running.

The next control plane ends it before it runs any: two stop scripts, or one beside a start script
of before, would leave an application half started (invariant 8). Blocking, but short.
"""

import contextlib
import json
import os
import select
import signal
from dataclasses import asdict, dataclass
from pathlib import Path

from mirror.adapters.durable import write_into_reserve

NAME = "script"
_PROC = Path("/proc")
_BEGAN_FIELD = 19  # of what follows the name in proc(5)'s stat: ticks since the host started


@dataclass(frozen=True, slots=True)
class ScriptInHand:
    """pid: of the script, which leads its session. began: tells it from another with this pid.

    group: the script's own, to be ended with it; "" when it starts an application.
    """

    script: str
    pid: int
    began: int
    group: str


def note(directory: Path, script: str, pid: int, group: str) -> None:
    """Remember it. A disk that refuses costs what this is for, not the script."""
    with contextlib.suppress(OSError):
        content = json.dumps(asdict(ScriptInHand(script, pid, _began(pid) or -1, group)))
        write_into_reserve(directory / NAME, content.encode(), durably=False)


def forget(directory: Path) -> None:
    """It ended."""
    with contextlib.suppress(OSError):
        write_into_reserve(directory / NAME, b"", durably=False)


def find(directory: Path) -> ScriptInHand | None:
    """Give the script that an earlier control plane left, if it still runs."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        found = ScriptInHand(**json.loads((directory / NAME).read_text(encoding="utf-8")))
        if _began(found.pid) == found.began:
            return found
    return None


def kill(found: ScriptInHand, timeout_s: float) -> bool:
    """Kill it and the processes of its process group. Returns: whether it is gone in time."""
    try:
        pidfd = os.pidfd_open(found.pid)
    except OSError:
        return True
    try:
        if _began(found.pid) != found.began:
            return True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(found.pid, signal.SIGKILL)
        return bool(select.select([pidfd], [], [], timeout_s)[0])
    except OSError:
        return True
    finally:
        os.close(pidfd)


def _began(pid: int) -> int:
    """Tell when it began; 0 of one that has ended and waits to be buried. Raises: OSError."""
    # After the last ')': the name may hold spaces and brackets.
    fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    return 0 if fields[0] in {"Z", "X"} else int(fields[_BEGAN_FIELD])
