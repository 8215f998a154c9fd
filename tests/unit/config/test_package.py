"""A .safe file is not believed: what may be unpacked, and what leaves nothing behind."""

import stat
import struct
import zipfile
from pathlib import Path

import pytest

from mirror.config import package
from mirror.config.package import check_package, pack, unpack
from mirror.errors import FileNotReadable, PackageRefused

USERCONFIG = ("conf/userconfig.xml", b"<safe/>")


def make(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def entry(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def raw_name(path: Path, old: bytes, new: bytes) -> Path:
    """Change names in the bytes: the library would not write such ones."""
    assert len(old) == len(new)
    path.write_bytes(path.read_bytes().replace(old, new))
    return path


def test_a_package_is_unpacked_with_modes_of_ours(tmp_path: Path) -> None:
    file = make(
        tmp_path / "m.safe",
        USERCONFIG,
        (entry("bin/", stat.S_IFDIR | 0o700), b""),
        (entry("bin/start_prim", stat.S_IFREG | 0o6777), b"#!/bin/sh\n"),
        ("manifest.xml", b"<m/>"),
    )
    unpack(file, tmp_path / "out")
    found = {
        str(path.relative_to(tmp_path / "out")): oct(path.stat().st_mode & 0o7777)
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert found == {
        "conf/userconfig.xml": "0o644",
        "bin/start_prim": "0o755",
        "manifest.xml": "0o644",
    }


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        ("/etc/passwd", "absolute"),
        ("C:/x", "absolute"),
        ("../x", "'..'"),
        ("bin/../../x", "'..'"),
        ("bin\\x", "a letter"),
        ("bin/\x07", "a letter"),
        ("n" * 600, "length"),
        (entry("bin/link", stat.S_IFLNK | 0o777), "symbolic link"),
        (entry("bin/pipe", stat.S_IFIFO | 0o600), "no regular file"),
        (entry("bin/disk", stat.S_IFBLK | 0o600), "no regular file"),
        ("conf/userconfig.xml/x", "beneath a file"),
        ("conf/./userconfig.xml", "twice"),
    ],
)
def test_an_entry_that_may_not_be_unpacked(
    tmp_path: Path, bad: str | zipfile.ZipInfo, word: str
) -> None:
    file = make(tmp_path / "m.safe", USERCONFIG, (bad, b"x"))
    with pytest.raises(PackageRefused, match=word):
        unpack(file, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["m.safe"]


def test_names_that_the_zip_library_would_cut(tmp_path: Path) -> None:
    file = raw_name(
        make(tmp_path / "m.safe", USERCONFIG, ("bin/zero", b"x")), b"bin/zero", b"bin/z\0ro"
    )
    with pytest.raises(PackageRefused, match="a letter"):
        check_package(file)


def test_the_userconfig_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(PackageRefused, match=r"userconfig\.xml is missing"):
        check_package(make(tmp_path / "m.safe", ("bin/x", b"")))


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = make(tmp_path / "m.safe", USERCONFIG, ("a", b"x" * 5), ("b", b"y" * 5))
    monkeypatch.setattr(package, "ENTRIES_MAX", 2)
    with pytest.raises(PackageRefused, match="3 entries"):
        check_package(file)
    monkeypatch.setattr(package, "ENTRIES_MAX", 3)
    monkeypatch.setattr(package, "PACKAGE_BYTES_MAX", 16)
    with pytest.raises(PackageRefused, match="17 bytes unpacked"):
        check_package(file)
    monkeypatch.setattr(package, "PACKAGE_BYTES_MAX", 17)
    check_package(file)
    monkeypatch.setattr(package, "ENTRY_BYTES_MAX", 6)
    with pytest.raises(PackageRefused, match="larger"):
        check_package(file)


def test_a_size_that_lies_is_found_while_unpacking(tmp_path: Path) -> None:
    file = make(tmp_path / "m.safe", USERCONFIG, ("big", b"z" * 4096))
    size = struct.pack("<I", 4096)
    data = file.read_bytes()
    assert data.count(size) == 2
    file.write_bytes(data.replace(size, struct.pack("<I", 16)))
    with pytest.raises(PackageRefused):
        unpack(file, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["m.safe"]


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"no zip at all", b"PK\x05\x06" + b"\0" * 18]
)
def test_what_is_no_package(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "m.safe"
    file.write_bytes(content)
    with pytest.raises(PackageRefused):
        check_package(file)
    with pytest.raises(FileNotReadable):
        check_package(tmp_path / "none.safe")


def test_packing_is_repeatable_and_refuses_links(tmp_path: Path) -> None:
    source = tmp_path / "module"
    (source / "conf").mkdir(parents=True)
    (source / "bin").mkdir()
    (source / USERCONFIG[0]).write_bytes(USERCONFIG[1])
    (source / "bin" / "start_prim").write_bytes(b"#!/bin/sh\n")
    pack(source, tmp_path / "1.safe")
    (source / "bin" / "start_prim").touch()
    pack(source, tmp_path / "2.safe")
    assert (tmp_path / "1.safe").read_bytes() == (tmp_path / "2.safe").read_bytes()
    unpack(tmp_path / "1.safe", tmp_path / "out")
    assert (tmp_path / "out" / "bin" / "start_prim").read_bytes() == b"#!/bin/sh\n"
    (source / "bin" / "secret").symlink_to("/etc/shadow")
    with pytest.raises(PackageRefused, match="no regular file"):
        pack(source, tmp_path / "3.safe")
    with pytest.raises(PackageRefused, match="is missing"):
        pack(source / "conf", tmp_path / "4.safe")
