"""Network namespaces without a name: they are gone when the last descriptor is, however we end."""

import contextlib
import ctypes
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

AWAIT_S = 60.0  # on a machine that does other work too
_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network namespace of one test."""

    def __init__(self) -> None:
        self.descriptor = -1
        maker = threading.Thread(target=self._make)
        maker.start()
        maker.join()
        assert self.descriptor >= 0, "no network namespace: are we root?"
        self.run("ip", "link", "set", "dev", "lo", "up")

    def _make(self) -> None:
        if _LIBC.unshare(_CLONE_NEWNET) == 0:
            self.descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY)

    def close(self) -> None:
        os.close(self.descriptor)

    @property
    def path(self) -> Path:
        return Path(f"/proc/{os.getpid()}/fd/{self.descriptor}")

    def command(self, *arguments: str) -> list[str]:
        """The command that runs `arguments` in here."""
        return ["nsenter", f"--net={self.path}", "--", *arguments]

    def run(self, *arguments: str) -> str:
        """Run a command in here. Returns: its output."""
        done = subprocess.run(
            self.command(*arguments), check=False, capture_output=True, text=True, timeout=AWAIT_S
        )
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    def mac(self, interface: str) -> str:
        links: list[dict[str, Any]] = json.loads(
            self.run("ip", "-json", "link", "show", "dev", interface)
        )
        return str(links[0]["address"])

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Sockets that this thread opens within are in here, and stay in here."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            assert _LIBC.setns(self.descriptor, _CLONE_NEWNET) == 0
            yield
        finally:
            assert _LIBC.setns(before, _CLONE_NEWNET) == 0
            os.close(before)


def join(
    left: Namespace, right: Namespace, interface: str, left_addr: str, right_addr: str
) -> None:
    """Lay a cable of that name between the two; both ends are up and have their address.

    Addresses carry their prefix length. IPv6 ones are usable at once (no duplicate detection).
    """
    left.run(
        "ip", "link", "add", "name", interface, "type", "veth",
        "peer", "name", interface, "netns", str(right.path),
    )  # fmt: skip
    for namespace, address in ((left, left_addr), (right, right_addr)):
        nodad = ["nodad"] if ":" in address else []
        namespace.run("ip", "address", "add", address, "dev", interface, *nodad)
        namespace.run("ip", "link", "set", "dev", interface, "up")
    if ":" in left_addr:
        for namespace in (left, right):
            _until_ipv6_is_up(namespace, interface)


def _until_ipv6_is_up(namespace: Namespace, interface: str) -> None:
    """Wait for the multicast route, which the kernel adds some time after the link came up."""
    deadline = time.monotonic() + AWAIT_S
    show = ("ip", "-6", "route", "show", "table", "local", "dev", interface, "ff00::/8")
    while not namespace.run(*show):
        assert time.monotonic() < deadline, "no IPv6 on this cable"
        time.sleep(0.01)
