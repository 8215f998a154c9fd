"""The layers of the C code, as far as `#include "..."` tells.

ffi -> capture | apply -> link -> journal | wire | lower -> hash -> util
capture -> fuse -> util
"""

import re
from pathlib import Path

import pytest

NATIVE = Path(__file__).resolve().parents[2] / "native"
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', re.MULTILINE)
PUBLIC_HEADER = "mirror_native.h"

MAY_INCLUDE: dict[str, set[str]] = {
    "util": set(),
    "vhost": set(),  # loaded into applications: it knows nothing of mirror
    "hash": {"util"},
    "fuse": {"util"},
    "lower": {"hash", "util"},
    "journal": {"hash", "util"},
    "wire": {"hash", "util"},
    "link": {"journal", "wire", "lower", "hash", "util"},
    "apply": {"link", "journal", "wire", "lower", "hash", "util"},
    "capture": {"link", "journal", "wire", "lower", "hash", "util", "fuse"},
    "ffi": {"capture", "apply", "link", "journal", "wire", "lower", "hash", "util", "fuse"},
}

FILES = sorted(path for path in NATIVE.rglob("*.[ch]") if path.name != PUBLIC_HEADER)


def wrong_includes(folder: str, text: str) -> list[str]:
    wrong = []
    for included in INCLUDE.findall(text):
        if included == PUBLIC_HEADER:
            allowed = folder == "ffi"
        else:
            allowed = included.partition("/")[0] in MAY_INCLUDE[folder] | {folder}
        if not allowed:
            wrong.append(included)
    return wrong


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(NATIVE)))
def test_includes_go_one_way(path: Path) -> None:
    folder = path.relative_to(NATIVE).parts[0]
    assert folder in MAY_INCLUDE, f"native/{folder} has no place in the layers"
    assert wrong_includes(folder, path.read_text()) == []
    for included in INCLUDE.findall(path.read_text()):
        assert (NATIVE / included).exists(), f'"{included}" is not relative to native/'


def test_a_wrong_include_is_found() -> None:
    text = '#include <stdio.h>\n#include "util/bytes.h"\n  # include "capture/locks.h"\n'
    assert wrong_includes("link", text) == ["capture/locks.h"]
    assert wrong_includes("capture", '#include "mirror_native.h"') == ["mirror_native.h"]
    assert wrong_includes("ffi", '#include "mirror_native.h"') == []
