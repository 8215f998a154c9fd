"""Builds `mirror._native`, the one door from Python to C.

setuptools calls this through `cffi_modules`, when the package is installed and at `make native`.
The declarations are read out of mirror_native.h, so that header and Python cannot disagree; the C
itself is compiled by native/Makefile into an archive that is linked in.
"""

import contextlib
import fcntl
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cffi

NATIVE = Path(__file__).resolve().parent
ROOT = NATIVE.parent
BUILD = ROOT / "build" / "native"
ARCHIVE = BUILD / "release" / "libmirror.a"

# cffi's generated file follows other rules than ours: it may shadow, and cast as it likes.
PREAMBLE = """
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#include "mirror_native.h"
"""


def declarations(header: str) -> str:
    """Return what stands between the two cffi markers of `header`, without its comments.

    Raises: ValueError when the markers are not there exactly once each.
    """
    parts = re.split(r"/\* cffi: (?:begin|end) \*/", header)
    if len(parts) != 3:  # before, between, after
        raise ValueError("mirror_native.h: expected one begin and one end marker for cffi")
    return re.sub(r"/\*.*?\*/", "", parts[1], flags=re.DOTALL)


@contextlib.contextmanager
def build_lock() -> Iterator[None]:
    """Let one build at a time into build/native: a test run and `make` may meet there."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run_make(*arguments: str) -> str:
    """Run native/Makefile and return its output.

    Raises: RuntimeError with the compiler's words, when it fails.
    """
    command = ["make", "--no-print-directory", "-C", str(NATIVE), f"-j{os.cpu_count() or 1}"]
    done = subprocess.run(
        [*command, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the C code does not build:\n{done.stdout}")
    return done.stdout


def make_builder() -> cffi.FFI:
    """Describe the extension to cffi; compiles nothing."""
    builder = cffi.FFI()
    builder.cdef(declarations((NATIVE / "mirror_native.h").read_text()))
    builder.set_source(
        "mirror._native",
        PREAMBLE,
        include_dirs=[str(NATIVE)],
        extra_objects=[str(ARCHIVE)],
        depends=[str(ARCHIVE)],
        libraries=["ssl", "crypto", "lmdb", "pthread"],
        extra_compile_args=["-std=c11", "-D_GNU_SOURCE", "-O2", "-g"],
    )
    return builder


def ffibuilder() -> cffi.FFI:
    """Compile the archive, then hand the description to setuptools.

    Raises: SystemExit with the compiler's words, which need no traceback around them.
    """
    with build_lock():
        try:
            run_make("library")
        except RuntimeError as failure:
            raise SystemExit(str(failure)) from None
    return make_builder()
