"""What every command shares: where this node is, which module is meant, how to answer.

The options -m, -i and --json may stand before or after the verb, as SafeKit users type them: both
places write here, and the one nearer to the verb wins because it is read last.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import click

from mirror.adapters.local_client import LocalClient
from mirror.config.installation import ensure_directories
from mirror.config.layout import Layout
from mirror.config.module_store import ModuleStore
from mirror.config.names import check_module_name
from mirror.errors import ModuleNotGiven
from mirror.wire.local import Message

ENVELOPE = frozenset({"v", "id", "ok"})


@dataclass
class Session:
    """One run of the command line."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    module: str | None = None
    identity: str | None = None
    as_json: bool = False

    @property
    def layout(self) -> Layout:
        """Paths of this node."""
        return Layout.from_environment(self.environment)

    @property
    def store(self) -> ModuleStore:
        """Modules of this node."""
        return ModuleStore(self.layout)

    def ensure_directories(self) -> None:
        """Make SAFE and SAFEVAR what every other command expects."""
        ensure_directories(self.layout, sys.executable)

    def module_or_none(self) -> str | None:
        """The module of -m, else of SAFEMODULE, else None."""
        name = self.module or self.environment.get("SAFEMODULE") or None
        return None if name is None else check_module_name(name)

    def module_for(self, verb: str) -> str:
        """The module of -m, else of SAFEMODULE. Raises: ModuleNotGiven (MIR-104)."""
        name = self.module_or_none()
        if name is None:
            raise ModuleNotGiven(verb=verb)
        return name

    def client(self, timeout_s: float | None = None) -> LocalClient:
        """A client of this host's control plane; it connects at the first call."""
        return LocalClient(self.layout.control_socket, timeout_s=timeout_s)

    def command(self, verb: str, module: str | None, /, **arguments: object) -> Message:
        """Ask the control plane to do something; return its reply."""
        with self.client() as client:
            return client.call(
                "command", verb=verb, module=module, arguments=arguments, identity=self.identity
            )

    def report(self, value: Mapping[str, Any], text: str) -> None:
        """Answer: `value` as JSON with --json, else `text` for people, when there is some."""
        if self.as_json:
            click.echo(json.dumps(without_envelope(value), indent=2, default=str))
        elif text:
            click.echo(text)


def without_envelope(message: Mapping[str, Any]) -> dict[str, Any]:
    """Drop what only concerns the transport."""
    return {name: value for name, value in message.items() if name not in ENVELOPE}
