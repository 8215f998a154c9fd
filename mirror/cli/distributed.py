"""`mirror on HOSTS COMMAND`, SafeKit's `-H HOSTS COMMAND`: one command on several nodes.

This node does it by itself, the others by their consoles, all at the same time. `-E MODULE` sends
the module and configures it there, `-G` sends cluster.xml.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import click

from mirror.adapters.peer_https import Answer, PeerConsole
from mirror.cli.cluster_commands import node_name
from mirror.cli.configure import read_cluster
from mirror.cli.options import pass_session
from mirror.cli.session import Session
from mirror.config.distributed import Target, refusal_of, targets
from mirror.config.files import read_bytes
from mirror.config.names import check_module_name
from mirror.config.package import pack
from mirror.errors import EXIT_FAILED, EXIT_OK, CommandNotSent, MirrorError

OK_STATUS = range(200, 300)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one node did. output, said: its standard output and error output."""

    node: str
    exit_code: int
    output: str
    said: str

    def as_map(self, *, as_json: bool) -> dict[str, object]:
        """For --json: with the node's own JSON inside."""
        try:
            answer: object = json.loads(self.output) if as_json and self.output else self.output
        except ValueError:
            answer = self.output
        return {"exit_code": self.exit_code, "answer": answer, "said": self.said}


@click.command(
    name="on", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("hosts")
@click.argument(
    "words", metavar="COMMAND|-E MODULE|-G", nargs=-1, required=True, type=click.UNPROCESSED
)
@click.pass_context
@pass_session
def on_nodes(session: Session, ctx: click.Context, hosts: str, words: tuple[str, ...]) -> None:
    """Run COMMAND on HOSTS, "*" being all nodes; also written `-H HOSTS COMMAND`.

    -E MODULE sends the module to them and configures it there; -G sends them cluster.xml. The exit
    code is the highest of theirs; 3 when a node does not answer.
    """
    if "--json" in words:
        session.as_json = True
    match words:
        case ("-E", module):
            work = deployer(session, check_module_name(module))
        case ("-G",):
            work = _cluster_sender(session)
        case _:
            if observed := refusal_of(words):
                raise CommandNotSent(what=" ".join(words[:2]), observed=observed)
            sent = [word for word in words if word != "--json"]
            work = _runner(session, ["--json", *sent] if session.as_json else sent)
    outcomes = on_each(session, hosts, work)
    ctx.exit(max(one.exit_code for one in outcomes))


Work = Callable[[Target], Outcome]


def on_each(session: Session, hosts: str, work: Work) -> list[Outcome]:
    """Do the work on each node, together, and say what each answered as it comes.

    --json is one document, said at the end. Returns: the outcomes, in the order of HOSTS.
    Raises: CommandNotSent (MIR-131) for a wrong HOSTS.
    """
    try:
        found = targets(hosts, read_cluster(session.layout), node_name(session))
    except ValueError as error:
        raise CommandNotSent(what=f"-H {hosts}", observed=str(error)) from error

    def guarded(target: Target) -> Outcome:
        try:
            return work(target)
        except MirrorError as error:
            return Outcome(target.label, error.exit_code, "", f"mirror: {error}")

    with ThreadPoolExecutor(len(found)) as pool:
        asked = [pool.submit(guarded, target) for target in found]
        for one in as_completed(asked):
            if not session.as_json:
                _show(one.result())
    outcomes = [one.result() for one in asked]
    if session.as_json:
        session.report({"nodes": {one.node: one.as_map(as_json=True) for one in outcomes}}, "")
    return outcomes


def _show(outcome: Outcome) -> None:
    code = outcome.exit_code
    mark = "" if code == EXIT_OK else f"  (exit code {code})"
    click.echo(f"---------------- {outcome.node}{mark}")
    for text in (outcome.output, outcome.said):
        if text.strip():
            click.echo(text.rstrip())


def _console(session: Session, target: Target) -> PeerConsole:
    return PeerConsole(target.label, target.addresses, target.port, session.layout.pki)


def _runner(session: Session, arguments: Sequence[str]) -> Work:
    def run(target: Target) -> Outcome:
        if target.here:
            return _run_here(session, target.label, arguments)
        body = json.dumps({"arguments": list(arguments)}).encode()
        answer = _console(session, target).ask("POST", "/api/v1/peer/command", body)
        if answer.status not in OK_STATUS:
            return _refused(target, answer)
        told = answer.json
        return Outcome(
            target.label, int(told["exit_code"]), str(told["output"]), str(told["said"])
        )

    return run


def _run_here(session: Session, label: str, arguments: Sequence[str]) -> Outcome:
    done = subprocess.run(
        # -P: no module is looked for where the administrator stands.
        [sys.executable, "-P", "-m", "mirror.cli", *arguments],
        env=dict(session.environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Outcome(label, done.returncode, done.stdout, done.stderr)


def deployer(session: Session, module: str) -> Work:
    """Work that puts the edited configuration of a module of this node in force on a node."""
    session.store.require_installed(module)
    number = session.store.ids.of(module)
    with tempfile.TemporaryDirectory(prefix="mirror-export.") as directory:
        file = Path(directory) / f"{module}.safe"
        pack(session.layout.module(module).edited, file)
        package = file.read_bytes()
    query = "replace=true" + (f"&id={number}" if number else "")
    configure = _runner(session, ["config", "-m", module])

    def deploy(target: Target) -> Outcome:
        if not target.here:
            path = f"/api/v1/modules/{module}/package?{query}"
            answer = _console(session, target).ask("PUT", path, package, "application/zip")
            if answer.status not in OK_STATUS:
                return _refused(target, answer)
        return configure(target)

    return deploy


def _cluster_sender(session: Session) -> Work:
    xml = read_bytes(session.layout.cluster_config)

    def send(target: Target) -> Outcome:
        if target.here:
            return _run_here(session, target.label, ["cluster", "config"])
        body = json.dumps({"xml": xml.decode(), "nodes": []}).encode()
        answer = _console(session, target).ask("PUT", "/api/v1/cluster/config", body)
        if answer.status not in OK_STATUS:
            return _refused(target, answer)
        result = answer.json["results"][0]
        code = EXIT_OK if result["done"] else EXIT_FAILED
        return Outcome(target.label, code, str(result["sentence"]), "")

    return send


def _refused(target: Target, answer: Answer) -> Outcome:
    said = str(answer.json.get("detail") or f"its console answers {answer.status}")
    return Outcome(target.label, EXIT_FAILED, "", f"mirror: {said}")
