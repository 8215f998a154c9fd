"""`mirror rfsverify` and `mirror rfsdiff`: are both copies the same, and what would joining cost.

The control plane asks the data plane; here it is asked for, followed and shown.
"""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from mirror.cli.options import common, pass_session
from mirror.cli.session import Session
from mirror.errors import EXIT_FAILED
from mirror.vocabulary.units import format_duration, format_size

POLL_S = 0.5
LISTED = 20


@click.command()
@click.option("--repair", is_flag=True, help="Mend what differs, from the node that serves.")
@click.option("--show", is_flag=True, help="Show the one under way, or the last one.")
@click.option("--stop", is_flag=True, help="End the one under way.")
@click.option("--background", is_flag=True, help="Begin it and do not wait for its end.")
@common
@pass_session
def rfsverify(session: Session, *, repair: bool, show: bool, stop: bool, background: bool) -> None:
    """Compare both copies of the data while the application runs; on PRIM.

    Exit code 1: they differ, or it did not come to its end.
    """
    module = session.module_for("rfsverify")
    action = "show" if show else "stop" if stop else "start"
    reply = session.command("rfsverify", module, action=action, repair=repair)
    if action == "start" and not background:
        reply = _follow(session, module)
    session.report(reply, "\n".join(verification_lines(reply)))
    if reply.get("outcome") in ("different", "interrupted") and not stop:
        click.get_current_context().exit(EXIT_FAILED)


def _follow(session: Session, module: str) -> dict[str, Any]:
    """Show how far it is, on a terminal, until it has ended."""
    shown = sys.stderr.isatty() and not session.as_json
    while True:
        reply = session.command("rfsverify", module, action="show")
        if reply.get("outcome") != "running":
            break
        if shown:
            click.echo(f"\r\x1b[K{progress_text(reply.get('progress') or {})}", nl=False, err=True)
        time.sleep(POLL_S)
    if shown:
        click.echo("\r\x1b[K", nl=False, err=True)
    return dict(reply)


def progress_text(progress: Mapping[str, Any]) -> str:
    """How far a verification is: `data, 1.2 GiB of 1.5 GiB, 4 of 9 files, 93 MiB/s, 3 s left`."""
    if not progress:
        return "begins"
    done, total = int(progress["bytes_done"]), int(progress["bytes_total"])
    parts = [
        str(progress["phase"]),
        f"{format_size(done)} of {format_size(total)}",
        f"{progress['files_done']} of {progress['files_total']} files",
        f"{format_size(int(progress['rate_bytes_s']))}/s",
    ]
    if progress.get("eta_s") is not None:
        parts.append(f"{format_duration(int(progress['eta_s']) * 1_000)} left")
    return ", ".join(parts)


def verification_lines(found: Mapping[str, Any]) -> list[str]:
    """A verification for people: what came out, and the first differences."""
    outcome, count = str(found.get("outcome")), int(found.get("differences") or 0)
    say = _SENTENCES.get(outcome)
    lines = [
        say(found) if say else outcome,
        *(f"  {_line(each)}" for each in (found.get("listed") or [])[:LISTED]),
    ]
    if count > LISTED:
        lines.append(f"  and {count - LISTED} more (--json lists the first 1000)")
    if found.get("repair") and count:
        lines.append(f"believed: {found['believed']}, because {found['because']}")
        lines.append(f"what was replaced is kept: mirror kept, folder {found['kept_aside']}")
    elif outcome == "different":
        lines.append("to do: `rfsverify --repair` copies from the node that serves")
    if found.get("observed") and outcome != "interrupted":
        lines.append(str(found["observed"]))
    if found.get("busy"):
        lines.append(
            f"{found['busy']} objects changed all the time; their times were not compared"
        )
    return lines


def _looked(found: Mapping[str, Any]) -> str:
    progress = found.get("progress") or {}
    size = format_size(int(progress.get("bytes_done") or 0))
    return f"{progress.get('files_done', 0)} files, {size} compared"


_SENTENCES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "never": lambda _: "not verified yet",
    "running": lambda found: f"under way: {progress_text(found.get('progress') or {})}",
    "equal": lambda found: f"both nodes are equal: {_looked(found)}",
    "different": lambda found: f"{found['differences']} differences: {_looked(found)}",
    "repaired": lambda found: f"{found['repaired']} differences mended: {_looked(found)}",
    "interrupted": lambda found: f"interrupted: {found['observed']}: {_looked(found)}",
}


def _line(each: Mapping[str, Any]) -> str:
    where = "" if each["offset_bytes"] is None else f" at offset {each['offset_bytes']}"
    size = "" if each["size_bytes"] is None else f", {each['size_bytes']} bytes"
    path = f"{each['directory']}/{each['path']}"
    return f"{path}: {each['kind']}{where}{size}: {each['prim']} | {each['second']}"


@click.command()
@common
@pass_session
def rfsdiff(session: Session) -> None:
    """Say what changed since this node is alone, and how long joining will take; on ALONE."""
    module = session.module_for("rfsdiff")
    found = session.command("rfsdiff", module)
    size = format_size(int(found["bytes"]))
    lines = [f"to be compared: {found['files']} files, {size}, {found['names']} names"]
    lines += [
        f"{directory} is compared wholly: that is the most it can be"
        for directory in found.get("whole") or []
    ]
    seconds, last = found.get("seconds"), found.get("last") or {}
    if seconds is None:
        lines.append("how long: not known, no reintegration was measured yet")
    else:
        lines.append(
            f"about {format_duration(int(float(seconds) * 1_000))}, at the rate of the last one:"
            f" {format_size(int(last['bytes_compared']))} in {float(last['seconds']):.1f} s"
        )
    session.report(found, "\n".join(lines))


@click.command()
@click.option("-d", "forget", is_flag=True, help="Forget a copy that was named before.")
@click.argument("words", nargs=-1, metavar="[full | [external] prim|second UID]")
@common
@pass_session
def rfssync(session: Session, *, forget: bool, words: tuple[str, ...]) -> None:
    """Ship a copy of the data by hand: name it on both nodes, and only differences are sent.

    `rfssync external prim UID` where the data are (ALONE or stopped), then copy the directories;
    `rfssync external second UID` on the other node, stopped, once the copy is in its directories.
    `rfssync full`: everything is compared at the next joining. Without words: what is named here.
    """
    arguments: dict[str, object] = {"action": "show"}
    given = words[1:] if words[:1] == ("external",) else words
    if words == ("full",) and not forget:
        arguments = {"action": "full"}
    elif len(given) == 2 and (forget or given != words) and given[0] in ("prim", "second"):
        action = "forget" if forget else "external"
        arguments = {"action": action, "side": given[0], "uid": given[1]}
    elif words or forget:
        raise click.UsageError("it takes nothing, `full`, or `[-d] external prim|second UID`")
    reply = session.command("rfssync", session.module_for("rfssync"), **arguments)
    lines = [str(reply["said"])] if reply.get("said") else []
    lines += [f"copy {each['uid']}: {each['side']}" for each in reply.get("copies") or []]
    if reply.get("full") and not reply.get("said"):
        lines.append("everything is compared when the two nodes join the next time")
    session.report(reply, "\n".join(lines or ["no copy is named here"]))
