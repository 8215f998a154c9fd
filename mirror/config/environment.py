"""Environment of the module's scripts: SafeKit's variables, then the module's own."""

import os
from collections.abc import Mapping

from mirror.config.layout import Layout
from mirror.config.models import ModuleConfig

# What a script inherits; the rest of our own environment is not its business.
INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "HOME")
PATH_DEFAULT = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def script_environment(
    layout: Layout,
    module: str,
    config: ModuleConfig | None,
    inherited: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Build the whole environment. <var> cannot hide SafeKit's variables: scripts rely on them."""
    source = os.environ if inherited is None else inherited
    paths = layout.module(module)
    environment = {"PATH": PATH_DEFAULT}
    environment |= {name: source[name] for name in INHERITED if name in source}
    if config is not None and config.user is not None:
        environment |= config.user.variables
    environment |= {
        "SAFE": str(layout.safe),
        "SAFEMODULE": module,
        "SAFEBIN": str(layout.safebin),
        "SAFEUSERBIN": str(paths.applied_bin),
        "SAFEUSERCONF": str(paths.applied_conf),
        "SAFEVAR": str(layout.safevar),
        "SAFEUSERVAR": str(paths.working),
    }
    return environment
