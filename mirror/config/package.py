"""A .safe file: a zip with conf/userconfig.xml and bin/. Checked whole before a byte is unpacked.

A package may come from anywhere, so nothing of it is believed: no absolute name, no `..`, no link
or device, no second file of the same name, bounded count and size, also against what is announced.
"""

import contextlib
import os
import shutil
import stat
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from mirror.config.files import beside, made_new, sync_directory, sync_tree
from mirror.errors import FileNotReadable, PackageRefused
from mirror.vocabulary.said import Said, say
from mirror.vocabulary.said_system import system_said

USERCONFIG = "conf/userconfig.xml"
ENTRIES_MAX = 2_000
ENTRY_BYTES_MAX = 64 * 1024 * 1024
PACKAGE_BYTES_MAX = 256 * 1024 * 1024
NAME_BYTES_MAX = 512
CHUNK_BYTES = 1024 * 1024
ENCRYPTED = 0x1
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same files make the same package, whenever it is made
MODE_SCRIPT = 0o755
MODE_FILE = 0o644
FILE, DIRECTORY = "file", "directory"


def check_package(file: Path) -> tuple[zipfile.ZipInfo, ...]:
    """Check the directory of the archive; return its regular files in order.

    Raises: PackageRefused (MIR-105), FileNotReadable (MIR-108).
    """
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except OSError as error:
        raise FileNotReadable(file=file, observed=system_said(error)) from error
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise PackageRefused(
            file=file, observed=say("package.no_zip", observed=str(error))
        ) from error
    if len(entries) > ENTRIES_MAX:
        many = say("package.entries", count=len(entries), allowed=ENTRIES_MAX)
        raise PackageRefused(file=file, observed=many)
    seen: dict[str, str] = {}
    total_bytes = 0
    for entry in entries:
        observed = _wrong_with(entry, seen)
        if observed:
            wrong = say("package.entry", path=repr(entry.filename), observed=observed)
            raise PackageRefused(file=file, observed=wrong)
        seen[str(PurePosixPath(entry.filename))] = DIRECTORY if entry.is_dir() else FILE
        total_bytes += entry.file_size
    if total_bytes > PACKAGE_BYTES_MAX:
        large = say("package.bytes", count=total_bytes, allowed=PACKAGE_BYTES_MAX)
        raise PackageRefused(file=file, observed=large)
    if seen.get(USERCONFIG) != FILE:
        raise PackageRefused(file=file, observed=say("package.missing", path=USERCONFIG))
    return tuple(entry for entry in entries if not entry.is_dir())


def _wrong_with(entry: zipfile.ZipInfo, seen: dict[str, str]) -> Said:
    """What is wrong with one entry, or an empty text."""
    # orig_filename: zipfile silently cuts a name at a zero byte.
    name = entry.orig_filename
    path = PurePosixPath(name)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    checks = (
        (name.startswith("/") or ":" in name.split("/")[0], say("entry.absolute")),
        (".." in path.parts, say("entry.upwards")),
        ("\\" in name or not name.isprintable(), say("entry.letter")),
        (len(name.encode()) > NAME_BYTES_MAX or not path.parts, say("entry.length")),
        (kind == stat.S_IFLNK, say("entry.link")),
        (kind not in (0, stat.S_IFREG, stat.S_IFDIR), say("entry.irregular")),
        (bool(entry.flag_bits & ENCRYPTED), say("entry.encrypted")),
        (entry.file_size > ENTRY_BYTES_MAX, say("entry.large", allowed=ENTRY_BYTES_MAX)),
        (str(path) in seen, say("entry.twice")),
        (any(seen.get(str(parent)) == FILE for parent in path.parents), say("entry.beneath")),
    )
    return next((observed for wrong, observed in checks if wrong), Said())


def unpack(file: Path, target: Path) -> None:
    """Check, then unpack into `target`, which must not exist; on failure it does not exist.

    Modes are ours, not the archive's: scripts of bin/ may be executed, nothing has set-id bits.
    Raises: PackageRefused (MIR-105), FileNotReadable (MIR-108).
    """
    entries = check_package(file)
    assert not target.exists(), target
    target.parent.mkdir(parents=True, exist_ok=True)
    # A fresh directory of ours holds no link that a name could pass through.
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        with zipfile.ZipFile(file) as archive:
            for entry in entries:
                _unpack_entry(archive, entry, staging)
        staging.chmod(0o755)
        sync_tree(staging)
        staging.rename(target)
        sync_directory(target.parent)
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError) as error:
        raise PackageRefused(file=file, observed=str(error)) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _unpack_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, staging: Path) -> None:
    path = staging / PurePosixPath(entry.filename)
    path.parent.mkdir(parents=True, exist_ok=True)
    left_bytes = entry.file_size
    with archive.open(entry) as source, path.open("xb") as sink:
        while chunk := source.read(CHUNK_BYTES):
            left_bytes -= len(chunk)
            if left_bytes < 0:
                raise ValueError(f"{entry.filename!r} is larger than announced")
            sink.write(chunk)
        os.fchmod(sink.fileno(), MODE_SCRIPT if path.parent.name == "bin" else MODE_FILE)


def pack(source: Path, file: Path) -> None:
    """Make a package of a module's directory. The same files give the same bytes.

    Raises: PackageRefused (MIR-105): a link or device in it, no userconfig.xml;
    FileNotReadable (MIR-108).
    """
    paths = sorted(path for path in source.rglob("*") if path.is_symlink() or not path.is_dir())
    for path in paths:
        if path.is_symlink() or not path.is_file():
            raise PackageRefused(file=source, observed=say("package.irregular", path=path))
    if not (source / USERCONFIG).is_file():
        raise PackageRefused(file=source, observed=say("package.missing", path=USERCONFIG))
    temporary = beside(file)
    try:
        with made_new(temporary, MODE_FILE) as sink:
            with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
                for path in paths:
                    entry = zipfile.ZipInfo(str(path.relative_to(source)), EPOCH)
                    mode = MODE_SCRIPT if path.parent.name == "bin" else MODE_FILE
                    entry.external_attr = (stat.S_IFREG | mode) << 16
                    archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
            sink.flush()
            os.fsync(sink.fileno())
        temporary.replace(file)
        sync_directory(file.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise FileNotReadable(file=file, observed=system_said(error)) from error
