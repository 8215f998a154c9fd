"""The ports that a module uses, as its configuration says them: for firewalls, lists and pages.

Blocking: it reads the configuration in force, else the edited one.
"""

from collections.abc import Mapping

from mirror.config.files import read_bytes
from mirror.config.layout import ModulePorts, ports_of
from mirror.config.module_store import ModuleStore
from mirror.config.userconfig import load_userconfig
from mirror.errors import MirrorError


def ports_in_use(
    store: ModuleStore, module: str, module_id: int, environment: Mapping[str, str]
) -> ModulePorts:
    """Give the ports of a module; a light one runs on one node and has none.

    Raises: ConfigRefused (MIR-101), FileNotReadable: `<heart port>` is then not known.
    """
    paths = store.layout.module(module)
    file = paths.applied_userconfig
    if not file.is_file():
        file = paths.edited_userconfig
    config = load_userconfig(read_bytes(file), str(file), environment)
    if config.service.mode == "light":
        return ModulePorts(heartbeat_udp=0, data_tcp=0)
    return ports_of(module_id, config.heart.port)


def ports_shown(
    store: ModuleStore, module: str, module_id: int, environment: Mapping[str, str]
) -> ModulePorts:
    """Give them for a list: those without `<heart port>` while the edited file is refused."""
    try:
        return ports_in_use(store, module, module_id, environment)
    except MirrorError:
        return ports_of(module_id)
