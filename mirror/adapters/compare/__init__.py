"""Are two directory trees the same, bit by bit? Independent of the engine that made them so.

digest_tree     one tree -> one entry per name: type, bytes, holes, mode, owner, mtime, xattrs ...
compare         two sequences of entries -> the differences
compare_trees   both, for two trees of one host

`python -m mirror.adapters.compare DIRECTORY` writes the entries as JSON lines, to be run inside
two hosts and compared outside. It reads, never writes, and does not touch access times.
"""

from mirror.adapters.compare.differences import Difference, compare, compare_trees
from mirror.adapters.compare.digest import Entry, digest_tree

__all__ = ["Difference", "Entry", "compare", "compare_trees", "digest_tree"]
