"""Versions kept aside, as files: what is listed, and what a hostile path cannot reach."""

import json
import os
from pathlib import Path

import pytest

from mirror.adapters.kept import Kept, parts_of

REFUSED = "not a path|not a version|Not a directory|No such file|Too many levels|Is a directory"


def put(lower: Path, folder: str, path: str, text: str, **line: object) -> None:
    top = lower / ".mirror" / "aside" / folder
    file = top / "files" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    said = {"path": path, "kept": f"files/{path}", "side": "SECOND", "what": "replaced", **line}
    with (top / "list.jsonl").open("a") as lines:
        lines.write(json.dumps(said) + "\n")


def test_nothing_is_listed_of_a_directory_without_any(tmp_path: Path) -> None:
    assert list(Kept(str(tmp_path), 0).versions()) == []


def test_a_torn_line_and_a_removed_file_are_none(tmp_path: Path) -> None:
    put(tmp_path, "G23-a", "one", "1")
    put(tmp_path, "G23-a", "two", "22", kept_ns=7)
    (tmp_path / ".mirror/aside/G23-a/files/one").unlink()
    with (tmp_path / ".mirror/aside/G23-a/list.jsonl").open("a") as lines:
        lines.write('{"path": "thr')
    (version,) = Kept(str(tmp_path), 3).versions()
    assert (version.path, version.size_bytes, version.kept_ns, version.root) == ("two", 2, 7, 3)
    assert version.id == Kept(str(tmp_path), 3).versions().__next__().id


def test_a_version_is_read_with_its_holes(tmp_path: Path) -> None:
    put(tmp_path, "G23-a", "d/sparse", "")
    file = tmp_path / ".mirror/aside/G23-a/files/d/sparse"
    os.truncate(file, 1 << 20)
    with file.open("r+b") as stream:
        stream.seek(1 << 20)
        stream.write(b"end")
    piece = Kept(str(tmp_path), 0).read("G23-a", "files/d/sparse", 0, 1 << 20)
    assert (piece.hole_bytes, piece.data, piece.size_bytes) == (1 << 20, b"end", (1 << 20) + 3)
    after = Kept(str(tmp_path), 0).read("G23-a", "files/d/sparse", piece.size_bytes, 1 << 20)
    assert (after.hole_bytes, after.data) == (0, b"")


def test_the_folder_goes_with_its_last_version(tmp_path: Path) -> None:
    put(tmp_path, "G23-a", "d/e/one", "1" * 5000)
    put(tmp_path, "G23-a", "d/two", "2")
    here = Kept(str(tmp_path), 0)
    assert here.remove("G23-a", "files/d/e/one") >= 5000
    assert [version.path for version in here.versions()] == ["d/two"]
    assert not (tmp_path / ".mirror/aside/G23-a/files/d/e").exists()
    here.remove("G23-a", "files/d/two")
    assert list((tmp_path / ".mirror/aside").iterdir()) == []


@pytest.mark.parametrize(
    ("folder", "kept"),
    [
        ("..", "files/x"),
        ("G23-a", "files/../../../../outside"),
        ("G23-a", "list.jsonl"),
        ("G23-a", "files"),
        ("G23-a/..", "files/x"),
        ("G23-a", "files/link/outside"),
        ("", "files/x"),
    ],
)
def test_what_is_not_kept_aside_is_out_of_reach(tmp_path: Path, folder: str, kept: str) -> None:
    lower = tmp_path / "lower"
    put(lower, "G23-a", "x", "kept")
    (tmp_path / "outside").write_text("not yours")
    (lower / ".mirror/aside/G23-a/files/link").symlink_to(tmp_path)
    here = Kept(str(lower), 0)
    with pytest.raises(OSError, match=REFUSED):
        here.read(folder, kept, 0, 10)
    with pytest.raises(OSError, match=REFUSED):
        here.remove(folder, kept)
    assert (tmp_path / "outside").exists()


@pytest.mark.parametrize("path", [b"", b"/etc", b"a/../b", b".mirror/numbers.json", b"a//b"])
def test_only_paths_of_the_application_are_replaced(path: bytes) -> None:
    with pytest.raises(OSError, match=REFUSED):
        parts_of(path)
