"""Builds the C tests and fuzz targets with the sanitizers on, and runs each as one test."""

import os
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest

from native.build_native import BUILD, build_lock, run_make

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
RUN_TIMEOUT_S = 600
# About five seconds a target on a small machine; MIRROR_FUZZ_RUNS raises it for a long evening.
FUZZ_RUNS = int(os.environ.get("MIRROR_FUZZ_RUNS", "200000"))
FUZZ_SEED = int(os.environ.get("MIRROR_FUZZ_SEED", "1"))

ASAN_TESTS = sorted(HERE.rglob("test_*.c"))
TSAN_TESTS = sorted(HERE.rglob("tsan_*.c"))
FUZZ_TARGETS = sorted(HERE.rglob("fuzz_*.c"))

# Address randomization of new kernels leaves no room for the sanitizers' shadow memory of older
# compilers: the program then dies at its start, now and then. Some containers forbid to switch it
# off; there it runs as it is.
FIXED_ADDRESSES = ["setarch", "--addr-no-randomize"]
if subprocess.run([*FIXED_ADDRESSES, "true"], check=False, capture_output=True).returncode != 0:
    FIXED_ADDRESSES = []


def program_of(source: Path, variant: str) -> Path:
    return BUILD / variant / "tests" / source.relative_to(HERE).with_suffix("")


def build(goal: str, variant: str, program: Path) -> None:
    """Build everything of `goal`, going on after a failure; then `program` must be there."""
    with build_lock():
        try:
            run_make("--keep-going", goal, f"VARIANT={variant}")
        except RuntimeError:
            run_make(
                str(Path("..") / program.relative_to(BUILD.parent.parent)), f"VARIANT={variant}"
            )


def run(command: list[str], directory: Path) -> None:
    environment = {
        **os.environ,
        "ASAN_OPTIONS": "abort_on_error=1:detect_stack_use_after_return=1:strict_string_checks=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
        "TMPDIR": str(directory),
    }
    done = subprocess.run(
        [*FIXED_ADDRESSES, *command],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stdout}"


def name_of(source: Path) -> str:
    return str(source.relative_to(HERE).with_suffix(""))


@pytest.mark.parametrize("source", ASAN_TESTS, ids=name_of)
def test_under_asan_and_ubsan(source: Path, tmp_path: Path) -> None:
    program = program_of(source, "asan")
    build("tests", "asan", program)
    run([str(program)], tmp_path)


@pytest.mark.parametrize("source", TSAN_TESTS, ids=name_of)
def test_under_tsan(source: Path, tmp_path: Path) -> None:
    program = program_of(source, "tsan")
    build("tests", "tsan", program)
    run([str(program)], tmp_path)


@pytest.mark.parametrize("source", FUZZ_TARGETS, ids=name_of)
def test_fuzz(source: Path, tmp_path: Path) -> None:
    program = program_of(source, "asan")
    build("fuzzers", "asan", program)
    seeds = sorted(path for path in (CORPUS / source.stem).glob("*") if path.is_file())
    worst = tmp_path / "worst"
    # Each target its own sequence, the same one in every run.
    seed = FUZZ_SEED + zlib.crc32(source.stem.encode())
    try:
        run([str(program), str(seed), str(FUZZ_RUNS), str(worst), *map(str, seeds)], tmp_path)
    except AssertionError:
        if worst.exists():
            kept = BUILD / f"{source.stem}-{zlib.crc32(worst.read_bytes()):08x}"
            shutil.copy(worst, kept)
            pytest.fail(f"{source.stem} died of the input kept in {kept}: {worst.read_bytes()!r}")
        raise
