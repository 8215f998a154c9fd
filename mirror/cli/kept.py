"""`mirror kept`: versions kept aside: list, restore, remove; and what this node changed alone.

The data plane of the module answers, over its own socket; when none runs, the directories are read
as they are. A version is restored through the mount, as an application would write it, so that it
is replicated; what it replaces is kept too.
"""

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from mirror.adapters import clock
from mirror.adapters.failures import failure_of
from mirror.adapters.kept import Kept, free_bytes, shown
from mirror.adapters.local_client import LocalClient
from mirror.adapters.module_log import SHOWN_LEVELS, read_last
from mirror.adapters.restore import Attributes, put
from mirror.cli.kept_view import changed_view, kept_view, reason_of, size_text
from mirror.cli.options import SectionedGroup, common, pass_session
from mirror.cli.session import Session
from mirror.cli.terminal import show
from mirror.config.files import read_bytes
from mirror.config.userconfig import load_userconfig
from mirror.errors import (
    KeptNotDone,
    KeptVersionUnknown,
    MirrorError,
    NodeNotReachable,
    RestoreRefused,
)
from mirror.vocabulary.said import from_parts, parts_of, say

PIECE_BYTES = 512 << 10
LOG_LINES = 20_000
ALONE_LINE = "Local state ALONE"
Version = dict[str, Any]


@click.group(cls=SectionedGroup, invoke_without_command=True)
@common
@click.pass_context
def kept(context: click.Context) -> None:
    """List what was kept aside before it was replaced; restore it, or remove it."""
    if context.invoked_subcommand is None:
        context.invoke(list_kept)


@kept.command("list")
@common
@pass_session
def list_kept(session: Session) -> None:
    """List the versions kept aside: what, when, why. On PRIM, those of the other node too."""
    module = session.module_for("kept")
    with _source(session, module) as source:
        listing = source.listing()
    value = {"module": module, **listing}
    if session.as_json:
        session.report(value, "")
    else:
        show(kept_view(value))


@kept.command()
@click.argument("versions", nargs=-1, metavar="[ID]...")
@click.option("--all", "every", is_flag=True, help="All of them; of one path, the newest.")
@common
@pass_session
def restore(session: Session, versions: tuple[str, ...], *, every: bool) -> None:
    """Put versions kept aside back where they stood; what stands there now is kept aside."""
    module = session.module_for("kept restore")
    with _source(session, module) as source:
        if not source.listing().get("serves"):
            raise RestoreRefused(module=module, observed=say("kept.not_serving"))
        wanted = _newest(source.all()) if every else _named(module, source.all(), versions)
        done, failed = _each(wanted, source.restore)
    value = {"module": module, "restored": done, "failed": failed}
    session.report(value, "\n".join(f"restored: {each['path']}" for each in done))
    _say_failed(module, failed)


@kept.command()
@click.argument("versions", nargs=-1, metavar="[ID]...")
@click.option("--all", "every", is_flag=True, help="All of them.")
@click.option("--force", is_flag=True, help="Do not ask.")
@common
@pass_session
def remove(session: Session, versions: tuple[str, ...], *, every: bool, force: bool) -> None:
    """Remove versions kept aside for good, and say what room that gives."""
    module = session.module_for("kept remove")
    with _source(session, module) as source:
        wanted = source.all() if every else _named(module, source.all(), versions)
        size = sum(each["size_bytes"] for each in wanted)
        question = f"Remove {len(wanted)} versions, {size_text(size)}, for good?"
        if wanted and not force:
            click.confirm(question, abort=True, err=True)
        freed = 0

        def act(version: Version) -> None:
            nonlocal freed
            freed += source.remove(version)

        done, failed = _each(wanted, act)
        free = source.listing()["free_bytes"]
    value = {
        "module": module,
        "removed": len(done),
        "failed": failed,
        "freed_bytes": freed,
        "free_bytes": free,
    }
    session.report(value, f"removed: {len(done)} versions, {size_text(freed)} freed")
    _say_failed(module, failed)


