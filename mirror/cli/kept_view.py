"""Draws versions kept aside, and says why each folder is there."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from mirror.adapters import clock
from mirror.core.generations import ROWS

OTHER_REASONS = {
    "edited": "edited while the module was stopped",
    "unsent": "written and not sent before the other node took over",
    "interrupted": "replaced by a sending that a takeover interrupted",
    "restored": "stood where a version was restored",
}
WHY = {row.row_id: row.why for row in ROWS}


def reason_of(folder: str) -> tuple[str, str]:
    """The row of the generations table that made a folder, "" for none, and why it is there."""
    first = folder.split("-", 1)[0]
    if first in WHY:
        return first, WHY[first]
    return "", OTHER_REASONS.get(first, "kept before it was replaced")


def size_text(size_bytes: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size_bytes < 1024 or unit == "GiB":
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    raise AssertionError("the last unit returns")


def kept_view(value: Mapping[str, Any]) -> RenderableType:
    """What was kept, and how much room it takes."""
    if not value["files"]:
        return f"{value['module']}: nothing is kept aside"
    folders = Table(box=None, pad_edge=False)
    for title in ("node", "folder", "since", "files", "size", "why"):
        folders.add_column(title)
    for one in value["folders"]:
        folders.add_row(
            one["node"],
            one["folder"],
            one["since"],
            str(one["files"]),
            size_text(one["bytes"]),
            one["why"],
        )
    files = Table(box=None, pad_edge=False)
    for title in ("id", "node", "what", "size", "modified", "file"):
        files.add_column(title, overflow="fold")
    for one in value["files"]:
        files.add_row(
            one["id"],
            one["node"],
            one["what"],
            size_text(one["size_bytes"]),
            clock.wall_text(one["mtime_us"]),
            f"{one['directory']}/{one['path']}",
        )
    rest = [f"free: {size_text(value['free_bytes'])}"]
    if not value["complete"]:
        rest.insert(0, "there are more than are listed")
    return Group(folders, "", files, "", *rest)


def changed_view(value: Mapping[str, Any]) -> RenderableType:
    """What this node changed alone."""
    if not value["files"]:
        return f"{value['node']}: nothing was changed since the pair parted"
    table = Table(box=None, pad_edge=False)
    for title in ("what", "size", "modified", "file"):
        table.add_column(title, overflow="fold")
    for one in value["files"]:
        gone = not one["exists"]
        table.add_row(
            "deleted" if gone else one["what"],
            "" if gone or one["is_directory"] else size_text(one["size_bytes"]),
            "" if gone else clock.wall_text(one["mtime_us"]),
            f"{one['directory']}/{one['path']}",
        )
    since = clock.wall_text(value["since_us"]) if value["since_us"] else "an unknown time"
    first = f"{value['node']}, alone since {since}:"
    return Group(first, table, "" if value["complete"] else "and more than is listed")
