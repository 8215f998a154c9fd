"""What the guardian must know to silence a module without the control plane: one small file.

Written when the module is loaded, read when it is too late to ask.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mirror.adapters.durable import write_into_reserve
from mirror.adapters.heartbeats import HeartbeatSettings
from mirror.config.layout import ModuleLayout

if TYPE_CHECKING:
    from mirror.daemon.node.settings_builder import ModuleSettings

NAME = "guardian.json"


@dataclass(frozen=True, slots=True)
class FenceFile:
    """addresses: those of clients. timeout_ms: after so much silence the peer may take over."""

    module: str
    node: str
    peer: str
    timeout_ms: int
    addresses: tuple[str, ...]
    directories: tuple[str, ...]
    watchdog: str = ""  # the device, "" for none

    @classmethod
    def of(cls, settings: "ModuleSettings", heart: HeartbeatSettings) -> "FenceFile":
        """Take what matters from all settings."""
        return cls(
            module=settings.name,
            node=settings.core.node,
            peer=settings.core.peer,
            timeout_ms=min(lan.timeout_ms for lan in heart.lans),
            addresses=tuple(one.address for one in settings.addresses),
            directories=settings.plane.directories,
            watchdog=settings.config.heart.watchdog,
        )


def write_fence_file(paths: ModuleLayout, content: FenceFile) -> None:
    """Replace the file, on a full disk too. Raises: OSError."""
    written = json.dumps(asdict(content)).encode()
    write_into_reserve(paths.state / NAME, written, durably=False)


def remove_fence_file(paths: ModuleLayout) -> None:
    """Nobody is to silence this module. Raises: OSError."""
    (paths.state / NAME).unlink(missing_ok=True)


def read_fence_files(modules: Path) -> list[FenceFile]:
    """Read those of all modules; one that is damaged is left out. modules: SAFEVAR/modules."""
    found = []
    for file in sorted(modules.glob(f"*/state/{NAME}")):
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            values["addresses"] = tuple(values["addresses"])
            values["directories"] = tuple(values["directories"])
            found.append(FenceFile(**values))
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return found
