"""`mirror simulate`: what each node would do, and why, row by row. Nothing is done."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from mirror.cli.options import common, pass_session
from mirror.cli.session import Session
from mirror.errors import FileNotReadable
from mirror.vocabulary.said_system import system_said


@click.command()
@common
@click.argument("events", nargs=-1, metavar="[EVENT...]")
@click.option("--state", "state_file", type=Path, help="Begin with a state that --save kept.")
@click.option("--save", "save_file", type=Path, help="Keep the state that it began with.")
@click.option("--events", "listed", is_flag=True, help="List the events that there are.")
@pass_session
def simulate(
    session: Session,
    events: tuple[str, ...],
    state_file: Path | None,
    save_file: Path | None,
    listed: bool,  # noqa: FBT001 - a flag of the command line
) -> None:
    """Say what would happen: `mirror simulate -m db "lost n1" "back n1"`. Nothing is done."""
    module = session.module_for("simulate")
    state = _read(state_file) if state_file is not None else None
    with session.client() as client:
        if listed:
            kinds = client.call("what_if_events")
            lines = [f"{one['event']:24} {one['meaning']}" for one in kinds["events"]]
            session.report(kinds, "\n".join(lines))
            return
        told = client.call("simulate", module=module, events=list(events), state=state)
    if save_file is not None:
        _write(save_file, told["state"])
    session.report(told, "\n".join(_lines(told)))


def _read(file: Path) -> object:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileNotReadable(file=file, observed=str(error)) from error


def _write(file: Path, state: object) -> None:
    try:
        file.write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise FileNotReadable(file=file, observed=system_said(error)) from error


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    yield from _standing("now", told["before"])
    for event in told["events"]:
        yield ""
        yield f"=> {event['event']}"
        for step in event["steps"]:
            yield from _step(step)
        for warning in event["warnings"]:
            yield f"   warning: {warning}"
        if not event["rests"]:
            yield "   warning: it does not come to rest"
    yield ""
    yield from _standing("then", told["after"])


def _standing(when: str, nodes: Mapping[str, Any]) -> Iterator[str]:
    for name, one in nodes.items():
        reason = f": {one['reason']}" if one["reason"] else ""
        yield f"{when:5} {name} {one['state']} ({one['ready']}){reason}"


def _step(step: Mapping[str, Any]) -> Iterator[str]:
    moved = step["from"] != step["to"]
    head = f"   +{step['at_ms']:>6} ms {step['node']} "
    what = f"{step['from']} -> {step['to']}" if moved else step["to"]
    yield f"{head}{what}"
    indent = " " * 6
    yield from (f"{indent}says {text}" for text in step["says"])
    yield from (f"{indent}row {one['row']}: {one['why']}" for one in step["rows"] if one["why"])
    if step["does"]:
        yield f"{indent}does {'; '.join(step['does'])}"
