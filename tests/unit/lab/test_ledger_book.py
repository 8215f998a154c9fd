"""The judgement of the ledger: every way in which a database can be wrong is seen."""

from itertools import islice
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mirror.adapters.lab.ledger_book import (
    Book,
    Entry,
    Key,
    Outcome,
    digest_of,
    judge,
    payloads,
    read_book,
)

BOOKS = st.dictionaries(
    st.tuples(st.integers(0, 3), st.integers(1, 20)), st.sampled_from(Outcome)
).map(lambda made: [Entry(outcome, *key, digest=f"{key}") for key, outcome in made.items()])


def true_rows(entries: list[Entry]) -> dict[Key, str]:
    """What a database that keeps its word holds, none of the ambiguous among it."""
    return {it.key: it.digest for it in entries if it.outcome is Outcome.ACKNOWLEDGED}


@given(BOOKS, st.data())
def test_ambiguous_rows_may_be_there_or_not(entries: list[Entry], data: st.DataObject) -> None:
    rows = true_rows(entries)
    for entry in entries:
        if entry.outcome is Outcome.AMBIGUOUS and data.draw(st.booleans()):
            rows[entry.key] = entry.digest
    verdict = judge(entries, rows)
    assert verdict.good
    assert verdict.present == verdict.acknowledged + verdict.ambiguous_present


@given(BOOKS, st.data())
def test_one_wrong_row_is_one_finding(entries: list[Entry], data: st.DataObject) -> None:
    rows = true_rows(entries)
    wrongs = ["never sent"]
    wrongs += ["lost", "different"] if rows else []
    refused = [entry for entry in entries if entry.outcome is Outcome.REFUSED]
    wrongs += ["refused"] if refused else []
    wrong = data.draw(st.sampled_from(wrongs))
    if wrong == "lost":
        rows.pop(data.draw(st.sampled_from(sorted(rows))))
    elif wrong == "different":
        rows[data.draw(st.sampled_from(sorted(rows)))] = "another"
    elif wrong == "refused":
        rows[data.draw(st.sampled_from(refused)).key] = "x"
    else:
        rows[(9, 1)] = "x"
    verdict = judge(entries, rows)
    assert not verdict.good
    found = (verdict.lost, verdict.different, verdict.unexpected)
    assert found == {"lost": (1, 0, 0), "different": (0, 1, 0)}.get(wrong, (0, 0, 1))
    assert len(verdict.examples) == 1


def test_a_book_still_written_judges_only_what_it_holds() -> None:
    entries = [Entry(Outcome.ACKNOWLEDGED, 0, seq, "d") for seq in (1, 2)]
    rows = {(0, 1): "d", (0, 2): "d", (0, 3): "later", (1, 1): "another worker began"}
    assert judge(entries, rows, running=True).good
    assert judge(entries, rows).unexpected == 2
    assert judge(entries, {(0, 2): "d"}, running=True).lost == 1


def test_a_book_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = list(islice(payloads(7, 0), 50))
    entries = [
        Entry(outcome, 0, seq, digest_of(payload))
        for seq, (payload, outcome) in enumerate(zip(made, list(Outcome) * 20, strict=False), 1)
    ]
    book = Book(tmp_path / "book")
    for entry in entries:
        book.note(entry)
    book.close()
    assert list(read_book(tmp_path / "book")) == entries
    assert sum(book.counts.values()) == len(entries)


def test_payloads_repeat_with_their_seed_only() -> None:
    one, same, other, neighbour = (
        list(islice(payloads(seed, worker), 20))
        for seed, worker in ((1, 0), (1, 0), (2, 0), (1, 1))
    )
    assert one == same
    assert one != other
    assert one != neighbour
    assert all(set(payload) <= set("0123456789abcdef") for payload in one)
