"""A port for a program that binds it itself, a moment later."""

import random
import socket
from pathlib import Path

_GIVEN_TO_CONNECTIONS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 20_000
_given: set[int] = set()


def free_port() -> int:
    """A port that is free on every address, and that no connection is given meanwhile.

    What the kernel chooses for `bind` to port 0 it may choose for a connection too, as soon as
    whoever asked for it has closed it.
    """
    above = int(_GIVEN_TO_CONNECTIONS.read_text().split()[0])
    while True:
        port = random.randrange(_LOWEST, above)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
        _given.add(port)
        return port
