"""The durable record of one module on one node (design 8), and its form in JSON.

It says which state of the data this node holds, who holds everything, and what the node gave up.
It is replaced atomically; nothing that depends on it happens before it is on disk.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

HISTORY_MAX = 32
GENERATION_BYTES = 16


@dataclass(frozen=True, slots=True)
class Record:
    """Generations and sessions are 32 hexadecimal digits, or "" when there is none.

    current: the generation this node's data are.
    base: the shared generation that this node's dirty index counts from; "" when it is empty.
    history: earlier generations, newest first, at most HISTORY_MAX.
    term: how many times a node of the pair has begun to serve.
    checkpoint: the last epoch known to be on this disk when the record was written.
    may_serve: nodes that hold everything that was acknowledged.
    lived_on: it served alone since `current` was last shared.
    target_of: the peer whose reintegration into this node has begun and not ended.
    inconsistent: this copy is wrong in places nobody knows.
    was_primary: its role when both were last in step.
    out_of: the session it gave up; with it this node promises not to serve in that session.
    roots: (directory, identity) of each replicated directory.
    split: "seen" while an administrator has to choose after a split brain (policy="ask"),
        "chosen" when this side was; "" otherwise.
    """

    current: str = ""
    base: str = ""
    history: tuple[str, ...] = ()
    term: int = 0
    checkpoint: int = 0
    may_serve: frozenset[str] = frozenset()
    lived_on: bool = False
    target_of: str = ""
    inconsistent: bool = False
    clean_stop: bool = False
    forced: bool = False
    was_primary: bool = False
    out_of: str = ""
    roots: tuple[tuple[str, str], ...] = ()
    split: str = ""

    @property
    def blank(self) -> bool:
        """True before this node ever held data of the module."""
        return not self.current


def record_to_map(record: Record) -> dict[str, Any]:
    """Give JSON values; `record_from_map` gives back an equal record."""
    return {
        "current": record.current,
        "base": record.base,
        "history": list(record.history),
        "term": record.term,
        "checkpoint": record.checkpoint,
        "may_serve": sorted(record.may_serve),
        "lived_on": record.lived_on,
        "target_of": record.target_of,
        "inconsistent": record.inconsistent,
        "clean_stop": record.clean_stop,
        "forced": record.forced,
        "was_primary": record.was_primary,
        "out_of": record.out_of,
        "roots": [list(root) for root in record.roots],
        "split": record.split,
    }


def record_from_map(values: Mapping[str, Any]) -> Record:
    """Read JSON values; a field of a newer version is ignored, a missing one has its default.

    Raises: ValueError when a value has not the type of its field. The peer's record comes this
    way too, so nothing here may trust its input.
    """
    known = {field.name for field in fields(Record)}
    given = {name: value for name, value in values.items() if name in known}
    for name, value in given.items():
        given[name] = _checked(name, value)
    return Record(**given)


def _checked(name: str, value: object) -> object:
    default = getattr(Record(), name)
    if isinstance(default, bool | str) and type(value) is type(default):
        return value
    if type(default) is int and type(value) is int and value >= 0:
        return value
    if isinstance(value, list | tuple):
        if name == "history" and all(isinstance(item, str) for item in value):
            return tuple(value)[:HISTORY_MAX]
        if name == "may_serve" and all(isinstance(item, str) for item in value):
            return frozenset(value)
        if name == "roots" and all(_is_root(item) for item in value):
            return tuple((str(item[0]), str(item[1])) for item in value)
    raise ValueError(f"record field {name}: {value!r} is not like {default!r}")


def _is_root(item: object) -> bool:
    return (
        isinstance(item, list | tuple)
        and len(item) == 2
        and all(isinstance(part, str) for part in item)
    )
