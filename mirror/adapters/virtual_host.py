"""<vhost>: the library and the variables by which a module's programs see another host name.

The library is copied to SAFEBIN, so that what an application has loaded outlives an update of this
program. What is written for scripts is read by a shell and by systemd's EnvironmentFile alike.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import mirror
from mirror.config.check_models import VirtualHostName
from mirror.config.files import read_bytes, write_durably
from mirror.config.layout import Layout
from mirror.errors import FileNotReadable
from mirror.vocabulary.said import say

BUILT = Path(mirror.__file__).parent / "_vhost.abi3.so"
NAME = "libvhost.so"
VARIABLE = "MIRROR_VIRTUAL_HOSTNAME"
# The loader separates names by these; a path that holds one cannot be preloaded.
SEPARATORS = " :\t\n"

# Ending of a script -> the classes of <virtualhostname when> that it belongs to.
CLASSES: Mapping[str, tuple[str, ...]] = {
    "_prim": ("prim", "both"),
    "_second": ("second", "both"),
    "_sec": ("second", "both"),
    "_both": ("both",),
}


def variables(layout: Layout, name: str) -> dict[str, str]:
    """Give the environment in which a program sees `name`."""
    return {"LD_PRELOAD": str(layout.safebin / NAME), VARIABLE: name}


def of_script(layout: Layout, vhost: Iterable[VirtualHostName], script: str) -> dict[str, str]:
    """Give the variables of one script; {} when it is of no class with a name."""
    classes = next((on for end, on in CLASSES.items() if script.endswith(end)), ())
    names = {one.when: one.name for one in vhost}
    found = next((names[one] for one in classes if one in names), None)
    return {} if found is None else variables(layout, found)


def install(layout: Layout, module: str, vhost: Iterable[VirtualHostName]) -> None:
    """Copy the library, and write the environment files of a module in force.

    Raises: FileNotReadable (MIR-108).
    """
    written = tuple(vhost)
    if not written:
        return
    library = layout.safebin / NAME
    if any(character in str(library) for character in SEPARATORS):
        raise FileNotReadable(file=library, observed=say("file.space"))
    content = read_bytes(BUILT)
    if not library.exists() or read_bytes(library) != content:
        write_durably(library, content, mode=0o755)
    for one in written:
        values = variables(layout, one.name)
        lines = [f"{name}={value}" for name, value in values.items()]
        text = "\n".join(("# Written by `mirror config`.", *lines, f"export {' '.join(values)}"))
        path = layout.module(module).applied_bin / one.envfile
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, f"{text}\n".encode(), mode=0o644)
