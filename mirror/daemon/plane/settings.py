"""What a data plane is started with: one JSON file, written by the control plane.

A value only; reading and writing it is one function each.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from mirror.adapters.durable import write_into_reserve


@dataclass(frozen=True, slots=True)
class PlaneSettings:
    """Settings of one data plane. Times in ms, sizes in bytes, paths absolute.

    directories: the replicated directories, in the order that numbers them on the wire.
    lower_prefix: the private bind of directory i is at lower_prefix + str(i).
    writeback: barrier="fsync". sync_both: async="none" (design 6). watch: capture="watch".
    reintegration_bytes_s: bound of reintegration, 0 for none. pulse_ms: from ping to ping.
    to_check, rules: of each directory, in order: paths that must exist; what is not replicated, as
    pairs of exclusions.py.
    """

    module: str
    node: str
    peer: str
    socket: str
    directories: tuple[str, ...]
    lower_prefix: str
    index_directory: str
    listen_port: int
    ca: str
    certificate: str
    key: str
    writeback: bool = False
    sync_both: bool = False
    watch: bool = False
    workers_per_directory: int = 4
    reintegration_threads: int = 6
    reintegration_bytes_s: int = 0
    connect_timeout_ms: int = 3_000
    io_timeout_ms: int = 30_000
    pulse_ms: int = 1_000
    index_bytes: int = 256 << 20
    index_entries_max: int = 1_000_000
    recent_places_max: int = 200_000
    to_check: tuple[tuple[str, ...], ...] = ()
    rules: tuple[tuple[tuple[str, str], ...], ...] = ()

    def write(self, path: Path) -> None:
        """Write the file, mode 0600, on a full disk too. Raises: OSError."""
        write_into_reserve(path, json.dumps(asdict(self), indent=1).encode(), durably=False)

    @classmethod
    def read(cls, path: Path) -> PlaneSettings:
        """Read the file. Raises: OSError, ValueError, TypeError (another version's file)."""
        values = json.loads(path.read_text(encoding="utf-8"))
        values["directories"] = tuple(values["directories"])
        values["to_check"] = tuple(tuple(paths) for paths in values["to_check"])
        values["rules"] = tuple(
            tuple((kind, text) for kind, text in rules) for rules in values["rules"]
        )
        return cls(**values)

    def rules_of(self, number: int) -> tuple[tuple[str, str], ...]:
        """What is not replicated of a directory."""
        return self.rules[number] if self.rules else ()

    def to_check_of(self, number: int) -> tuple[str, ...]:
        """What must exist beneath a directory before it is touched."""
        return self.to_check[number] if self.to_check else ()
