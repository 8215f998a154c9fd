"""The listening sockets of the console: inherited from who started it, or made here."""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Mapping, Sequence

from mirror.errors import ConsoleNotStarted, InputRefused
from mirror.vocabulary.said import say
from mirror.vocabulary.said_system import system_said

FIRST_INHERITED_FD = 3
NAME = "console"
BACKLOG = 256


def inherited(environment: Mapping[str, str]) -> list[socket.socket]:
    """The sockets named `console` that came with LISTEN_FDS; [] when there are none.

    Of systemd's protocol, so that a service manager, the guardian or a lab can pass them.
    """
    if environment.get("LISTEN_PID", "") not in {"", str(os.getpid())}:
        return []
    count = environment.get("LISTEN_FDS", "")
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    return [
        from_descriptor(FIRST_INHERITED_FD + index)
        for index in range(int(count) if count.isascii() and count.isdecimal() else 0)
        if names[index : index + 1] in ([NAME], [""], [])
    ]


def from_descriptor(descriptor: int) -> socket.socket:
    """Take a listening socket by its descriptor. Raises: ConsoleNotStarted (MIR-811)."""
    observed = ""
    with contextlib.suppress(OSError):
        if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            taken = socket.socket(fileno=descriptor)
            if taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                taken.setblocking(False)
                # The programs that the console starts do not listen.
                taken.set_inheritable(False)
                return taken
            taken.detach()
            observed = "it does not listen"
    raise ConsoleNotStarted(
        address=f"descriptor {descriptor}", observed=observed or "it is no socket"
    )


def bind(address: str, port: int) -> socket.socket:
    """Listen there. Raises: ConsoleNotStarted (MIR-811)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((address, port))
        made.listen(BACKLOG)
        made.setblocking(False)
    except OSError as error:
        made.close()
        raise ConsoleNotStarted(
            address=f"{address} port {port}", observed=system_said(error)
        ) from error
    return made


def bind_all(addresses: Sequence[str], port: int) -> list[socket.socket]:
    """Listen on each; an address family that this host has not is passed over.

    Raises: ConsoleNotStarted (MIR-811): the first one must work.
    """
    made: list[socket.socket] = []
    for address in addresses:
        try:
            made.append(bind(address, port or (made[0].getsockname()[1] if made else 0)))
        except ConsoleNotStarted as error:
            cause = error.__cause__
            missing = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}
            if not made or not isinstance(cause, OSError) or cause.errno not in missing:
                for one in made:
                    one.close()
                raise
    return made


def parse_address(text: str) -> tuple[str, int]:
    """Read `127.0.0.1:9010` or `[::1]:9010`. Raises: InputRefused (MIR-806)."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdecimal() or int(port) > 65_535:
        raise InputRefused(
            what="address", observed=repr(text), remedy=say("do.write", example="127.0.0.1:9010")
        )
    return host.strip("[]"), int(port)


def url_of(listening: socket.socket) -> str:
    """Where a browser of the same host finds a plain HTTP socket."""
    host, port = listening.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
