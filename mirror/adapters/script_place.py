"""What every program of a module is run in: its control group, its environment, its log.

For scripts and for custom checkers alike. Blocking, but short: called in a thread where files are
made.
"""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from mirror.adapters import clock
from mirror.adapters.cgroups import CHECKERS_GROUP, ROOT_GROUP, ControlGroup
from mirror.adapters.durable import make_directory
from mirror.adapters.process_marks import MARK_VARIABLE, MarkedGroup
from mirror.config.layout import Layout
from mirror.errors import ScriptNotStarted
from mirror.vocabulary.said import say
from mirror.vocabulary.said_system import system_said

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_INHERITED = ("LANG", "LC_ALL", "TZ", "HOME")

Group = ControlGroup | MarkedGroup


class ScriptPlace:
    """The place of one module's programs. cgroup2: see ScriptRunner. logging: keep output."""

    def __init__(
        self, layout: Layout, module: str, *, cgroup2: Path | None, logging: bool
    ) -> None:
        self._layout = layout
        self._module = layout.module(module)
        self._cgroup2 = cgroup2
        self._logging = logging
        self._groups: dict[str, Group] = {}

    def program(self, name: str) -> Path:
        """Path of a program of the module's bin."""
        return self._module.applied_bin / name

    def group(self, name: str) -> Group:
        """A group of the module by its name; "" is that of all of them."""
        return self._made(f"{self._module.name}/{name}".rstrip("/"), ROOT_GROUP)

    def checker_group(self, ident: str) -> Group:
        """The group of a custom checker: beside the module's, for it is no application."""
        return self._made(f"{self._module.name}/{ident}", CHECKERS_GROUP)

    def prepare(self, label: str, path: Path, group: Group) -> tuple[int, Path | None]:
        """Make the group and open the log. Returns: a descriptor to close, and the log's path.

        The path is None when nothing is kept: by configuration, or because the disk refuses.

        Raises: ScriptNotStarted (MIR-209).
        """
        if not os.access(path, os.X_OK):
            raise ScriptNotStarted(script=path, observed=say("script.not_executable"))
        try:
            group.create()
        except OSError as error:
            raise not_started(path, error) from error
        if self._logging:
            with contextlib.suppress(OSError):  # no room for its log: it runs all the same
                return self._open_log(label)
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), None

    def _open_log(self, label: str) -> tuple[int, Path]:
        make_directory(self._module.working)
        stamp = clock.wall_file_stamp(clock.wall_us())
        log_path = self._module.working / f"userlog_{stamp}_{label}.ulog"
        # Appending: what the application writes later must not overwrite itself.
        mode = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return os.open(log_path, mode, 0o640), log_path

    def environment(self, group_name: str, variables: Mapping[str, str]) -> dict[str, str]:
        """SafeKit's variables win over `<var>`: a module cannot point them elsewhere."""
        return {
            **{name: os.environ[name] for name in _INHERITED if name in os.environ},
            "PATH": PATH,
            **variables,
            "SAFE": str(self._layout.safe),
            "SAFEVAR": str(self._layout.safevar),
            "SAFEBIN": str(self._layout.safebin),
            "SAFEMODULE": self._module.name,
            "SAFEUSERBIN": str(self._module.applied_bin),
            "SAFEUSERCONF": str(self._module.applied_conf),
            "SAFEUSERVAR": str(self._module.working),
            MARK_VARIABLE: f"{self._module.name}/{group_name}",
        }

    def checker_environment(self, ident: str, variables: Mapping[str, str]) -> dict[str, str]:
        """As `environment`, marked as a checker's."""
        mark = f"{CHECKERS_GROUP}/{self._module.name}/{ident}"
        return {**self.environment(ident, variables), MARK_VARIABLE: mark}

    def _made(self, name: str, root: str) -> Group:
        key = f"{root}/{name}"
        if key not in self._groups:
            if self._cgroup2 is not None:
                self._groups[key] = ControlGroup(self._cgroup2 / root / name)
            else:
                self._groups[key] = MarkedGroup(name if root == ROOT_GROUP else key)
        return self._groups[key]


def not_started(path: Path, error: OSError) -> ScriptNotStarted:
    """Give the refusal for an error of the system."""
    return ScriptNotStarted(script=path, observed=system_said(error))
