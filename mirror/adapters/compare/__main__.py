"""`python -m mirror.adapters.compare DIRECTORY`: the entries of a tree as JSON lines."""

import sys
from pathlib import Path

from mirror.adapters.compare.digest import digest_tree


def main() -> None:
    """Write one line for each entry; a traceback and exit code 1 when the tree cannot be read."""
    for entry in digest_tree(Path(sys.argv[1])):
        sys.stdout.write(entry.to_json() + "\n")


if __name__ == "__main__":
    main()
