"""Names of modules: what may become a directory, a resource and a label in logs."""

import re

from mirror.errors import ModuleNameRefused
from mirror.vocabulary.said import say

MODULE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}", re.ASCII)
# `lastconfig` is a directory beside the modules; `all` is what people type for every module.
RESERVED = frozenset({"lastconfig", "all"})


def check_module_name(name: str) -> str:
    """Give the name back. Raises: ModuleNameRefused (MIR-103)."""
    if name in RESERVED:
        raise ModuleNameRefused(module=name, observed=say("module.reserved"))
    if not MODULE_NAME.fullmatch(name):
        raise ModuleNameRefused(module=repr(name), observed=say("module.letters"))
    return name
