"""What people switch by command and a restart must not forget: boot, errd, checker, failover.

SafeKit shows them as resources `usersetting.NAME`. One small durable file each, in the module's
state directory. `boot` counts when userconfig.xml says boot="ignore".
"""

import contextlib

from mirror.config.files import write_durably
from mirror.config.layout import ModuleLayout

ON, OFF = "on", "off"
DEFAULTS = {"boot": OFF, "errd": ON, "checker": ON, "failover": ""}  # "": as userconfig.xml says


def read_user_setting(module: ModuleLayout, name: str) -> str:
    """Give `on`, `off`, or what holds as long as nobody has switched it."""
    with contextlib.suppress(OSError):
        found = (module.state / name).read_text(encoding="ascii", errors="replace").strip()
        if found in (ON, OFF):
            return found
    return DEFAULTS[name]


def write_user_setting(module: ModuleLayout, name: str, *, on: bool) -> None:
    """Remember it, on disk on return. Raises: FileNotReadable (MIR-108)."""
    assert name in DEFAULTS
    module.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_durably(module.state / name, f"{ON if on else OFF}\n".encode())
