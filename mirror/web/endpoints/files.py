"""The edited files of a module (bin/, conf/ and the rest of its package), and its past ones."""

import asyncio
import difflib
import zipfile
from dataclasses import asdict
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import Path, Query

from mirror.adapters.beneath import (
    FileFacts,
    list_files,
    read_beneath,
    remove_beneath,
    write_beneath,
)
from mirror.config.module_store import PARTS
from mirror.config.names import check_module_name
from mirror.config.package import check_package
from mirror.errors import FileNotReadable, InputRefused, NotFoundHere
from mirror.vocabulary.said import say
from mirror.web.console import Console, Here
from mirror.web.endpoints.configuration import USERCONFIG_PATH, etag_of, refuse_when_changed
from mirror.web.endpoints.state import ModuleName
from mirror.web.models.configuration import (
    Differences,
    FileContent,
    FileDifference,
    FileList,
    FileView,
    Kept,
    KeptList,
    SaveFile,
)

FilePathName = Annotated[str, Path(min_length=1, max_length=500, examples=["bin/start_prim"])]
SCRIPTS = "bin/"
EDITED, APPLIED = "edited", "applied"
DIFF_LINES_MAX = 5000


async def list_module_files(console: Here, module: ModuleName) -> FileList:
    """The files of a module that can be edited."""
    name, root = await _root(console, module)
    found = await asyncio.to_thread(list_files, root)
    return FileList(module=name, files=[FileView(**asdict(one)) for one in found])


async def read_file(console: Here, module: ModuleName, path: FilePathName) -> FileContent:
    """One file."""
    _, root = await _root(console, module)
    content, facts = await asyncio.to_thread(read_beneath, root, path)
    return _content(content, facts)


async def save_file(
    console: Here, module: ModuleName, path: FilePathName, body: SaveFile
) -> FileContent:
    """Save one file, or make it; scripts of bin/ may be executed. What is in force stays."""
    _, root = await _root(console, module)

    def save() -> FileContent:
        if body.etag:
            refuse_when_changed(path, body.etag, etag_of(read_beneath(root, path)[0]))
        content = body.content.encode()
        facts = write_beneath(root, path, content, executable=path.startswith(SCRIPTS))
        return _content(content, facts)

    async with console.configuring():
        return await asyncio.to_thread(save)


async def remove_file(console: Here, module: ModuleName, path: FilePathName) -> FileList:
    """Remove one file."""
    name, root = await _root(console, module)
    if path == USERCONFIG_PATH:
        raise InputRefused(what=path, observed=say("seen.needed"), remedy=say("do.uninstall"))
    async with console.configuring():
        await asyncio.to_thread(remove_beneath, root, path)
    return await list_module_files(console, name)


async def list_kept(console: Here, module: ModuleName) -> KeptList:
    """The last three configurations that were in force, newest first."""
    name, _ = await _root(console, module)
    return await asyncio.to_thread(_kept, console, name)


async def restore_kept(
    console: Here,
    module: ModuleName,
    kept: Annotated[str, Path(min_length=1, max_length=64)],
) -> KeptList:
    """Edit one of them again; what is in force stays until it is applied."""
    name, _ = await _root(console, module)
    async with console.configuring():
        file = await asyncio.to_thread(_find_kept, console, name, kept)
        await asyncio.to_thread(lambda: console.store.install(name, file, replace=True))
    return await list_kept(console, name)


async def compare(
    console: Here,
    module: ModuleName,
    before: Annotated[str, Query(max_length=64)] = APPLIED,
    after: Annotated[str, Query(max_length=64)] = EDITED,
) -> Differences:
    """How two configurations differ: `edited`, `applied`, or the name of a kept one."""
    name, _ = await _root(console, module)
    return await asyncio.to_thread(_compare, console, name, before, after)


async def _root(console: Console, module: str) -> tuple[str, FilePath]:
    name = check_module_name(module)
    await asyncio.to_thread(console.store.require_installed, name)
    return name, console.layout.module(name).edited


def _content(content: bytes, facts: FileFacts) -> FileContent:
    view = FileView(**asdict(facts))
    try:
        text, binary = content.decode("utf-8"), b"\0" in content
    except UnicodeDecodeError:
        text, binary = "", True
    return FileContent(
        file=view, content="" if binary else text, etag=etag_of(content), binary=binary
    )


def _kept(console: Console, name: str) -> KeptList:
    found = []
    for file in reversed(console.store.last_configurations(name)):
        content = file.read_bytes()
        time_us = file.stat().st_mtime_ns // 1000
        found.append(Kept(name=file.name, time_us=time_us, signature=etag_of(content)[:16]))
    return KeptList(module=name, kept=found)


def _find_kept(console: Console, name: str, kept: str) -> FilePath:
    for file in console.store.last_configurations(name):
        if file.name == kept:
            return file
    raise NotFoundHere(
        what=say("web.kept_configuration", name=kept[:64]),
        observed=say("seen.not_kept"),
        remedy=say("do.list_kept"),
    )


def _compare(console: Console, name: str, before: str, after: str) -> Differences:
    old, new = _files(console, name, before), _files(console, name, after)
    differences = []
    for path in sorted({*old, *new}):
        if old.get(path) == new.get(path):
            continue
        change = "added" if path not in old else "removed" if path not in new else "changed"
        differences.append(
            FileDifference(
                path=path, change=change, diff=_diff(path, old.get(path, b""), new.get(path, b""))
            )
        )
    return Differences(module=name, before=before, after=after, files=differences)


def _files(console: Console, name: str, which: str) -> dict[str, bytes]:
    """The files that `config` puts in force, of one of the configurations."""
    paths = console.layout.module(name)
    if which in {EDITED, APPLIED}:
        root = paths.edited if which == EDITED else paths.applied
        found = {}
        for one in list_files(root) if root.is_dir() else ():
            if one.path.partition("/")[0] in PARTS:
                found[one.path] = read_beneath(root, one.path)[0]
        return found
    file = _find_kept(console, name, which)
    try:
        with zipfile.ZipFile(file) as archive:
            return {entry.filename: archive.read(entry) for entry in check_package(file)}
    except (OSError, zipfile.BadZipFile) as error:
        raise FileNotReadable(file=file.name, observed=str(error)) from error


def _diff(path: str, old: bytes, new: bytes) -> str:
    try:
        before, after = old.decode("utf-8").splitlines(), new.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        return ""
    diff = difflib.unified_diff(before, after, f"before/{path}", f"after/{path}", lineterm="")
    return "\n".join(list(diff)[:DIFF_LINES_MAX])
