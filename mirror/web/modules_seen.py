"""What stands in the files of this node's modules: ids, directories, addresses. Blocking.

Read anew only when a file changed, because it is asked for with every look at the state.
"""

import contextlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mirror.config.files import read_bytes
from mirror.config.layout import Layout
from mirror.config.models import ModuleConfig
from mirror.config.module_store import ModuleStore
from mirror.config.userconfig import load_userconfig
from mirror.errors import MirrorError
from mirror.web.figures import promise_of


@dataclass(frozen=True, slots=True)
class ModuleFiles:
    """One module as its files describe it. id: 0 when it has none yet."""

    name: str
    id: int
    installed: bool
    configured: bool
    directories: tuple[str, ...]
    virtual_ips: tuple[str, ...]
    boot: str
    heart_timeout_ms: int  # after so much silence the other node counts as dead
    promise: str  # what replication promises, in a sentence
    since_us: int  # of the last state in its log; 0: there is none


class ModulesSeen:
    """Looks at the modules of this node."""

    def __init__(self, layout: Layout, environment: Mapping[str, str]) -> None:
        self._layout = layout
        self._store = ModuleStore(layout)
        self._environment = environment
        self._states: dict[Path, tuple[int, int]] = {}
        self._parsed: dict[Path, tuple[int, ModuleConfig | None]] = {}

    def look(self) -> dict[str, ModuleFiles]:
        """Every module that is installed or configured, by name."""
        ids = self._store.ids.all()
        installed, configured = set(self._store.installed()), set(self._store.configured())
        return {
            name: self._module(name, ids.get(name, 0), name in installed, name in configured)
            for name in sorted(installed | configured)
        }

    def _module(self, name: str, number: int, installed: bool, configured: bool) -> ModuleFiles:  # noqa: FBT001 - facts
        paths = self._layout.module(name)
        config = self._config(paths.applied_userconfig if configured else paths.edited_userconfig)
        return ModuleFiles(
            name=name,
            id=number,
            installed=installed,
            configured=configured,
            directories=config.directories if config else (),
            virtual_ips=tuple(one.addr for one in config.vip.addresses)
            if config and config.vip
            else (),
            boot=config.service.boot if config else "",
            heart_timeout_ms=config.heart.timeout_ms if config else 0,
            promise=_promise(config),
            since_us=self._since_us(paths.log_database),
        )

    def _since_us(self, log: Path) -> int:
        """When the module came into its state, from its log; read when the log has changed."""
        changed_ns = max(changed(log), changed(log.with_name(log.name + "-wal")))
        known = self._states.get(log)
        if known is None or known[0] != changed_ns:
            try:
                known = (changed_ns, last_state_us(log))
            except sqlite3.Error:
                known = (changed_ns, 0)
            self._states[log] = known
        return known[1]

    def _config(self, file: Path) -> ModuleConfig | None:
        try:
            changed_ns = file.stat().st_mtime_ns
        except OSError:
            return None
        known = self._parsed.get(file)
        if known is None or known[0] != changed_ns:
            try:
                config = load_userconfig(read_bytes(file), str(file), self._environment)
            except MirrorError:
                config = None  # the page about its configuration says what is wrong
            known = self._parsed[file] = (changed_ns, config)
        return known[1]


def _promise(config: ModuleConfig | None) -> str:
    rfs = config.rfs if config else None
    return promise_of(rfs.barrier, rfs.acknowledge, rfs.capture) if rfs else ""


def changed(file: Path) -> int:
    """When a file was changed, in nanoseconds; 0 when it is not there."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def last_state_us(log: Path) -> int:
    """Time of the newest line `Local state ...`; 0 without one. Raises: sqlite3.Error."""
    if not log.exists():
        return 0
    query = (
        "SELECT time_us FROM log WHERE source = 'heart' AND text LIKE 'Local state %'"
        " ORDER BY id DESC LIMIT 1"
    )
    with contextlib.closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True, timeout=1)) as found:
        row = found.execute(query).fetchone()
    return int(row[0]) if row else 0
