"""Which module has which id: a small file, durable, because ports follow from the id.

The id must be the same on both nodes, so it is given at installation and kept until the module is
uninstalled; `-M` chooses it where the automatic choice would differ.
"""

import json

from mirror.config.files import locked, write_durably
from mirror.config.layout import MODULE_ID_MAX, MODULE_ID_MIN, Layout
from mirror.errors import FileNotReadable, ModuleIdRefused
from mirror.vocabulary.said import say


class ModuleIds:
    """Reads and writes SAFEVAR/modules/ids.json; each change holds a lock between processes."""

    def __init__(self, layout: Layout) -> None:
        self._file = layout.module_ids
        self._lock = layout.module_ids.with_name(".ids.lock")

    def all(self) -> dict[str, int]:
        """Ids by module name, ordered by id. Raises: FileNotReadable (MIR-108)."""
        try:
            text = self._file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        try:
            ids = json.loads(text)
        except ValueError as error:
            raise FileNotReadable(
                file=self._file, observed=say("file.no_json", observed=str(error))
            ) from error
        well_formed = isinstance(ids, dict) and all(
            isinstance(one, int) and MODULE_ID_MIN <= one <= MODULE_ID_MAX for one in ids.values()
        )
        if not well_formed or len(set(ids.values())) != len(ids):
            raise FileNotReadable(file=self._file, observed=say("module_id.no_map"))
        return dict(sorted(ids.items(), key=lambda pair: pair[1]))

    def of(self, module: str) -> int | None:
        """Id of a module, or None."""
        return self.all().get(module)

    def assign(self, module: str, wanted: int | None = None) -> int:
        """Give the wanted id, else the one it has, else the lowest free one.

        Raises: ModuleIdRefused (MIR-107).
        """
        with locked(self._lock):
            ids = self.all()
            chosen = self._choose(module, wanted, ids)
            if ids.get(module) != chosen:
                self._write({**ids, module: chosen})
            return chosen

    def release(self, module: str) -> None:
        """Forget the id of a module that is gone."""
        with locked(self._lock):
            ids = self.all()
            if ids.pop(module, None) is not None:
                self._write(ids)

    def _choose(self, module: str, wanted: int | None, ids: dict[str, int]) -> int:
        taken = {number: name for name, number in ids.items() if name != module}
        if wanted is not None:
            if not MODULE_ID_MIN <= wanted <= MODULE_ID_MAX:
                observed = say("module_id.range", minimum=MODULE_ID_MIN, maximum=MODULE_ID_MAX)
                raise ModuleIdRefused(module_id=wanted, observed=observed)
            if wanted in taken:
                raise ModuleIdRefused(
                    module_id=wanted, observed=say("module_id.held", module=taken[wanted])
                )
            return wanted
        if module in ids:
            return ids[module]
        free = (one for one in range(MODULE_ID_MIN, MODULE_ID_MAX + 1) if one not in taken)
        chosen = next(free, None)
        if chosen is None:
            raise ModuleIdRefused(
                module_id=say("module_id.any"),
                observed=say("module_id.all_taken", count=MODULE_ID_MAX),
            )
        return chosen

    def _write(self, ids: dict[str, int]) -> None:
        write_durably(self._file, json.dumps(ids, indent=1, sort_keys=True).encode() + b"\n")
