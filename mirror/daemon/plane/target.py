"""The target of a reintegration: answers the messages of the lane CONTROL that are Python's.

It does what the source says and decides only one thing: nothing that may be an acknowledged
change is overwritten or deleted without being kept, when the control plane has named a folder
for it (invariant 7). An error of its disk is answered; the source stops then.
"""

from __future__ import annotations

import errno
import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import structlog

from mirror.adapters.native import Plane
from mirror.core.reintegration.names import NO_ID
from mirror.daemon.plane import attributes
from mirror.daemon.plane.aside import Aside
from mirror.daemon.plane.attributes import DONE, THERE_IS_NONE, WAS_OTHER
from mirror.daemon.plane.kept import NOTHING, KeptHere
from mirror.daemon.plane.objects import GONE, root_of
from mirror.daemon.plane.scan import Scan
from mirror.daemon.plane.strays import list_strays
from mirror.daemon.plane.tree import Tree
from mirror.errors import ReintegrationStopped
from mirror.vocabulary.places import PlaceKind
from mirror.vocabulary.said import say
from mirror.wire import codec
from mirror.wire.codec import Decoded
from mirror.wire.fields import BY_NAME

log = structlog.get_logger()

NAMES_AT_ONCE = 512
PLACES_AT_ONCE = 512
CONFIRM_S_MAX = 10.0
CHECKING_S = 1.0  # then the source asks again, and shows that it waits
# Result of the answer to BeginSync.
STILL_CHECKING, KEEPS_ASIDE = 1, 2

Answer = tuple[str, dict[str, Any]]


