"""Versions kept aside, of both nodes, for the command line: listed, read, removed.

`KeptHere` is one directory of this node, as messages carry it; `KeptVersions` is what the verbs
use: this node's, and over the lane CONTROL those of a secondary that is in step. It never writes
beneath what the application sees: what is restored goes through the mount, by whoever asked.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mirror.adapters import clock
from mirror.adapters.kept import Kept, Version, free_bytes, parts_of, shown, walked
from mirror.adapters.native import Plane
from mirror.core.reintegration.names import NO_ID
from mirror.daemon.plane.aside import RESTORED_OVER, Aside
from mirror.daemon.plane.directories import Directory
from mirror.daemon.plane.objects import root_of
from mirror.daemon.plane.rpc import Rpc
from mirror.wire.codec import Decoded

PAGE_BYTES = 256 << 10
VERSIONS_MAX = 20_000  # shown at once: more would not fit a message
NOTHING: Mapping[str, Any] = {
    "error": 0,
    "size_bytes": 0,
    "rdev": 0,
    "hole_bytes": 0,
    "objects": (),
    "data": b"",
}


class KeptHere:
    """One directory of this node, in the fields of messages. The thread of the lane CONTROL."""

    def __init__(self, lower: str, root: int) -> None:
        self._kept = Kept(lower, root)
        self._lines: list[bytes] = []

    def page(self, cursor: int) -> dict[str, Any]:
        """Fields of KeptPage. Raises: OSError."""
        if cursor == 0:
            self._lines = [json.dumps(asdict(each)).encode() for each in self._kept.versions()]
        taken, size = [], 0
        for line in self._lines[cursor:]:
            taken.append(line)
            size += len(line)
            if size >= PAGE_BYTES:
                break
        after = cursor + len(taken)
        more = after if after < len(self._lines) else 0
        return {"error": 0, "lines": b"\n".join(taken), "next": more}

    def read(self, folder: bytes, path: bytes, offset: int, size: int) -> dict[str, Any]:
        """Fields of KeptBytes. Raises: OSError."""
        piece = self._kept.read(os.fsdecode(folder), os.fsdecode(path), offset, size)
        attributes = {
            "id": NO_ID,
            "mode": piece.mode,
            "uid": piece.uid,
            "gid": piece.gid,
            "atime_ns": piece.atime_ns,
            "mtime_ns": piece.mtime_ns,
            "flags": 0,
            "xattrs": [{"name": name, "value": value} for name, value in piece.xattrs],
        }
        return {
            "error": 0,
            "size_bytes": piece.size_bytes,
            "rdev": piece.rdev,
            "hole_bytes": piece.hole_bytes,
            "objects": [attributes],
            "data": piece.data,
        }

    def remove(self, folder: bytes, path: bytes) -> int:
        """Returns: bytes freed. Raises: OSError."""
        return self._kept.remove(os.fsdecode(folder), os.fsdecode(path))


class KeptVersions:
    """See the module. One verb at a time.

    rpc(): questions to the secondary, None without one in step.
    """

    def __init__(
        self,
        plane: Plane,
        directories: Sequence[Directory],
        nodes: tuple[str, str],
        rpc: Callable[[], Rpc | None],
    ) -> None:
        self._plane = plane
        self._directories = directories
        self._node, self._peer = nodes
        self._rpc = rpc
        self._here = [KeptHere(each.lower, each.number) for each in directories]
        self._known: dict[tuple[str, str], Version] = {}

    def list(self) -> dict[str, Any]:
        """What both nodes kept, oldest first; the answer to the verb. Raises: OSError."""
        found = [(self._node, version) for version in self._of_here()]
        rpc = self._rpc()
        if rpc is not None:
            found += [(self._peer, version) for version in self._of_peer(rpc)]
        found.sort(key=lambda each: (each[1].kept_ns, each[1].path))
        self._known = {(node, version.id): version for node, version in found}
        return {
            "node": self._node,
            "directories": [each.path for each in self._directories],
            "free_bytes": [free_bytes(each.lower) for each in self._directories],
            "peer_listed": rpc is not None,
            "complete": len(found) <= VERSIONS_MAX,
            "versions": [
                shown(node, self._directories[version.root].path, version)
                for node, version in found[:VERSIONS_MAX]
                if version.root < len(self._directories)
            ],
        }

    def _of_here(self) -> Iterator[Version]:
        for directory in self._directories:
            yield from Kept(directory.lower, directory.number).versions()

    def _of_peer(self, rpc: Rpc) -> Iterator[Version]:
        for directory in self._directories:
            cursor = 0
            while True:
                page = _ask(rpc, "ListKept", root=directory.number, cursor=cursor)
                for line in page["lines"].splitlines():
                    yield Version(**{**json.loads(line), "root": directory.number})
                cursor = page["next"]
                if not cursor:
                    break

    def read(self, node: str, version: str, offset: int, size: int) -> dict[str, Any]:
        """A piece of a version that `list` has shown. Raises: OSError."""
        found = self._found(node, version)
        folder, kept = os.fsencode(found.folder), os.fsencode(found.kept)
        if node == self._node:
            fields: Mapping[str, Any] = self._here[found.root].read(folder, kept, offset, size)
        else:
            place = {"root": found.root, "folder": folder, "path": kept}
            rpc = self._asking()
            fields = _ask(rpc, "ReadKept", **place, offset_bytes=offset, size_bytes=size).fields
        (attributes,) = fields["objects"]
        return {
            "root": found.root,
            "path": os.fsencode(found.path),
            "size_bytes": fields["size_bytes"],
            "rdev": fields["rdev"],
            "hole_bytes": fields["hole_bytes"],
            "data": fields["data"],
            **{name: attributes[name] for name in ("mode", "uid", "gid", "atime_ns", "mtime_ns")},
            "xattrs": [[each["name"], each["value"]] for each in attributes["xattrs"]],
        }

    def remove(self, node: str, version: str) -> int:
        """Remove a version that `list` has shown. Returns: bytes freed. Raises: OSError."""
        found = self._found(node, version)
        folder, kept = os.fsencode(found.folder), os.fsencode(found.kept)
        if node == self._node:
            freed = self._here[found.root].remove(folder, kept)
        else:
            place = {"root": found.root, "folder": folder, "path": kept}
            freed = int(_ask(self._asking(), "RemoveKept", **place)["result"])
        del self._known[node, version]
        return freed

    def hold(self, root: int, path: bytes) -> None:
        """Keep what stands at a path of this node's: a restored version takes its place.

        Raises: OSError (ENOSPC; ENOENT: nothing stands there).
        """
        parts = parts_of(path)
        with walked(self._directories[root].lower, parts[:-1]) as fd:
            seen = self._plane.look(fd, parts[-1])
        if seen is None:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), os.fsdecode(path))
        name = f"restored-{clock.wall_file_stamp(clock.wall_us())}"
        aside = Aside(self._plane, root_of(self._plane, root), name, self._node)
        try:
            aside.keep_data(seen.handle, RESTORED_OVER)
        finally:
            aside.close()

    def _found(self, node: str, version: str) -> Version:
        found = self._known.get((node, version))
        if found is None:
            raise OSError(errno.ENOENT, "no such version kept aside", version)
        return found

    def _asking(self) -> Rpc:
        rpc = self._rpc()
        if rpc is None:
            raise OSError(errno.ENOTCONN, "the other node is not in step now", self._peer)
        return rpc


def _ask(rpc: Rpc, name: str, **fields: Any) -> Decoded:
    answer = rpc.ask_anyway(name, **fields)
    if answer["error"]:
        raise OSError(answer["error"], f"the other node: {os.strerror(answer['error'])}")
    return answer
