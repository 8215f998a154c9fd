"""<rfs> as values: the replicated directories and how they are replicated."""

from itertools import combinations
from pathlib import PurePosixPath

from mirror.config.models import Replicated, Rfs
from mirror.config.notes import Notes
from mirror.config.reader import Checked
from mirror.vocabulary.said import say


def build_rfs(notes: Notes, element: Checked) -> Rfs:
    """Build <rfs>; overlapping directories are refused."""
    value = element.values
    replicated = element.all("replicated")
    _refuse_nested(notes, replicated)
    if value["verifyat"] is not None:
        notes.lines["verifyat"] = element.line_of("verifyat")
    flow = element.one("flow")
    if value["capture"] == "watch":
        notes.collector.notice(element.line_of("capture"), say("config.watch"))
    return Rfs(
        barrier=value["barrier"],
        acknowledge=value["async"],
        capture=value["capture"],
        policy=value["policy"],
        nbrei=value["nbrei"],
        reiallowedbw_bytes_s=value["reiallowedbw"],
        locktimeout_ms=value["locktimeout"],
        sendtimeout_ms=value["sendtimeout"],
        iotimeout_ms=value["iotimeout"],
        reitimeout_ms=value["reitimeout"],
        syncdelta_ms=value["syncdelta"],
        verifyat=value["verifyat"],
        syncat=value["syncat"],
        flow_network=flow.values["name"] if flow else None,
        replicated=tuple(_replicated(notes, child) for child in replicated),
    )


def _replicated(notes: Notes, element: Checked) -> Replicated:
    notes.lines[f"dir {element.values['dir']}"] = element.line_of("dir")
    excluded = element.all("notreplicated")
    for child in excluded:
        if (child.values["path"] is None) == (child.values["regexpath"] is None):
            notes.collector.refuse(child.line, say("config.notreplicated"))
    paths = (child.values["path"] for child in excluded)
    expressions = (child.values["regexpath"] for child in excluded)
    return Replicated(
        directory=element.values["dir"],
        read_only=element.values["mode"] == "read_only",
        to_check=tuple(child.values["path"] for child in element.all("tocheck")),
        not_replicated=tuple(path for path in paths if path is not None),
        not_replicated_regex=tuple(one for one in expressions if one is not None),
    )


def _refuse_nested(notes: Notes, replicated: tuple[Checked, ...]) -> None:
    for first, second in combinations(replicated, 2):
        outer, inner = first.values["dir"], second.values["dir"]
        if overlaps(outer, inner):
            code = "config.same" if outer == inner else "config.overlaps"
            line = first.line_of("dir")
            notes.collector.refuse(
                second.line_of("dir"), say(code, inner=inner, outer=outer, line=line)
            )


def overlaps(first: str, second: str) -> bool:
    """Whether one of two absolute directories is the other, or lies beneath it."""
    one, other = PurePosixPath(first), PurePosixPath(second)
    return one == other or one in other.parents or other in one.parents
