"""The console process: `python -m mirror.web [--listen-fd N | --bind 127.0.0.1:9010]`.

Started by the guardian. It takes the sockets named `console` that it inherits; else it listens on
9010: on this host for pages, for other hosts to redirect them and to answer ready.txt. HTTPS is on
9453 as soon as this node is in a cluster. SIGTERM ends it in order; its death harms nothing.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from mirror.adapters.process_log import configure_trace
from mirror.config.layout import CONSOLE_HTTP_PORT, CONSOLE_HTTPS_PORT
from mirror.errors import EXIT_OK, MirrorError
from mirror.web import sockets
from mirror.web.app import build_app
from mirror.web.console import Console
from mirror.web.first_link import print_first_link
from mirror.web.server import Https, serve_http

NICENESS = 5  # heartbeats and applications first
EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - what is answered there: mirror/web/transport.py
NAME = "mirror-console"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Options:
    """Where to listen. Ports: 0 for any."""

    descriptors: tuple[int, ...]
    bind: tuple[str, ...]
    https_descriptors: tuple[int, ...]
    https_bind: tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the console; its exit code."""
    configure_trace()
    options = _options(sys.argv[1:] if arguments is None else arguments)
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    _call_process(NAME)
    try:
        return asyncio.run(run(options))
    except MirrorError as error:
        print(f"mirror console: {error}", file=sys.stderr, flush=True)  # noqa: T201 - to who starts it
        return error.exit_code


async def run(options: Options) -> int:
    """Serve until SIGTERM or SIGINT. Raises: ConsoleNotStarted, ConsoleDatabaseFailed."""
    https_sockets = _https_sockets(options)
    console = Console(https_port=https_sockets[0].getsockname()[1])
    http_sockets = _http_sockets(options)
    # The first is the one that was given; the others may mean another host to a browser.
    console.note_urls((sockets.url_of(http_sockets[0]),))
    https: Https | None = None
    app = build_app(console, has_https=lambda: https is not None and https.is_served)
    https = Https(app, console.layout, https_sockets)
    ended, ready = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    try:
        async with asyncio.TaskGroup() as group:
            work = [
                group.create_task(console.run()),
                group.create_task(https.run()),
                group.create_task(serve_http(app, http_sockets, ready)),
            ]
            await ready.wait()
            # A node that was away may have missed the first user.
            await console.user_sync.fetch_once()
            print_first_link(console.users, console.credentials, console.urls[0])
            log.info("console listens", urls=console.urls)
            await ended.wait()
            console.ending = True
            for task in work:
                task.cancel()
    finally:
        console.close()
        for one in https_sockets:
            one.close()
    return EXIT_OK


def _options(arguments: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(prog="mirror console")
    parser.add_argument("--listen-fd", type=int, action="append", default=[])
    parser.add_argument("--bind", action="append", default=[], metavar="ADDRESS:PORT")
    parser.add_argument("--https-bind", action="append", default=[], metavar="ADDRESS:PORT")
    parser.add_argument("--https-listen-fd", type=int, action="append", default=[])
    given = parser.parse_args(arguments)
    return Options(
        tuple(given.listen_fd),
        tuple(given.bind),
        tuple(given.https_listen_fd),
        tuple(given.https_bind),
    )


def _http_sockets(options: Options) -> list[socket.socket]:
    given = [sockets.from_descriptor(one) for one in options.descriptors]
    given += [sockets.bind(*sockets.parse_address(one)) for one in options.bind]
    given = given or sockets.inherited(os.environ)
    if not (options.descriptors or options.bind):
        # Also beside an inherited socket of another host (a lab): ready.txt is asked for here.
        try:
            given += sockets.bind_all(EVERY_ADDRESS, CONSOLE_HTTP_PORT)
        except MirrorError as error:
            if not given:
                raise
            log.warning("console listens on inherited sockets only", why=str(error))
    return given


def _https_sockets(options: Options) -> list[socket.socket]:
    given = [sockets.from_descriptor(one) for one in options.https_descriptors]
    given += [sockets.bind(*sockets.parse_address(one)) for one in options.https_bind]
    return given or sockets.bind_all(EVERY_ADDRESS, CONSOLE_HTTPS_PORT)


def _call_process(name: str) -> None:
    """How `ps` shows it; the command line stays for who looks for `mirror.web`."""
    with contextlib.suppress(OSError), open("/proc/self/comm", "w", encoding="ascii") as file:  # noqa: PTH123 - one line
        file.write(name[:15])


if __name__ == "__main__":
    sys.exit(main())
