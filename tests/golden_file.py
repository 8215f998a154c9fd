"""Compares with a file that a person has read; `make golden` rewrites it, git shows the diff."""

import os
from pathlib import Path

WRITING = os.environ.get("MIRROR_GOLDEN") == "write"


def check_golden(path: Path, text: str) -> None:
    """Fail when `text` is not what the golden file holds; write it there under `make golden`."""
    if WRITING:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert path.exists(), f"{path} is missing: run make golden, and read what it wrote"
    assert text == path.read_text(), f"{path} is stale: run make golden, and read the diff"
