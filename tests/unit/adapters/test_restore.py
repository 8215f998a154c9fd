"""A version written back where it stood, by root, in a directory that somebody else may change."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.adapters.restore import Attributes, Pieces, put


def attributes(mode: int, **more: object) -> Attributes:
    values = {"size_bytes": 4, "rdev": 0, "xattrs": [("user.a", b"1")], **more}
    return Attributes(mode=mode, uid=7, gid=8, atime_ns=10**9, mtime_ns=2 * 10**9, **values)  # type: ignore[arg-type]


def bytes_of(data: bytes) -> Pieces:
    yield 0, data


FILE = attributes(stat.S_IFREG | 0o4755)


def test_all_of_it_is_there(tmp_path: Path) -> None:
    put(str(tmp_path), b"new/below/file", FILE, bytes_of(b"data"))
    file = tmp_path / "new/below/file"
    found = file.stat()
    assert file.read_bytes() == b"data"
    assert (found.st_mode, found.st_uid, found.st_gid) == (stat.S_IFREG | 0o4755, 7, 8)
    assert (found.st_atime_ns, found.st_mtime_ns) == (10**9, 2 * 10**9)
    assert os.getxattr(file, "user.a") == b"1"
    assert list(file.parent.iterdir()) == [file]


def test_a_link_and_a_pipe_are_what_they_were(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("not touched")
    before = (tmp_path / "target").stat()
    xattrs = [("trusted.a", b"1")]
    link = attributes(stat.S_IFLNK | 0o777, xattrs=xattrs, link=b"target")
    put(str(tmp_path), b"link", link, iter(()))
    put(str(tmp_path), b"pipe", attributes(stat.S_IFIFO | 0o640, xattrs=xattrs), iter(()))
    assert (tmp_path / "link").readlink() == Path("target")
    for name, kind in (("link", stat.S_IFLNK | 0o777), ("pipe", stat.S_IFIFO | 0o640)):
        found = (tmp_path / name).lstat()
        assert (found.st_mode, found.st_uid, found.st_mtime_ns) == (kind, 7, 2 * 10**9)
        assert os.getxattr(tmp_path / name, "trusted.a", follow_symlinks=False) == b"1"
    assert (tmp_path / "target").stat() == before


def test_what_stands_there_stays_when_the_version_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("of now")

    def torn() -> Iterator[tuple[int, bytes]]:
        yield 0, b"da"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        put(str(tmp_path), b"file", FILE, torn())
    assert [one.read_text() for one in tmp_path.iterdir()] == ["of now"]


@pytest.mark.parametrize("path", [b"way/file", b"way/deeper/file", b"in/way/file"])
def test_a_link_of_the_applications_leads_nowhere_else(tmp_path: Path, path: bytes) -> None:
    """The application put a link where a directory was: root would write wherever it leads."""
    top, outside = tmp_path / "top", tmp_path / "outside"
    (top / "in").mkdir(parents=True)
    outside.mkdir()
    (top / "way").symlink_to(outside)
    (top / "in/way").symlink_to(outside)
    with pytest.raises(NotADirectoryError):
        put(str(top), path, FILE, bytes_of(b"data"))
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("path", [b"../file", b"/file", b"a/../../file", b".mirror/file"])
def test_a_path_that_leads_out_is_none(tmp_path: Path, path: bytes) -> None:
    (tmp_path / "top").mkdir()
    with pytest.raises(OSError, match="not a path"):
        put(str(tmp_path / "top"), path, FILE, bytes_of(b"data"))
    assert list(tmp_path.rglob("*")) == [tmp_path / "top"]


def test_what_takes_its_name_meanwhile_gets_none_of_its_rights(tmp_path: Path) -> None:
    """The name is seen while it is written: a link put there would have another file opened up."""
    top, precious = tmp_path / "top", tmp_path / "precious"
    top.mkdir()
    precious.write_text("root's")
    precious.chmod(0o600)

    def meanwhile() -> Pieces:
        yield 0, b"da"
        (name,) = top.iterdir()
        name.unlink()
        name.symlink_to(precious)
        yield 2, b"ta"

    put(str(top), b"file", attributes(stat.S_IFREG | 0o666, xattrs=[]), meanwhile())
    assert stat.S_IMODE(precious.stat().st_mode) == 0o600
