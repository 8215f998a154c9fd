"""How a state is shown: SafeKit's words, the safety sentence, the reason, the progress.

Pure: replies of the control plane in, text out. Colour is never the only sign: the word is there.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mirror.adapters import clock
from mirror.cli.replication import verification_lines
from mirror.cli.words import Values, state_word
from mirror.vocabulary.units import format_duration, format_size

COLOURS = {"Ready": "green", "Transient": "yellow", "NotReady": "red"}


def state_text(values: Values) -> Text:
    """The same, in its colour."""
    word = state_word(values)
    readiness = word.rpartition("(")[2].rstrip(")")
    return Text(word, style=COLOURS.get(readiness, ""))


def modules_view(modules: Mapping[str, Values]) -> RenderableType:
    """All modules: one block each."""
    if not modules:
        return Text("No module is configured on this node; `config -m MODULE` configures one.")
    return Group(*(module_view(name, values) for name, values in modules.items()))


def module_view(name: str, values: Values) -> RenderableType:
    """One module: both nodes, then what a person wants to know."""
    local, remote = values.get("local") or {}, values.get("remote") or {}
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_row(
        Text(name, style="bold"), str(local.get("node") or "this node"), state_text(values)
    )
    if remote:
        shown = state_text(remote)
        if since_us := int(remote.get("mute_since_us") or 0):
            shown.append(f", as of {clock.wall_text(since_us).split('.')[0]}", style="yellow")
        table.add_row("", str(remote.get("node") or "other node"), shown)
    lines: list[RenderableType] = [table]
    lines += [Padding(line, (0, 0, 0, 2)) for line in detail_lines(values)]
    return Group(*lines)


def detail_lines(values: Values) -> Iterator[Text]:
    """Safety sentence, reason with its row, progress, advice: what there is, in this order."""
    if safety := values.get("safety"):
        yield Text(str(safety), style="bold")
    if reason := values.get("reason"):
        row = f" (row {values['row']})" if values.get("row") else ""
        yield Text(f"why: {reason}{row}")
    if progress := values.get("progress"):
        yield Text(progress_line(progress))
    for line in lag_lines(values.get("replication") or {}):
        yield Text(line)
    if line := networks_line(values.get("heartbeats") or {}):
        yield Text(line)
    if line := verified_line(values.get("verification") or {}):
        yield Text(line)
    if advice := values.get("action"):
        yield Text(f"to do: {advice}")


def lag_lines(replication: Values) -> Iterator[str]:
    """Write `copies: asynchronous, 1.2 s behind` with capture="watch", and what is wrong."""
    watch = replication.get("watch") or {}
    if watch:
        lag_ms = int(watch.get("lag_ms") or 0)
        yield f"copies: asynchronous, {lag_ms / 1000:.1f} s behind"
    if trouble := watch.get("trouble"):
        yield f"copies: {trouble}"


def networks_line(heartbeats: Mapping[str, Values]) -> str:
    """Write `networks: default heard, jitter 0.2 ms, read after 0.4 ms, 3 lost; lan2 silent`."""
    said = []
    for name, one in sorted(heartbeats.items()):
        if one.get("silent"):
            said.append(f"{name} silent")
            continue
        jitter_ms = int(one.get("jitter_p99_us") or 0) / 1000
        late_ms = int(one.get("late_p99_us") or 0) / 1000
        lost = f", {one['lost']} lost" if one.get("lost") else ""
        said.append(f"{name} heard, jitter {jitter_ms:.1f} ms, read after {late_ms:.1f} ms{lost}")
    return f"networks: {'; '.join(said)}" if said else ""


def verified_line(verification: Values) -> str:
    """One line of the last verification, or of the one under way; "" when there was none."""
    if verification.get("outcome") in (None, "never"):
        return ""
    return f"verification: {verification_lines(verification)[0]}"


def progress_line(progress: Values) -> str:
    """Write `reintegration: data, 83 %, 1.2 GiB of 1.5 GiB, 93 MiB/s, 1 min 40 s left`.

    Only what was measured is said: a figure that is missing is left out, never guessed.
    """
    parts = [str(progress.get("phase") or "in progress")]
    done, total = progress.get("bytes_done"), progress.get("bytes_total")
    percent = progress.get("percent")
    if percent is None and done is not None and total:
        percent = 100 * done / total
    if percent is not None:
        parts.append(f"{min(100, int(percent))} %")
    if done is not None and total is not None:
        parts.append(f"{format_size(int(done))} of {format_size(int(total))}")
    files_done, files_total = progress.get("files_done"), progress.get("files_total")
    if files_done is not None and files_total is not None:
        parts.append(f"{files_done} of {files_total} files")
    if (rate := progress.get("rate_bytes_s")) is not None:
        parts.append(f"{format_size(int(rate))}/s")
    if (eta := progress.get("eta_ms")) is not None:
        parts.append(f"{format_duration(int(eta))} left")
    return "reintegration: " + ", ".join(parts)


def resources_view(resources: Mapping[str, Any]) -> RenderableType:
    """Resources as a table of names and values, sorted by name."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("RESOURCE")
    table.add_column("VALUE")
    table.add_column("SINCE")
    for name, entry in sorted(resources.items()):
        values = entry if isinstance(entry, Mapping) else {"value": entry}
        table.add_row(name, str(values.get("value", "")), str(values.get("since", "")))
    return table
