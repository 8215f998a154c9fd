"""The host: directories, networks, addresses; what support needs.

What may not answer (a directory on a dead mount, name resolution) is looked at by a program or a
thread with a time limit, never by the loop.
"""

import asyncio
import ipaddress
import tempfile
import zipfile
from pathlib import Path as FilePath
from typing import Annotated, Literal

from fastapi import Query
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from mirror.adapters.failures import failure_of
from mirror.adapters.host_facts import interface_addresses, interface_networks, resolve
from mirror.adapters.icmp import answers
from mirror.config.host_check import IpNetwork
from mirror.config.kinds import Address
from mirror.config.names import check_module_name
from mirror.errors import InputRefused, MirrorError
from mirror.vocabulary.said import Said, said_of, say
from mirror.web.command_line import LONG_S
from mirror.web.console import Console, Here, Who
from mirror.web.endpoints.state import ModuleName
from mirror.web.identity import Caller
from mirror.web.models.cluster import (
    AddressView,
    DirectoryView,
    Finding,
    Findings,
    InterfaceList,
    InterfaceView,
)
from mirror.web.models.said import told
from mirror.web.on_nodes import PeerRefusal, fetch_from_peer

LOOK_S = 5.0
RESOLVE_S = 5.0
PING_S = 1.0
EXIT_PROBLEM_FOUND = 1


async def browse(
    console: Here,
    path: Annotated[str, Query(min_length=1, max_length=4000)] = "/",
) -> DirectoryView:
    """Names of the directories beneath one, its free space, what speaks against replicating it.

    Names of directories only: never a file, never a content.
    """
    if not path.startswith("/") or "\0" in path:
        raise InputRefused(what="path", observed=repr(path[:100]), remedy=say("do.absolute"))
    answer = await console.command_line.program(
        "mirror.adapters.directory_names",
        path,
        str(console.layout.safe),
        str(console.layout.safevar),
        what=say("what.directory", path=path[:200]),
        timeout_s=LOOK_S,
    )
    warnings = [say(code, **facts) for code, facts in answer["warnings"]]
    said = [told(one) for one in warnings]
    view = answer | {"warnings": warnings, "warnings_said": said}
    if answer["error"]:
        error = failure_of(OSError(answer["errno"], answer["error"]))
        view |= {"error": str(error), "error_said": told(error)}
    return DirectoryView.model_validate(view)


async def list_interfaces() -> InterfaceList:
    """The networks of this host."""
    addresses = await asyncio.to_thread(interface_addresses)
    return InterfaceList(
        interfaces=[
            InterfaceView(
                name=name,
                networks=[str(one.network) for one in found],
                addresses=[str(one.ip) for one in found],
            )
            for name, found in sorted(addresses.items())
        ]
    )


async def check_address(
    address: Annotated[str, Query(min_length=1, max_length=253)],
) -> AddressView:
    """Whether an address, or a name for one, can be a virtual address here, and is free."""
    try:
        Address().parse(address)
    except ValueError as error:
        raise InputRefused(
            what=say("web.address", text=address[:64]),
            observed=said_of(error),
            remedy=Address().allowed,
        ) from error
    try:
        async with asyncio.timeout(RESOLVE_S):
            literals = await asyncio.to_thread(resolve, address)
    except TimeoutError:
        literals = ()
    if not literals:
        sentence = say("address.unknown", address=address)
        return _address(address, (), "", None, sentence)
    networks = await asyncio.to_thread(interface_networks)
    first = literals[0]
    ip = ipaddress.ip_address(first)
    if ip.is_loopback or ip.is_multicast or ip.is_unspecified:
        sentence = say("address.nobodys", address=first)
        return _address(address, literals, "", None, sentence)
    interface = _interface_of(first, networks)
    if not interface:
        shown = sorted({str(one) for found in networks.values() for one in found})
        sentence = say("address.nowhere", address=first, networks=shown or say("host.none"))
        return _address(address, literals, "", None, sentence)
    try:
        in_use: bool | None = await answers(first, PING_S)
    except OSError:
        in_use = None
    if in_use:
        sentence = say("address.answers", address=first)
    elif in_use is None:
        sentence = say("address.unseen", address=first, interface=interface)
    else:
        sentence = say("address.free", address=first, interface=interface)
    return _address(address, literals, interface, in_use, sentence)


async def run_doctor(console: Here) -> Findings:
    """All that this node needs, looked at, with what to do (`mirror doctor`)."""
    answer = await console.command_line.mirror("doctor", allowed_codes=(EXIT_PROBLEM_FOUND,))
    return Findings(findings=[Finding.model_validate(one) for one in answer["findings"]])


async def take_snapshot(
    console: Here,
    caller: Who,
    module: ModuleName,
    nodes: Annotated[Literal["own", "all"], Query(description="all: both nodes in one")] = "own",
) -> FileResponse:
    """All that support needs about a module, in one zip, without secrets.

    Of this node; with `nodes=all` a zip that holds one of each node, or why one is missing.
    """
    name = check_module_name(module)
    directory = tempfile.TemporaryDirectory(prefix="mirror-snapshot.")
    node = console.membership.shown_node
    root = FilePath(directory.name)
    file = root / f"snapshot_{node}_{name}.zip"
    try:
        await console.command_line.mirror("snapshot", "-m", name, str(file), timeout_s=LONG_S)
        if nodes == "all" and console.membership.peer:
            other = await _snapshot_of_peer(console, caller, name, root)
            file = await asyncio.to_thread(_in_one, root / f"snapshot_{name}.zip", file, other)
    except BaseException:
        directory.cleanup()
        raise
    return FileResponse(
        file,
        filename=file.name,
        media_type="application/zip",
        background=BackgroundTask(directory.cleanup),
    )


async def _snapshot_of_peer(
    console: Console, caller: Caller, name: str, root: FilePath
) -> FilePath:
    """The other node's snapshot; or a text that says why there is none."""
    peer = console.membership.peer
    file = root / f"snapshot_{peer}_{name}.zip"
    path = f"/api/v1/modules/{name}/snapshot"
    try:
        content = await fetch_from_peer(console, caller, path, read_s=LONG_S)
    except MirrorError as error:
        file, content = file.with_suffix(".txt"), str(error).encode()
    except PeerRefusal as refusal:
        file = file.with_suffix(".txt")
        content = refusal.result(peer).sentence.encode()
    await asyncio.to_thread(file.write_bytes, content)
    return file


def _in_one(whole: FilePath, *parts: FilePath) -> FilePath:
    with zipfile.ZipFile(whole, "x", zipfile.ZIP_STORED) as archive:
        for part in parts:
            archive.write(part, part.name)
    return whole


def _interface_of(address: str, networks: dict[str, tuple[IpNetwork, ...]]) -> str:
    ip = ipaddress.ip_address(address)
    for name, found in networks.items():
        if any(ip in network for network in found):
            return name
    return ""


def _address(
    given: str,
    literals: tuple[str, ...],
    interface: str,
    in_use: bool | None,  # noqa: FBT001 - a fact
    sentence: Said,
) -> AddressView:
    return AddressView(
        given=given,
        addresses=list(literals),
        interface=interface,
        answers=in_use,
        sentence=sentence,
        said=told(sentence),
    )
