"""What of a tree is not replicated (<notreplicated>), said a second time and independently.

The engine's rules are C (native/lower/rules.h). A comparison that used them could not see that
they are wrong; a test holds the two against each other.
"""

import os
from collections.abc import Sequence

from mirror.adapters.checkers.posix_regex import PosixRegex
from mirror.adapters.compare.digest import IsLocal, nothing_is_local

PATH, REGEX, ONLY = "path", "regex", "only"


def local_by(rules: Sequence[tuple[str, str]]) -> IsLocal:
    """A function that says whether an entry is local; it is asked from the top down.

    rules: kind and text: PATH is relative to the top; REGEX is what is not replicated, ONLY what
    alone is, of all that are no directories. Raises: ValueError, no POSIX expression.
    """
    if not rules:
        return nothing_is_local
    paths = {text for kind, text in rules if kind == PATH}
    refused = [PosixRegex(text) for kind, text in rules if kind == REGEX]
    wanted = [PosixRegex(text) for kind, text in rules if kind == ONLY]

    def is_local(path: str, directory: bool) -> bool:  # noqa: FBT001 - as IsLocal
        name = os.fsencode(path)
        if path in paths or any(each.found_in(name) for each in refused):
            return True
        return bool(wanted) and not directory and not any(each.found_in(name) for each in wanted)

    return is_local