class Target:
    """One reintegration, as its target. `handle` is called by the thread of the lane CONTROL.

    roots: paths of the lower directories, in order.
    aside: folder for versions kept aside, "" when nothing can be lost.
    on_end(generation, checkpoint, record): both disks hold everything; `confirm` is awaited.
    watched: capture="watch": a pass may be the last one, and what it replaced is kept then.
    scan: of this node's start; what it found is kept aside even if no folder is named.
    """

    def __init__(
        self,
        plane: Plane,
        roots: list[str],
        *,
        aside: str,
        on_end: Callable[[bytes, int, bytes], None],
        scan: Scan | None = None,
        watched: bool = False,
    ) -> None:
        self._watched = watched
        self._plane = plane
        self._root_count = len(roots)
        self._kept = [KeptHere(lower, number) for number, lower in enumerate(roots)]
        self._aside_name = aside
        self._on_end = on_end
        self._scan = scan
        self._edited: set[bytes] | None = None  # the only files kept aside; None: any
        self._confirmed = threading.Event()
        self._trees: dict[int, Tree] = {}
        self._asides: dict[int, Aside] = {}
        self._places: Iterator[dict[str, object]] = iter(())

    def confirm(self) -> None:
        """The record of the end is durable. Any thread."""
        self._confirmed.set()

    def handle(self, code: int, payload: bytes) -> tuple[int, bytes]:
        """Answer one message. Raises: ProtocolRefused, or OSError when no answer can say it."""
        message = codec.decode(code, payload)
        act = self._ACTS.get(message.name)
        if act is None:
            raise ReintegrationStopped(step=message.name, observed=say("plane.no_message"))
        try:
            name, fields = act(self, message)
        except OSError as error:
            log.warning("reintegration", message=message.name, error=str(error))
            name, fields = _error(message.name, error.errno or errno.EIO)
        return codec.code_of(name), codec.encode(name, **fields)

    def close(self) -> None:
        """Give descriptors back."""
        for tree in self._trees.values():
            tree.close()
        for aside in self._asides.values():
            aside.close()
        self._trees, self._asides = {}, {}

    # The acts, in the order of a reintegration.

    def _begin(self, message: Decoded) -> Answer:
        if self._scan is not None and not self._scan.wait(CHECKING_S):
            return "Ack", {"error": 0, "result": STILL_CHECKING}
        self.close()
        aside = self._aside_name or message["aside"]
        self._edited = None
        if not aside and self._scan is not None:
            aside = self._scan.edited_aside()
            self._edited = self._read_edited()
        for number in range(self._root_count):
            self._open_root(number, aside)
        self._plane.index_absorb()
        self._places = _places(self._plane)
        return "Ack", {"error": 0, "result": KEEPS_ASIDE if aside else 0}

    def _open_root(self, number: int, aside: str) -> None:
        root = root_of(self._plane, number)
        self._trees[number] = Tree(self._plane, root, keeps_origin=bool(aside) or self._watched)
        if aside:
            self._asides[number] = Aside(self._plane, root, aside, "SECOND")

    def _read_edited(self) -> set[bytes] | None:
        """Identities of the files that the scan noted, in the index; None: it noted everything."""
        edited: set[bytes] = set()
        for entry in self._plane.index_entries():
            if entry.kind in (PlaceKind.SUBTREE, PlaceKind.ALL):
                return None
            if entry.kind == PlaceKind.WHOLE:
                edited.add(entry.id)
        return edited

    def _fetch_index(self, _message: Decoded) -> Answer:
        places = list(itertools.islice(self._places, PLACES_AT_ONCE))
        more = b"more" if len(places) == PLACES_AT_ONCE else b""
        return "IndexPage", {"places": places, "next": more}

    def _list_names(self, message: Decoded) -> Answer:
        tree, directory = self._tree(message), message["directory"]
        entries = []
        with tree.directory(directory) as fd:
            if fd < 0:
                return "Names", {"error": errno.ENOENT, "entries": ()}
            names = [step["name"] for step in message["names"]]
            for name in names or tree.names_after(directory, fd, message["after"], NAMES_AT_ONCE):
                found = tree.standing(fd, directory, name)
                if found is None or (names and tree.exclusions.is_local(fd, name)):
                    entries.append({"name": name, "id": NO_ID, "kind": 0})
                else:
                    there = found[0]
                    entries.append({"name": name, "id": there.id, "kind": there.kind})
        return "Names", {"error": 0, "entries": entries}

    def _detach(self, message: Decoded) -> Answer:
        tree = self._tree(message)
        for entry in message["entries"]:
            tree.detach(message["directory"], entry)
        return _ack()

    def _attach(self, message: Decoded) -> Answer:
        return _outcomes(self._tree(message).attach_all(message["objects"]))

    def _find(self, message: Decoded) -> Answer:
        tree, search = self._tree(message), bool(message["search"])
        found = (tree.find_wanted(wanted, search=search) for wanted in message["objects"])
        return _outcomes(DONE if each else THERE_IS_NONE for each in found)

    def _set_all(self, message: Decoded) -> Answer:
        tree, objects = self._tree(message), message["objects"]
        plain = [each for each in objects if not each["xattrs"] and not each["flags"]]
        outcomes = attributes.write_plain(self._plane, message["root"], plain)
        return _outcomes(
            outcomes[each["id"]] if each["id"] in outcomes else self._set_one(tree, each)
            for each in objects
        )

    def _set_one(self, tree: Tree, wanted: dict[str, Any]) -> int:
        handle = tree.find(wanted["id"], search=False)
        if handle is None:
            return THERE_IS_NONE
        try:
            was_other = attributes.write(self._plane, tree.root.number, handle, wanted)
        except OSError as error:
            if error.errno in GONE:
                return THERE_IS_NONE
            raise
        return WAS_OTHER if was_other else DONE

    def _sync_names(self, message: Decoded) -> Answer:
        self._plane.root_sync(message["root"])
        return _ack()

    def _keep_aside(self, message: Decoded) -> Answer:
        tree, aside = self._tree(message), self._asides.get(message["root"])
        if self._edited is not None and message["id"] not in self._edited:
            return _ack()
        handle = tree.find(message["id"], search=False)
        if aside is not None and handle is not None:
            aside.keep_data(handle)
        return _ack()

    def _empty_stash(self, message: Decoded) -> Answer:
        tree, aside = self._tree(message), self._asides.get(message["root"])
        if aside is not None:
            aside.keep_stash(tree.stash)
        tree.empty_stash()
        return _ack()

    def _end(self, message: Decoded) -> Answer:
        # Every place of it was merged into the source's, which has dealt with it.
        self._plane.index_clear()
        self._on_end(message["generation"], message["checkpoint"], message["record"])
        if not self._confirmed.wait(CONFIRM_S_MAX):
            raise OSError(errno.ETIMEDOUT, "the record was not made durable in time")
        self._plane.apply_in_step()
        if self._scan is not None:
            self._scan.settled()
        self.close()
        return _ack()

    # Verification, while the pair is in step.

    def _begin_verify(self, message: Decoded) -> Answer:
        self.close()
        self._edited = None
        for number in range(self._root_count):
            self._open_root(number, message["aside"])
        return _ack()

    def _inspect(self, message: Decoded) -> Answer:
        tree = self._tree(message)
        objects = [tree.seen(wanted) for wanted in message["objects"]]
        return "Inspected", {"error": 0, "objects": objects}

    def _end_verify(self, _message: Decoded) -> Answer:
        self.close()
        return _ack()

    # Versions kept aside, while the pair is in step.

    def _list_kept(self, message: Decoded) -> Answer:
        if message["cursor"] == 0:
            list_strays(self._plane, message["root"], "SECOND")
        return "KeptPage", self._kept[message["root"]].page(message["cursor"])

    def _read_kept(self, message: Decoded) -> Answer:
        kept, place = self._kept[message["root"]], (message["folder"], message["path"])
        size, offset = message["size_bytes"], message["offset_bytes"]
        return "KeptBytes", kept.read(*place, offset, size)

    def _remove_kept(self, message: Decoded) -> Answer:
        freed = self._kept[message["root"]].remove(message["folder"], message["path"])
        return "Ack", {"error": 0, "result": freed}

    def _tree(self, message: Decoded) -> Tree:
        tree = self._trees.get(message["root"])
        if tree is None:
            raise OSError(errno.ENODEV, "no such replicated directory, or not begun")
        return tree

    _ACTS: dict[str, Callable[[Target, Decoded], Answer]] = {  # noqa: RUF012 - never changed
        "BeginSync": _begin,
        "FetchIndex": _fetch_index,
        "ListNames": _list_names,
        "Detach": _detach,
        "Attach": _attach,
        "SyncNames": _sync_names,
        "Find": _find,
        "KeepAside": _keep_aside,
        "SetAll": _set_all,
        "EmptyStash": _empty_stash,
        "EndSync": _end,
        "BeginVerify": _begin_verify,
        "Inspect": _inspect,
        "EndVerify": _end_verify,
        "ListKept": _list_kept,
        "ReadKept": _read_kept,
        "RemoveKept": _remove_kept,
    }


def _ack() -> Answer:
    return "Ack", {"error": 0, "result": 0}


def _outcomes(each: Iterator[int]) -> Answer:
    return "Outcomes", {"error": 0, "outcomes": bytes(each)}


def _error(message: str, error: int) -> Answer:
    name = BY_NAME[message].answer
    match name:
        case "Ack":
            return name, {"error": error, "result": 0}
        case "Outcomes":
            return name, {"error": error, "outcomes": b""}
        case "Names":
            return name, {"error": error, "entries": ()}
        case "Inspected":
            return name, {"error": error, "objects": ()}
        case "KeptPage":
            return name, {"error": error, "lines": b"", "next": 0}
        case "KeptBytes":
            return name, {**NOTHING, "error": error}
        case _:
            raise OSError(error, "this answer cannot hold an error", message)


def _places(plane: Plane) -> Iterator[dict[str, object]]:
    """The index as FetchIndex answers it."""
    for entry in plane.index_entries():
        for region in range(entry.region, entry.region + entry.region_count):
            yield {
                "kind": entry.kind,
                "root": entry.root,
                "id": entry.id,
                "region": region,
                "name": entry.name,
                "parent": entry.parent,
                "hint": entry.hint,
            }
