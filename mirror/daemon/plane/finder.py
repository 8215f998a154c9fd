"""Objects of the source, found at the target by identity, or by the path they have here."""

from __future__ import annotations

import os
from collections.abc import Sequence

from mirror.adapters.native import Plane
from mirror.daemon.plane.objects import GONE, Root, opened, steps_to
from mirror.daemon.plane.rpc import Rpc
from mirror.daemon.plane.works import Work


class Finder:
    """See the module. Of the thread that asks."""

    def __init__(self, plane: Plane, rpc: Rpc) -> None:
        self._plane = plane
        self._rpc = rpc

    def status(self, work: Work) -> os.stat_result | None:
        """What the object is here; None: it has no name any more. Raises: OSError."""
        if not work.handle:
            return None
        try:
            with opened(self._plane, work.root, work.handle, os.O_PATH) as fd:
                status = os.fstat(fd)
        except OSError as error:
            if error.errno in GONE:
                return None
            raise
        return status if status.st_nlink > 0 else None

    def missing(self, root: Root, works: Sequence[Work]) -> list[Work]:
        """Have the target know each by identity. Returns: those that it has nowhere.

        By path only those that it does not know, by a walk over its tree only the rest.
        Raises: OSError, ReintegrationStopped.
        """
        missing = self.ask(root, works, with_path=False, search=False)
        missing = self.ask(root, missing, with_path=True, search=False)
        return self.ask(root, missing, with_path=True, search=True)

    def ask(
        self, root: Root, works: Sequence[Work], *, with_path: bool, search: bool
    ) -> list[Work]:
        """Returns: those that the target does not have."""
        if not works:
            return []
        objects = [
            {
                "id": work.id,
                "parent": work.parent,
                "hint": work.hint,
                "path": self._path(root, work) if with_path else (),
            }
            for work in works
        ]
        answer = self._rpc.ask("Find", root=root.number, search=int(search), objects=objects)
        outcomes = zip(works, answer["outcomes"], strict=True)
        return [work for work, outcome in outcomes if outcome != 0]

    def _path(self, root: Root, work: Work) -> list[dict[str, bytes]]:
        """Where it is now; or where it was noted, when the kernel has forgotten its name."""
        path = steps_to(self._plane, root, work.handle)
        if path or not work.hint or not work.parent_handle.strip(b"\0"):
            return path
        above = steps_to(self._plane, root, work.parent_handle)
        if not above and work.parent != root.id:
            return []  # removed
        return [*above, {"name": work.hint}]
