"""`python -m mirror.adapters.compare DIRECTORY [KIND TEXT]...`: a tree as JSON lines.

Each KIND TEXT is a rule of what is not replicated (excluded.py).
"""

import sys
from pathlib import Path

from mirror.adapters.compare.digest import digest_tree
from mirror.adapters.compare.excluded import local_by


def main() -> None:
    """Write one line for each entry; a traceback and exit code 1 when the tree cannot be read."""
    kinds, texts = sys.argv[2::2], sys.argv[3::2]
    is_local = local_by(tuple(zip(kinds, texts, strict=True)))
    for entry in digest_tree(Path(sys.argv[1]), is_local):
        sys.stdout.write(entry.to_json() + "\n")


if __name__ == "__main__":
    main()
