"""Where one module was: a small file for the next control plane of the same boot of the host.

It decides nothing about the data: those have the durable record. A loss of power makes it void.
"""

import contextlib
import json
from dataclasses import asdict
from pathlib import Path

from mirror.adapters.durable import write_into_reserve
from mirror.vocabulary.actions import SaveState
from mirror.vocabulary.states import State

NAME = "automaton.json"
FIRST_PROCESS = Path("/proc/1/stat")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
START_TIME_FIELD = 19  # of what follows the name in proc(5)'s stat


def read_saved_state(directory: Path) -> SaveState | None:
    """Read what an earlier control plane of this boot left; None when there was none."""
    try:
        content = json.loads((directory / NAME).read_text(encoding="utf-8"))
        if content["boot"] != boot_name():
            return None
        return SaveState(State(content["state"]), str(content["goal"]), str(content["session"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_saved_state(directory: Path, saved: SaveState) -> None:
    """Replace the file. Blocking."""
    write_small_file(directory / NAME, json.dumps(asdict(saved) | {"boot": boot_name()}))


def write_small_file(file: Path, content: str) -> None:
    """Replace a file: whole for the next process, not for the next boot; on a full disk too.

    Spaces follow the content.
    """
    with contextlib.suppress(OSError):
        write_into_reserve(file, content.encode(), durably=False)


def boot_name() -> str:
    """Name this boot of the host; a container's is that of its first process."""
    with contextlib.suppress(OSError):
        # After the last ')': the name may hold spaces and brackets.
        fields = FIRST_PROCESS.read_text(encoding="utf-8").rpartition(")")[2].split()
        kernel = BOOT_ID.read_text(encoding="ascii").strip()
        return f"{kernel}-{fields[START_TIME_FIELD]}"
    return ""