@kept.command()
@common
@pass_session
def changed(session: Session) -> None:
    """List what this node changed since the pair parted: what another source would replace."""
    module = session.module_for("kept changed")
    with LocalClient(session.layout.module(module).data_socket) as client:
        reply = client.call("changed")
    value = {
        "module": module,
        "node": reply["node"],
        "since_us": _alone_since_us(session.layout.module(module).log_database),
        "complete": reply["complete"],
        "files": reply["files"],
    }
    if session.as_json:
        session.report(value, "")
    else:
        show(changed_view(value))


def _alone_since_us(log: Path) -> int:
    """When this node last became ALONE by its own log; 0: it says nothing of it."""
    if not log.is_file():
        return 0
    for entry in reversed(read_last(log, LOG_LINES, SHOWN_LEVELS)):
        if entry.text.startswith(ALONE_LINE):
            return entry.time_us
    return 0


def _named(module: str, known: Sequence[Version], ids: tuple[str, ...]) -> list[Version]:
    """The versions that these ids mean. Raises: KeptVersionUnknown (MIR-506)."""
    if not ids:
        raise click.UsageError("name versions by their id, or --all")
    found = []
    for wanted in ids:
        match [version for version in known if version["id"].startswith(wanted)]:
            case [version]:
                found.append(version)
            case several:
                observed = say("kept.several" if several else "kept.no_such")
                raise KeptVersionUnknown(version=wanted, module=module, observed=observed)
    return found


def _newest(known: Sequence[Version]) -> list[Version]:
    """One version a path: they are listed as time goes. None of what a restore put aside."""
    kept_ones = (each for each in known if each["what"] != "restored over")
    return list({(each["directory"], each["path"]): each for each in kept_ones}.values())


def _each(
    wanted: Sequence[Version], act: Callable[[Version], None]
) -> tuple[list[Version], list[Version]]:
    """Act on each; those done, and those that failed, with what was observed."""
    done, failed = [], []
    for version in wanted:
        said = {"id": version["id"], "node": version["node"], "path": version["path"]}
        try:
            act(version)
            done.append(said)
        except (OSError, MirrorError) as error:
            observed = failure_of(error)
            why = {"observed": str(observed), "observed_said": parts_of(observed)}
            failed.append({**said, **why})
    return done, failed


def _say_failed(module: str, failed: Sequence[Version]) -> None:
    if failed:
        first = failed[0]
        observed = from_parts(first["observed_said"], first["observed"])
        one = {"path": first["path"], "observed": observed}
        more = say("kept.failed_more", **one, count=len(failed) - 1) if failed[1:] else None
        raise KeptNotDone(module=module, observed=more or say("kept.failed", **one))


@contextmanager
def _source(session: Session, module: str) -> Iterator["_Running | _Stopped"]:
    """Who knows: the data plane, or the directories themselves while none runs."""
    session.store.require_installed(module)
    with LocalClient(session.layout.module(module).data_socket) as client:
        try:
            client.call("hello")
        except NodeNotReachable:
            yield _Stopped(session, module)
        else:
            yield _Running(client)


class _Running:
    """Asks the data plane."""

    def __init__(self, client: LocalClient) -> None:
        self._client = client
        self._directories: list[str] = []
        self._listed: Mapping[str, Any] = {}

    def listing(self) -> dict[str, Any]:
        """What both nodes kept, as JSON has it."""
        self._listed = self._client.call("kept_list")
        self._directories = list(self._listed["directories"])
        return with_folders(self._listed)

    def all(self) -> list[Version]:
        """The versions of the last listing, or of one now."""
        if not self._listed:
            self.listing()
        return list(self._listed["versions"])

    def restore(self, version: Version) -> None:
        """Write it through the mount. Raises: OSError, MirrorError."""
        first = self._read(version, 0)
        top, path = self._directories[first["root"]], first["path"]
        place = Path(top) / os.fsdecode(path)
        if place.is_dir() and not place.is_symlink():
            raise RestoreRefused(module=version["path"], observed=say("kept.directory"))
        if place.is_file() and not place.is_symlink():
            _write_back(place)
            self._client.call("kept_hold", root=first["root"], path=path)
        put(top, path, _attributes(first), self._pieces(version, first))

    def _pieces(self, version: Version, first: Mapping[str, Any]) -> Iterator[tuple[int, bytes]]:
        offset, piece = 0, first
        while piece["data"]:
            at = offset + piece["hole_bytes"]
            yield at, piece["data"]
            offset = at + len(piece["data"])
            piece = self._read(version, offset)

    def _read(self, version: Version, offset: int) -> Mapping[str, Any]:
        return self._client.call(
            "kept_read",
            node=version["node"],
            version=version["id"],
            offset=offset,
            size=PIECE_BYTES,
        )

    def remove(self, version: Version) -> int:
        """Remove it; the bytes freed."""
        reply = self._client.call("kept_remove", node=version["node"], version=version["id"])
        return int(reply["freed_bytes"])


