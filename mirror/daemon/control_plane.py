"""The control plane process of one node: all modules, heartbeats, the control socket.

Started by the guardian (`--channel FD`), first as a spare that has imported everything and waits,
so that a control plane that died is replaced within a heartbeat. It may be restarted without the
applications noticing; SIGTERM stops the modules in order.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import signal
import sys
from pathlib import Path

import structlog

from mirror.adapters import names
from mirror.adapters.heartbeats.realtime import LOOP_PRIORITY, raise_this_thread
from mirror.adapters.process_log import configure_trace
from mirror.config.installation import ensure_directories
from mirror.config.layout import Layout
from mirror.daemon.node.command_server import CommandServer
from mirror.daemon.node.health import HealthChannel
from mirror.daemon.node.modules import Modules

log = structlog.get_logger()

EXIT_CRASHED = 70
# How processes are told apart in `ps`; a spare is no control plane.
NAME, SPARE_NAME = "mirror-control", "mirror-spare"


def main() -> None:
    """Run one control plane."""
    parser = argparse.ArgumentParser(prog="mirror control plane")
    parser.add_argument("--channel", type=int, default=-1, help="socket to the guardian")
    options = parser.parse_args()
    configure_trace()
    channel = HealthChannel(options.channel) if options.channel >= 0 else None
    if channel is not None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        gc.collect()
        gc.freeze()
        channel.say_imported()
        _call_process(SPARE_NAME)
        if not channel.wait_go():
            return
    _call_process(NAME)
    raise_this_thread(LOOP_PRIORITY)  # a refusal is told by the heartbeats' thread
    sys.exit(asyncio.run(_run(Layout.from_environment(), channel)))


async def _run(layout: Layout, channel: HealthChannel | None) -> int:
    loop = asyncio.get_running_loop()
    names.keep_apart(loop)
    ended: asyncio.Future[int] = loop.create_future()

    def end(code: int | None) -> None:
        if code is not None and not ended.done():
            ended.set_result(code)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, 0)
    if channel is not None:
        channel.start(loop)

    def crashed(sentence: str) -> None:
        log.critical("a module's automaton stopped; the control plane starts again", why=sentence)
        end(EXIT_CRASHED)

    await asyncio.to_thread(ensure_directories, layout, sys.executable)
    modules = Modules(layout, crashed, channel.armed if channel is not None else None)
    if channel is not None:
        channel.guarded = modules.guarded
    server = CommandServer(layout.control_socket, modules)
    loading = loop.create_task(_load(modules, server, channel))
    try:
        loading.add_done_callback(lambda task: end(_code_of(task)))
        code = await ended
        if code == 0:
            log.info("stopping the modules of this node")
            await modules.stop_all()
    finally:
        loading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await loading
        await server.close()
        await modules.detach_all()
    return code


def _code_of(loading: "asyncio.Task[None]") -> int | None:
    """Give None when all is loaded; a control plane that cannot listen is of no use."""
    if loading.cancelled() or (error := loading.exception()) is None:
        return None
    log.critical("control plane not started", error=str(error))
    return EXIT_CRASHED


async def _load(modules: Modules, server: CommandServer, channel: HealthChannel | None) -> None:
    await modules.load_all()
    await server.start()
    if channel is not None:
        timeouts = [
            min(lan.timeout_ms for lan in one.settings.heart.lans)
            for one in modules.running.values()
            if one.settings.heart is not None
        ]
        channel.timeout_ms = min(timeouts, default=0)
        channel.loaded = True
    log.info("control plane ready", node=modules.node, modules=sorted(modules.running))


def _call_process(name: str) -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(name, encoding="ascii")
    os.environ.pop("LISTEN_FDS", None)


if __name__ == "__main__":
    main()
