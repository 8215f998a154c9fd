"""Writes what follows from the table: the C messages, and the table in PROTOCOL.md.

    python -m mirror.wire.generate            writes them (make golden does)
    python -m mirror.wire.generate --check    writes nothing; fails when one is not current

A tool of developers, not of the running product: the one file of wire/ that touches the disk.
"""

import argparse
import sys
from pathlib import Path

from mirror.wire import render_c
from mirror.wire.fields import MESSAGE_FIELDS, size_bytes_min
from mirror.wire.schema import MESSAGES, RETIRED, STRUCTS, Message

ROOT = Path(__file__).resolve().parents[2]
BEGIN = "<!-- generated from mirror/wire/schema.py: begin -->"
END = "<!-- generated from mirror/wire/schema.py: end -->"


def protocol_table() -> str:
    """The messages, the structs of their lists and the withdrawn codes, in Markdown."""
    lines = [
        "| code | message | from | lanes | answer | since | bytes, at least | fields |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(message) for message in MESSAGES),
        "",
        *(f"* **{message.name}**: {message.meaning}." for message in MESSAGES),
        "",
        "Structs in lists:",
        "",
        *(f"* **{name}**: `{fields}`" for name, fields in STRUCTS.items()),
    ]
    if RETIRED:
        lines += ["", "Withdrawn, and never used again:", ""]
        lines += [
            f"* `0x{row.code:02x}` {row.name}, versions {row.since} to {row.until}: {row.why}"
            for row in RETIRED
        ]
    return "\n".join(lines)


def _row(message: Message) -> str:
    lanes = "any" if len(message.lanes) == 3 else ", ".join(message.lanes)
    cells = (
        f"`0x{message.code:02x}`",
        message.name,
        message.side,
        lanes,
        message.answer or "none",
        str(message.since),
        str(size_bytes_min(MESSAGE_FIELDS[message.name])),
        f"`{message.fields}`",
    )
    return f"| {' | '.join(cells)} |"


def protocol_document(current: str) -> str:
    """PROTOCOL.md with the table between its markers brought up to date.

    Raises: ValueError when the markers are not there exactly once each.
    """
    before, begin, rest = current.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in after or END in after:
        raise ValueError(f"PROTOCOL.md: expected {BEGIN} and {END}, once each")
    return f"{before}{BEGIN}\n\n{protocol_table()}\n\n{END}{after}"


def rendered(root: Path = ROOT) -> dict[Path, str]:
    """Every generated file, and what it must hold. PROTOCOL.md is read for its prose."""
    protocol = root / "PROTOCOL.md"
    return {
        root / "native/wire/wire_messages.h": render_c.header(),
        root / "native/wire/wire_messages.c": render_c.source(),
        protocol: protocol_document(protocol.read_text(encoding="utf-8")),
    }


def stale(root: Path = ROOT) -> list[Path]:
    """The generated files that do not hold what they must."""
    return [
        path
        for path, text in rendered(root).items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str] | None = None) -> int:
    """Write, or check; 1 when a file is not current."""
    parser = argparse.ArgumentParser(prog="python -m mirror.wire.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 when not current")
    options = parser.parse_args(arguments)
    outdated = stale()
    for path in outdated:
        name = path.relative_to(ROOT)
        if options.check:
            sys.stderr.write(f"{name} does not follow mirror/wire/schema.py; run make golden\n")
        else:
            path.write_text(rendered()[path], encoding="utf-8")
            sys.stdout.write(f"{name} written\n")
    return 1 if options.check and outdated else 0


if __name__ == "__main__":
    sys.exit(main())