class _Stopped:
    """Reads the directories of a module that does not run here: they are plain then."""

    def __init__(self, session: Session, module: str) -> None:
        file = session.layout.module(module).applied_userconfig
        if not file.is_file():
            file = session.layout.module(module).edited_userconfig
        config = load_userconfig(read_bytes(file), str(file), session.environment)
        self._directories = config.directories
        self._node = os.uname().nodename
        self._by_id: dict[str, tuple[Kept, str, str]] = {}

    def listing(self) -> dict[str, Any]:
        """What this node kept, as JSON has it."""
        versions = []
        for root, directory in enumerate(self._directories):
            here = Kept(directory, root)
            for each in here.versions():
                self._by_id[each.id] = (here, each.folder, each.kept)
                versions.append(shown(self._node, directory, each))
        versions.sort(key=lambda each: (each["kept_us"], each["path"]))
        return with_folders(
            {
                "node": self._node,
                "serves": False,
                "peer_listed": False,
                "complete": True,
                "free_bytes": [free_bytes(each) for each in self._directories],
                "versions": versions,
            }
        )

    def all(self) -> list[Version]:
        """Every version."""
        return list(self.listing()["files"])

    def restore(self, version: Version) -> None:
        """Never: nothing is mounted."""
        raise RestoreRefused(module=version["path"], observed=say("kept.stopped"))

    def remove(self, version: Version) -> int:
        """Remove it; the bytes freed."""
        here, folder, name = self._by_id[version["id"]]
        return here.remove(folder, name)


def _attributes(piece: Mapping[str, Any]) -> Attributes:
    return Attributes(
        mode=piece["mode"],
        uid=piece["uid"],
        gid=piece["gid"],
        atime_ns=piece["atime_ns"],
        mtime_ns=piece["mtime_ns"],
        size_bytes=piece["size_bytes"],
        rdev=piece["rdev"],
        xattrs=[(name, value) for name, value in piece["xattrs"]],
        link=piece["data"] if stat.S_ISLNK(piece["mode"]) else b"",
    )


def _write_back(place: Path) -> None:
    """With barrier="fsync" what was written last is in the mount's memory, and is to be kept too.

    Raises: OSError.
    """
    fd = os.open(place, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def with_folders(listed: Mapping[str, Any]) -> dict[str, Any]:
    """The listing as JSON has it: a row a folder, a row a version; why from the folder's name."""
    folders: dict[tuple[str, str, str], dict[str, Any]] = {}
    files = []
    for version in listed["versions"]:
        row, why = reason_of(version["folder"])
        key = (version["node"], version["directory"], version["folder"])
        folder = folders.setdefault(
            key,
            {
                "folder": version["folder"],
                "node": version["node"],
                "directory": version["directory"],
                "side": version["side"],
                "row": row,
                "why": why,
                "since_us": version["kept_us"],
                "since": clock.wall_text(version["kept_us"]),
                "files": 0,
                "bytes": 0,
            },
        )
        folder["files"] += 1
        folder["bytes"] += version["size_bytes"]
        files.append({**version, "why": why})
    return {
        "node": listed["node"],
        "serves": listed["serves"],
        "peer_listed": listed["peer_listed"],
        "complete": listed["complete"],
        "free_bytes": min(listed["free_bytes"], default=0),
        "folders": list(folders.values()),
        "files": files,
    }
