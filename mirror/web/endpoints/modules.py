"""Installing, packaging, removing modules; their settings here."""

import asyncio
import sys
import tempfile
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import Query
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse

import mirror
from mirror.config.installation import PACKAGE_KINDS, ensure_directories
from mirror.config.layout import MODULE_ID_MAX, MODULE_ID_MIN
from mirror.config.module_store import PACKAGE_SUFFIX, find_package
from mirror.config.names import check_module_name
from mirror.config.ports import ports_shown
from mirror.errors import InputRefused, RequestTooLarge
from mirror.vocabulary.said import say
from mirror.web.console import Console, Here
from mirror.web.endpoints.state import ModuleName
from mirror.web.models.configuration import (
    InstallModule,
    ModuleList,
    ModuleSettings,
    ModuleView,
    PackageList,
    PackageView,
)
from mirror.web.table import UPLOAD_BYTES_MAX

PACKAGE_TYPE = "application/zip"
README_LETTERS_MAX = 20_000


async def list_modules(console: Here) -> ModuleList:
    """Every module that is installed or configured on this node."""
    return await asyncio.to_thread(_list, console)


async def list_packages(console: Here) -> PackageList:
    """Modules that come with the program, and those in Application_Modules."""
    return await asyncio.to_thread(_packages, console)


async def install_module(console: Here, body: InstallModule) -> ModuleList:
    """Install a module from a package of this node, under a name."""
    name, package = check_module_name(body.module), check_module_name(body.package)
    await asyncio.to_thread(ensure_directories, console.layout, sys.executable)

    def install() -> None:
        source = find_package(console.layout, package, shipped_modules())
        console.store.install(name, source, module_id=body.id, replace=body.replace)

    async with console.configuring():
        await asyncio.to_thread(install)
    return await list_modules(console)


async def upload_package(
    console: Here,
    request: Request,
    module: ModuleName,
    id: Annotated[int | None, Query(ge=MODULE_ID_MIN, le=MODULE_ID_MAX)] = None,  # noqa: A002 - its name in the API
    replace: Annotated[bool, Query()] = False,  # noqa: FBT002 - a query
) -> ModuleList:
    """Install a module from a package (.safe) that is the body of the request."""
    name = check_module_name(module)
    await asyncio.to_thread(ensure_directories, console.layout, sys.executable)
    with tempfile.TemporaryDirectory(prefix="mirror-upload.") as directory:
        file = FilePath(directory) / f"{name}{PACKAGE_SUFFIX}"
        await receive_file(request, file)
        async with console.configuring():
            await asyncio.to_thread(
                lambda: console.store.install(name, file, module_id=id, replace=replace)
            )
    return await list_modules(console)


async def download_package(console: Here, module: ModuleName) -> FileResponse:
    """The edited configuration of a module as a package (.safe)."""
    name = check_module_name(module)
    directory = tempfile.TemporaryDirectory(prefix="mirror-download.")
    file = FilePath(directory.name) / f"{name}{PACKAGE_SUFFIX}"
    try:
        await asyncio.to_thread(console.store.package, name, file)
    except BaseException:
        directory.cleanup()
        raise
    return FileResponse(
        file,
        filename=file.name,
        media_type=PACKAGE_TYPE,
        background=BackgroundTask(directory.cleanup),
    )


async def uninstall_module(console: Here, module: ModuleName) -> ModuleList:
    """Remove a module that is not configured; its data and its logs stay."""
    name = check_module_name(module)
    async with console.configuring():
        await asyncio.to_thread(console.store.uninstall, name)
    return await list_modules(console)


async def read_settings(console: Here, module: ModuleName) -> ModuleSettings:
    """Settings that this node's console keeps for a module."""
    name = check_module_name(module)
    probe = await asyncio.to_thread(console.settings.ready_probe, name)
    return ModuleSettings(ready_probe=probe)


async def save_settings(console: Here, module: ModuleName, body: ModuleSettings) -> ModuleSettings:
    """Change them."""
    name = check_module_name(module)
    await asyncio.to_thread(console.store.require_installed, name)
    await asyncio.to_thread(console.settings.set_ready_probe, name, on=body.ready_probe)
    return await read_settings(console, name)


async def receive_file(request: Request, file: FilePath) -> None:
    """Write the body of a request to a file. Raises: RequestTooLarge, InputRefused."""
    length = 0
    try:
        with file.open("xb") as sink:
            async for chunk in request.stream():
                length += len(chunk)
                if length > UPLOAD_BYTES_MAX:
                    raise RequestTooLarge(what=file.name, bytes_max=UPLOAD_BYTES_MAX)
                sink.write(chunk)
    except ClientDisconnect as error:
        raise InputRefused(
            what="package",
            observed=say("seen.broke_off", bytes=length),
            remedy=say("do.send_again"),
        ) from error
    if not length:
        raise InputRefused(
            what="package", observed=say("seen.no_body"), remedy=say("do.send_package")
        )


def shipped_modules() -> FilePath | None:
    """Directory of the modules that come with the program."""
    package_root = FilePath(mirror.__file__).parent
    for candidate in (package_root / "modules", package_root.parent / "modules"):
        if candidate.is_dir():
            return candidate
    return None


def _list(console: Console) -> ModuleList:
    store = console.store
    ids, configured = store.ids.all(), set(store.configured())
    installed = set(store.installed())
    views = []
    for name in sorted(installed | configured, key=lambda one: (ids.get(one, 99), one)):
        paths = console.layout.module(name)
        edited, applied = store.signature(paths.edited), store.signature(paths.applied)
        number = ids.get(name, 0)
        ports = ports_shown(store, name, number, console.environment) if number else None
        views.append(
            ModuleView(
                module=name,
                id=number,
                installed=name in installed,
                configured=name in configured,
                differs=edited != applied,
                edited=edited,
                applied=applied,
                heartbeat_udp=ports.heartbeat_udp if ports else 0,
                data_tcp=ports.data_tcp if ports else 0,
                ready_probe=console.settings.ready_probe(name),
            )
        )
    return ModuleList(modules=views)


def _packages(console: Console) -> PackageList:
    shipped = shipped_modules()
    found = [
        PackageView(name=file.name.removesuffix(PACKAGE_SUFFIX), kind=kind, readme="")
        for kind in PACKAGE_KINDS
        for file in sorted((console.layout.application_modules / kind).glob(f"*{PACKAGE_SUFFIX}"))
    ]
    for directory in sorted(shipped.iterdir()) if shipped else ():
        if not (directory / "conf" / "userconfig.xml").is_file():
            continue
        readme = directory / "README.md"
        text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
        found.append(
            PackageView(name=directory.name, kind="shipped", readme=text[:README_LETTERS_MAX])
        )
    return PackageList(packages=found)
