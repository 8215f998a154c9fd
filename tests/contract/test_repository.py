"""What is in git belongs to the product, not to the machine that it was written on."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Directories that exist everywhere, and so say nothing about a machine.
COMMON = {
    Path(name)
    for name in ("/", "/tmp", "/home", "/opt", "/root", "/srv", "/usr", "/usr/local", "/var")
}


def tracked_files() -> list[Path]:
    done = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"not a git checkout: {done.stderr.strip()}")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def machine_paths() -> set[Path]:
    """Where this checkout, its parent and the interpreter lie on this machine."""
    return {ROOT, ROOT.parent, Path(sys.base_prefix)} - COMMON


def test_no_file_mentions_a_path_of_this_machine() -> None:
    alternatives = "|".join(re.escape(f"{path}/") for path in machine_paths())
    pattern = re.compile(alternatives.encode())
    found = [str(path) for path in tracked_files() if pattern.search(path.read_bytes())]
    assert found == []


def test_scripts_can_be_executed_and_say_what_runs_them() -> None:
    for path in tracked_files():
        begins_as_script = path.read_bytes().startswith(b"#!")
        is_executable = bool(path.stat().st_mode & 0o100)
        assert begins_as_script == is_executable, f"{path}: #! and the mode must agree"
