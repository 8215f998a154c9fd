"""A record comes back as it was written, or is refused: never half of it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.adapters.records import read_record, write_record
from mirror.errors import RecordNotWritten, RecordTorn

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_absent_is_not_torn(tmp_path: Path) -> None:
    assert read_record(tmp_path / "record.json") is None


@given(record=st.dictionaries(st.text(), JSON, max_size=5))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, record: dict[str, object]) -> None:
    path = tmp_path_factory.mktemp("record") / "deeper" / "record.json"
    write_record(path, record)
    assert read_record(path) == record


def test_every_torn_prefix_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_record(path, {"generation": "9f3a07", "may_serve": ["n1"]})
    whole = path.read_bytes()
    for size_bytes in range(len(whole.rstrip())):  # what comes then says nothing
        path.write_bytes(whole[:size_bytes])
        with pytest.raises(RecordTorn):
            read_record(path)


def test_an_edited_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_record(path, {"may_serve": ["n1"]})
    path.write_text(path.read_text().replace("n1", "n2"))
    with pytest.raises(RecordTorn, match="checksum differs"):
        read_record(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 4096, b"[]", b'{"v":2,"record":{},"blake2b":""}', b'{"v":1,"record":[]}'],
)
def test_other_content_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(RecordTorn):
        read_record(path)


def test_the_old_record_stands_when_the_new_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(RecordNotWritten, match="MIR-208"):
        write_record(tmp_path / "file" / "record.json", {"a": 1})
    assert (tmp_path / "file").read_text() == "not a directory"
