"""Every FUSE operation of linux/fuse.h stands in the table of operations, once, with a reason."""

import re
from collections import Counter
from pathlib import Path

TABLE = Path(__file__).parents[2] / "native" / "capture" / "operations.h"
HEADER = Path("/usr/include/linux/fuse.h")
# Answered to the kernel, never asked by it; or of CUSE.
NOT_ASKED = {"CUSE_INIT", "CUSE_INIT_BSWAP_RESERVED", "FUSE_INIT_BSWAP_RESERVED"}
ROW = re.compile(r"ROW\((\w+),\s+(\w+),\s+(PASSED|REPLICATED|REFUSED),\s+(\w+),\s+\"(.+?)\"\)")


def rows() -> list[tuple[str, ...]]:
    return ROW.findall(TABLE.read_text(encoding="utf-8").replace("\\\n", " "))


def opcodes() -> set[str]:
    text = HEADER.read_text(encoding="utf-8")
    block = text[text.index("enum fuse_opcode") : text.index("enum fuse_notify_code")]
    return set(re.findall(r"^\t(\w+)\s*=", block, re.MULTILINE)) - NOT_ASKED


def test_every_operation_stands_in_the_table_once() -> None:
    found = Counter(row[0] for row in rows())
    assert set(found.values()) == {1}
    missing = opcodes() - {name.replace("MN_FUSE_", "FUSE_") for name in found}
    assert missing == set()


def test_refusals_have_an_errno_and_every_row_a_reason() -> None:
    for _, handler, treatment, error, why in rows():
        assert (treatment == "REFUSED") == (error != "0"), handler
        assert (treatment == "REFUSED") == (handler == "mn_op_refused"), handler
        assert len(why) > 5


def test_sync_is_never_answered_by_a_silent_fallback() -> None:
    by_name = {row[0]: row for row in rows()}
    for name in ("FUSE_FSYNC", "FUSE_FSYNCDIR", "FUSE_FLUSH"):
        assert by_name[name][2] != "REFUSED"
