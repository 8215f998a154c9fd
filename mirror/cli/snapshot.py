"""`mirror snapshot`: all that support needs about one module in one zip, and no secret.

With `--both` a zip that holds one of each node: the other one's is made by its console.

What is taken is listed, not what is left out: keys, the index and replicated data are on no list.
Values that look like passwords are blanked in the configurations.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import click

from mirror.adapters.peer_https import PeerConsole
from mirror.cli.cluster_commands import node_name
from mirror.cli.configure import read_cluster
from mirror.cli.doctor import examine
from mirror.cli.options import common, pass_session
from mirror.cli.session import Session, without_envelope
from mirror.config.cluster import Cluster, addresses_of
from mirror.config.files import made_new
from mirror.config.layout import CONSOLE_HTTPS_PORT
from mirror.errors import FileNotReadable, MirrorError, PeerNotReachable
from mirror.vocabulary.said_system import system_said

FILE_BYTES_MAX = 16 * 1024 * 1024  # of a log, the end is what matters
BLANK = "(removed)"
TELLTALE = r"[\w.-]*(?:pass|pwd|secret|token|credential|private|key)[\w.-]*"
# <var name="DB_PASSWORD" value="..."> in either order, NAME=value in scripts, user:value@host.
_SECRET_VALUE = (
    re.compile(rf"""(name\s*=\s*["']{TELLTALE}["'][^>]*?value\s*=\s*["'])[^"']*""", re.IGNORECASE),
    re.compile(
        rf"""(value\s*=\s*["'])[^"']*(["'][^>]*?name\s*=\s*["']{TELLTALE}["'])""", re.IGNORECASE
    ),
    re.compile(rf"""(\b{TELLTALE}\s*=\s*)(?!["']?\$)\S+""", re.IGNORECASE),
    re.compile(r"""(://[^/\s:@"']+:)[^@\s/"']+(?=@)"""),
)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--both", is_flag=True, help="Of both nodes, a zip of each in FILE.")
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    default=CONSOLE_HTTPS_PORT,
    show_default=True,
    help="Of the other node's console, for --both.",
)
@common
@pass_session
def snapshot(session: Session, file: Path, *, both: bool, port: int) -> None:
    """Gather configuration, record, logs and state in FILE, without secrets."""
    module = session.module_for("snapshot")
    session.store.require_installed(module)
    try:
        if both:
            _write_both(session, module, file, port)
            return
        with made_new(file, 0o600) as sink:
            count = _write_own(session, module, sink)
    except OSError as error:
        raise FileNotReadable(file=file, observed=system_said(error)) from error
    session.report({"file": str(file), "files": count}, f"{file}: {count} files")


def _write_own(session: Session, module: str, file: BinaryIO) -> int:
    """Write the zip of this node; how many files it holds."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents(session, module):
            archive.writestr(name, content)
        return len(archive.namelist())


def _write_both(session: Session, module: str, file: Path, port: int) -> None:
    """Write a zip with one of each node, or with a text that says why one is missing."""
    me = node_name(session) or "this"
    cluster = read_cluster(session.layout)
    peer = cluster.peer_of(me) or ""
    missing = ""
    with made_new(file, 0o600) as sink, zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        own = io.BytesIO()
        _write_own(session, module, own)
        archive.writestr(f"snapshot_{me}_{module}.zip", own.getvalue())
        try:
            theirs = _snapshot_there(session, cluster, peer, module, port)
            archive.writestr(f"snapshot_{peer}_{module}.zip", theirs)
        except MirrorError as error:
            missing = str(error)
            archive.writestr(f"snapshot_{peer}_{module}.txt", missing)
    session.report(
        {"file": str(file), "nodes": [me, peer], "missing": missing},
        f"{file}: {me} alone; {missing}" if missing else f"{file}: {me} and {peer}",
    )


def _snapshot_there(
    session: Session, cluster: Cluster, peer: str, module: str, port: int
) -> bytes:
    console = PeerConsole(peer, addresses_of(cluster, peer), port, session.layout.pki)
    answer = console.ask("GET", f"/api/v1/modules/{module}/snapshot", b"")
    if answer.status != 200:
        said = str(answer.json.get("detail") or f"its console answers {answer.status}")
        raise PeerNotReachable(node=peer, observed=said)
    return answer.body


def contents(session: Session, module: str) -> Iterator[tuple[str, bytes]]:
    """Yield (name in the archive, content); what is missing is left out."""
    layout = session.layout
    paths = layout.module(module)
    for label, root in (("edited", paths.edited), ("applied", paths.applied)):
        for path in sorted(root.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield f"{label}/{path.relative_to(root)}", blank_secrets(tail(path))
    for path in (layout.cluster_config, layout.node_identity, layout.module_ids):
        if path.is_file():
            yield path.name, blank_secrets(tail(path))
    for pattern in ("record.json", "data-plane.json", "log.db*", "*.ulog", "state/*.json"):
        for path in sorted(paths.working.glob(pattern)):
            if path.is_file() and not path.is_symlink():
                yield f"var/{path.relative_to(paths.working)}", _from_working(path)
    yield "doctor.json", to_json([asdict(finding) for finding in examine(session)])
    for do in ("state", "resources", "log"):
        yield f"{do}.json", to_json(_asked(session, do, module))


def _from_working(path: Path) -> bytes:
    content = tail(path)
    if path.suffix == ".json":
        try:
            return to_json(without_secrets(json.loads(content)))
        except ValueError:
            return b""
    # A database is copied byte by byte: blanking would break it, and it holds no configuration.
    return content if path.name.startswith("log.db") else blank_secrets(content)


def _asked(session: Session, do: str, module: str) -> object:
    try:
        with session.client(timeout_s=5) as client:
            fields = {} if do == "state" else {"module": module}
            if do == "log":
                return without_envelope(client.call(do, last=10_000, every=True, **fields))
            return without_envelope(client.call(do, **fields))
    except MirrorError as error:
        return {"error": str(error)}


def tail(path: Path) -> bytes:
    """Read the end of a file, FILE_BYTES_MAX at most."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - FILE_BYTES_MAX))
        return file.read(FILE_BYTES_MAX)


def blank_secrets(content: bytes) -> bytes:
    """Blank values whose name says that they are secret, in XML and scripts."""
    text = content.decode("utf-8", "surrogateescape")
    for pattern in _SECRET_VALUE:
        replacement = rf"\g<1>{BLANK}" + (r"\g<2>" if pattern.groups > 1 else "")
        text = pattern.sub(replacement, text)
    return text.encode("utf-8", "surrogateescape")


def without_secrets(value: Any) -> Any:  # noqa: ANN401 - any JSON in, any JSON out
    """Blank values of maps whose name says that they are secret, at any depth."""
    if isinstance(value, dict):
        return {
            name: BLANK if re.fullmatch(TELLTALE, name, re.IGNORECASE) else without_secrets(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [without_secrets(inner) for inner in value]
    return value


def to_json(value: object) -> bytes:
    """Write JSON for people."""
    return json.dumps(value, indent=1, default=str).encode()
