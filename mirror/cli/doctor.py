"""`mirror doctor`: looks at what a node needs, and says what to do about what is missing.

Each check is a function from the session to one finding. A check never changes anything and never
touches a replicated path.
"""

import importlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from mirror.adapters.pki_files import PkiFiles, refuse_when_shared
from mirror.cli import doctor_cluster, doctor_host
from mirror.cli.cluster_commands import node_name
from mirror.cli.configure import check, read_cluster
from mirror.cli.finding import Finding, fine
from mirror.cli.options import common, pass_session
from mirror.cli.session import Session
from mirror.cli.terminal import show
from mirror.errors import EXIT_FAILED, EXIT_OK, MirrorError, NodeNotReachable

KERNEL_MINIMUM = (5, 15)
FREE_BYTES_MIN = 1024 * 1024 * 1024  # the dirty index and the logs must always find room
TRY_REALTIME = """
from mirror.adapters.heartbeats.realtime import lock_memory, raise_this_thread
print("; ".join(filter(None, (raise_this_thread(), lock_memory()))), end="")
"""
COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


@click.command()
@common
@click.pass_context
@pass_session
def doctor(session: Session, ctx: click.Context) -> None:
    """Look at all this node needs and say what to do. Exit code 1 when there is a problem."""
    findings = examine(session)
    if session.as_json:
        session.report({"findings": [asdict(finding) for finding in findings]}, "")
    else:
        show(findings_table(findings))
    has_problem = any(finding.level == "problem" for finding in findings)
    ctx.exit(EXIT_FAILED if has_problem else EXIT_OK)


def examine(session: Session) -> list[Finding]:
    """Run every check; one that cannot be made is a finding of its own."""
    findings = []
    for one in CHECKS:
        try:
            findings.append(one(session))
        except MirrorError as error:
            what = (one.__doc__ or one.__name__).rstrip(".").lower()
            findings.append(Finding(what, "problem", str(error), ""))
    return findings + [_module(session, module) for module in session.store.installed()]


def findings_table(findings: list[Finding]) -> Table:
    """Make the table for people."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for finding in findings:
        remedy = f"; {finding.remedy}" if finding.remedy else ""
        word = Text(finding.level, style=COLOURS[finding.level])
        table.add_row(word, finding.what, Text(finding.observed + remedy))
    return table


def _user(_session: Session) -> Finding:
    """User."""
    if os.geteuid() == 0:
        return fine("user", "root")
    return Finding("user", "warning", f"uid {os.geteuid()}", "a node needs root")


def _kernel(_session: Session) -> Finding:
    """Kernel."""
    release = platform.release()
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit())
    if numbers >= KERNEL_MINIMUM:
        return fine("kernel", release)
    minimum = ".".join(str(part) for part in KERNEL_MINIMUM)
    return Finding("kernel", "problem", release, f"install {minimum} or later")


def _realtime(_session: Session) -> Finding:
    """Real time."""
    # In a process of its own: what is tried there is gone with it.
    tried = subprocess.run(
        [sys.executable, "-c", TRY_REALTIME], capture_output=True, text=True, check=False
    )
    if tried.returncode == 0 and not tried.stdout:
        return fine("real time", "heartbeats have priority, and memory that stays in RAM")
    observed = tried.stdout.strip() or "not known"
    remedy = "give the service CAP_SYS_NICE and CAP_IPC_LOCK, or a longer <heart timeout>"
    return Finding("real time", "warning", f"{observed}: a loaded host may look dead", remedy)


def _fuse(_session: Session) -> Finding:
    """Capture."""
    if Path("/dev/fuse").is_char_device():
        return fine("/dev/fuse", "present")
    return Finding(
        "/dev/fuse", "problem", "missing", "`modprobe fuse`, or give it to the container"
    )


def _native(_session: Session) -> Finding:
    """Native library."""
    try:
        importlib.import_module("mirror._native")
    except ImportError as error:
        return Finding("native library", "problem", str(error), "install the package again")
    return fine("native library", "loads")


def _room(session: Session) -> Finding:
    """Free room."""
    path = session.layout.safevar
    while not path.exists():
        path = path.parent
    free = shutil.disk_usage(path).free
    observed = f"{free // 2**20} MiB free for {session.layout.safevar}"
    if free >= FREE_BYTES_MIN:
        return fine("room", observed)
    return Finding("room", "warning", observed, "keep 1 GiB free for the dirty index and the logs")


def _cluster(session: Session) -> Finding:
    """Cluster."""
    cluster = read_cluster(session.layout)
    name = node_name(session)
    if name is None:
        return Finding("cluster", "problem", "this node has no name", "`cluster init` or `join`")
    if name not in cluster.node_names:
        return Finding("cluster", "problem", f"no node {name} in cluster.xml", "correct it")
    lans = len(cluster.lans)
    observed = f"this node is {name} of {', '.join(cluster.node_names)}; networks: {lans}"
    if lans == 1:
        return Finding("cluster", "warning", observed, "a second network avoids a split brain")
    return fine("cluster", observed)


def _keys(session: Session) -> Finding:
    """Keys."""
    files = PkiFiles(session.layout.pki)
    for path in (files.ca_certificate, files.node_certificate):
        if not path.is_file():
            return Finding("keys", "problem", f"{path} is missing", "`cluster init` or `join`")
    refuse_when_shared(files.node_key)
    refuse_when_shared(files.cluster_key)
    return fine("keys", "certificate and keys are there, and readable by their owner only")


def _control_plane(session: Session) -> Finding:
    """Node."""
    try:
        with session.client(timeout_s=5) as client:
            modules = client.call("state")["modules"]
    except NodeNotReachable as error:
        observed = str(error.facts["observed"])
        return Finding("node", "problem", observed, "`systemctl start mirror` or `mirror node`")
    return fine("node", f"runs, with {len(modules)} module(s)")


def _module(session: Session, module: str) -> Finding:
    what = f"module {module}"
    try:
        checked = check(session.store, module, session.environment)
    except MirrorError as error:
        return Finding(what, "problem", str(error), "")
    if module not in session.store.configured():
        return Finding(what, "warning", "not configured", f"`config -m {module}`")
    paths = session.layout.module(module)
    if session.store.signature(paths.edited) != session.store.signature(paths.applied):
        return Finding(what, "warning", "edited since `config`", f"`config -m {module}`")
    return fine(what, f"configured, {len(checked.directories)} replicated directory(ies)")


CHECKS: tuple[Callable[[Session], Finding], ...] = (
    _user,
    _kernel,
    _realtime,
    _fuse,
    _native,
    _room,
    _cluster,
    _keys,
    _control_plane,
    *doctor_host.CHECKS,
    *doctor_cluster.CHECKS,
)
