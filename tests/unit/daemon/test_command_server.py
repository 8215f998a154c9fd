"""The control socket of a node without modules: what is answered, refused, shed."""

import asyncio
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from mirror.adapters.local_client import LocalClient
from mirror.config.layout import Layout
from mirror.daemon.node.command_server import CommandServer
from mirror.daemon.node.modules import Modules
from mirror.errors import LocalCallFailed


async def ask(path: Path, do: str, **fields: Any) -> dict[str, Any]:
    def call() -> dict[str, Any]:
        with LocalClient(path, timeout_s=60) as client:
            return client.call(do, **fields)

    return await asyncio.to_thread(call)


async def ask_known(path: Path, revision: str) -> dict[str, Any]:
    """The state, to whom knows a revision of it."""
    reply = await ask(path, "state", known=revision)
    return {name: reply[name] for name in ("revision", "modules") if name in reply}


async def serve(directory: Path) -> tuple[CommandServer, Modules, Path]:
    modules = Modules(Layout(directory / "safe", directory / "var"), pytest.fail)
    path = directory / "run" / "control.sock"
    server = CommandServer(path, modules)
    await server.start()
    return server, modules, path


def test_answers_and_refusals(tmp_path: Path) -> None:
    async def story() -> None:
        server, modules, path = await serve(tmp_path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert (await ask(path, "state"))["modules"] == {}
        modules.refused["db"] = "module not loaded: db: broken"
        shown = (await ask(path, "state"))["modules"]["db"]
        assert (shown["state"], shown["reason"]) == ("STOP", "module not loaded: db: broken")
        revision = (await ask(path, "state"))["revision"]
        assert await ask_known(path, revision) == {"revision": revision}, "nothing moved"
        modules.refused["web"] = "module not loaded: web: broken"
        assert "web" in (await ask_known(path, revision))["modules"]
        assert (await ask(path, "part_pids"))["data"] == {}
        refusals: dict[str, tuple[str, dict[str, Any]]] = {
            "fly": ("MIR-405", {}),
            "resources": ("MIR-102", {"module": "none"}),
            "log": ("MIR-404", {"module": "db"}),
            "command": ("MIR-104", {"verb": "start", "module": None}),
            "wait_state": ("MIR-102", {"module": "none", "states": ["PRIM"]}),
        }
        for do, (code, fields) in refusals.items():
            with pytest.raises(LocalCallFailed) as refused:
                await ask(path, do, **fields)
            assert refused.value.code == code
        await server.close()

    asyncio.run(story())


def test_garbage_ends_one_connection_only(tmp_path: Path) -> None:
    async def story() -> None:
        server, _, path = await serve(tmp_path)

        def shout() -> bytes:
            with socket.socket(socket.AF_UNIX) as rude:
                rude.settimeout(60)
                rude.connect(str(path))
                rude.sendall(b"GET / HTTP/1.1\r\n\r\n")
                return rude.recv(100)

        assert await asyncio.to_thread(shout) == b""
        assert (await ask(path, "state"))["node"] == ""
        await server.close()

    asyncio.run(story())


def test_a_new_server_replaces_the_socket_of_a_dead_one(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "run" / "control.sock"
        path.parent.mkdir()
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
        server, _, path = await serve(tmp_path)
        assert (await ask(path, "cluster_state"))["nodes"] == {}
        await server.close()

    asyncio.run(story())
