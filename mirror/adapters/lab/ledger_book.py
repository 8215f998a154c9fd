"""The ledger: what was sent to the database and what became of it, as the client was told.

A row is written into the book only after its outcome is known: `acknowledged` means that the
server has said COMMIT. The judgement at the end is a pure function of the book and the rows read.
"""

import hashlib
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

# Most rows are small, some go to the overflow table, as in a real application.
_PAYLOAD_BYTES = (20, 40, 120, 300, 3000)


class Outcome(StrEnum):
    """What the client knows of one transaction."""

    ACKNOWLEDGED = "acknowledged"  # must be there, for ever
    AMBIGUOUS = "ambiguous"  # the connection broke in flight: may be there or not
    REFUSED = "refused"  # the server said no: must not be there


Key = tuple[int, int]  # worker, seq


@dataclass(frozen=True, slots=True)
class Entry:
    """One transaction that was sent. digest: of its payload, in hexadecimal."""

    outcome: Outcome
    worker: int
    seq: int
    digest: str

    @property
    def key(self) -> Key:
        """The primary key of its row."""
        return self.worker, self.seq


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the comparison of the book with the table found, in rows.

    lost: acknowledged and not there. different: there, with another payload.
    unexpected: there, though never sent or refused. ambiguous_present: allowed either way.
    """

    acknowledged: int
    present: int
    lost: int
    different: int
    unexpected: int
    ambiguous: int
    ambiguous_present: int
    examples: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Nothing that a client was told is missing, and nothing was made up."""
        return not (self.lost or self.different or self.unexpected)


def digest_of(payload: str) -> str:
    """Digest of a payload as the book keeps it."""
    return hashlib.blake2b(payload.encode(), digest_size=16).hexdigest()


def payloads(seed: int, worker: int) -> Iterator[str]:
    """Endless payloads of a worker, the same for the same seed; only 0-9 and a-f, safe in SQL."""
    source = random.Random(f"{seed}/{worker}")  # noqa: S311 - test data
    while True:
        yield source.randbytes(source.choice(_PAYLOAD_BYTES)).hex()


class Book:
    """The file of outcomes, a line each. One writer; lines reach the file in order."""

    def __init__(self, path: Path) -> None:
        """Begin an empty book at `path`."""
        self._file: IO[str] = path.open("w", buffering=1)
        self.counts = dict.fromkeys(Outcome, 0)

    def note(self, entry: Entry) -> None:
        """Keep one outcome."""
        self._file.write(f"{entry.outcome} {entry.worker} {entry.seq} {entry.digest}\n")
        self.counts[entry.outcome] += 1

    def close(self) -> None:
        """End the book; it can be read."""
        self._file.close()


def read_book(path: Path) -> Iterator[Entry]:
    """Every entry of a book, in the order of writing."""
    with path.open() as lines:
        for line in lines:
            outcome, worker, seq, digest = line.split()
            yield Entry(Outcome(outcome), int(worker), int(seq), digest)


def judge(entries: Iterable[Entry], rows: dict[Key, str], *, running: bool = False) -> Verdict:
    """Compare the book with the digests of the rows that the database holds.

    running: the book was read first, while its writer went on: each worker sends its rows in
    order, so what is newer than its last entry says nothing.
    """
    sent = {entry.key: entry for entry in entries}
    if running:
        newest = {worker: max(seq for at, seq in sent if at == worker) for worker, _ in sent}
        rows = {key: digest for key, digest in rows.items() if key[1] <= newest.get(key[0], 0)}
    counts = dict.fromkeys(Outcome, 0)
    lost: list[Key] = []
    different: list[Key] = []
    unexpected = [key for key in rows if key not in sent]
    ambiguous_present = 0
    for key, entry in sent.items():
        counts[entry.outcome] += 1
        found = rows.get(key)
        if found is None:
            if entry.outcome is Outcome.ACKNOWLEDGED:
                lost.append(key)
        elif entry.outcome is Outcome.REFUSED:
            unexpected.append(key)
        elif found != entry.digest:
            different.append(key)
        elif entry.outcome is Outcome.AMBIGUOUS:
            ambiguous_present += 1
    examples = [
        f"{what} worker={worker} seq={seq}"
        for what, keys in (("lost", lost), ("different", different), ("unexpected", unexpected))
        for worker, seq in sorted(keys)[:5]
    ]
    return Verdict(
        acknowledged=counts[Outcome.ACKNOWLEDGED],
        present=len(rows),
        lost=len(lost),
        different=len(different),
        unexpected=len(unexpected),
        ambiguous=counts[Outcome.AMBIGUOUS],
        ambiguous_present=ambiguous_present,
        examples=tuple(examples),
    )
