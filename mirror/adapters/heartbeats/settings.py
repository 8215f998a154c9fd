"""What a module's heartbeats are started with, and the port they use on each network."""

import errno
import ipaddress
import os
import socket
import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from mirror.adapters import clock
from mirror.adapters.heartbeats.packet import PACKET_BYTES_MAX
from mirror.errors import HeartbeatPortTaken

_IP_FREEBIND = 15  # linux/in.h; the socket module has no name for them
_IPV6_FREEBIND = 78  # linux/in6.h
_TIMESTAMPNS = 35  # asm-generic/socket.h: SO_TIMESTAMPNS, which is SCM_TIMESTAMPNS, too
_STAMP = struct.Struct("@ll")  # a timespec


Path = tuple[str, str, str]  # of a network: its name, the address here, the peer's


@dataclass(frozen=True, slots=True)
class Lan:
    """One network that both nodes share. Addresses are numeric; pulse_ms < timeout_ms."""

    name: str
    local_addr: str
    peer_addr: str
    pulse_ms: int = 700
    timeout_ms: int = 30_000

    @property
    def path(self) -> "Path":
        """Where its packets go and come from: modules that have the same share a socket."""
        return self.name, self.local_addr, self.peer_addr


@dataclass(frozen=True, slots=True)
class HeartbeatSettings:
    """Heartbeats of one module on one node. cluster_key: the 32 bytes of cluster.key."""

    module: str
    node: str
    peer: str
    lans: tuple[Lan, ...]
    port: int
    cluster_key: bytes = field(repr=False)

    @property
    def timeout_us_min(self) -> int:
        """The shortest timeout."""
        return min(lan.timeout_ms for lan in self.lans) * 1000

    @property
    def group(self) -> tuple[str, str, int, bytes]:
        """Modules of the same group speak in the same packets."""
        return self.node, self.peer, self.port, self.cluster_key

    @property
    def peer_addresses(self) -> tuple[str, ...]:
        """Addresses of the peer, one a network."""
        return tuple(lan.peer_addr for lan in self.lans)

    def __post_init__(self) -> None:
        """Refuse what config has let through by mistake."""
        assert self.lans
        assert self.node != self.peer
        assert len({lan.name for lan in self.lans}) == len(self.lans)
        assert all(0 < lan.pulse_ms < lan.timeout_ms for lan in self.lans)


class Received(NamedTuple):
    """A datagram. arrived_us: when the kernel took it, by the boot clock, as far as is known."""

    datagram: bytes
    source: str
    arrived_us: int


class LanSocket:
    """The UDP socket of one network: opened by whoever starts, used by the thread."""

    def __init__(self, lan: Lan, port: int) -> None:
        """Bind, also to an address that is not there yet: a network may come up after the node.

        Raises: HeartbeatPortTaken (MIR-321).
        """
        self.lan = lan
        family = (
            socket.AF_INET6
            if ipaddress.ip_address(lan.local_addr).version == 6
            else socket.AF_INET
        )
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._peer = _numeric(family, lan.peer_addr, port)
        self._emptied_us = clock.boottime_us()
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
            if family == socket.AF_INET6:
                self._socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            else:
                self._socket.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
            self._socket.bind(_numeric(family, lan.local_addr, port))
        except OSError as error:
            self._socket.close()
            raise HeartbeatPortTaken(
                lan=lan.name,
                address=lan.local_addr,
                port=port,
                observed=os.strerror(error.errno or errno.EINVAL),
            ) from error

    def fileno(self) -> int:
        """Descriptor to poll."""
        return self._socket.fileno()

    def send(self, datagram: bytes) -> bool:
        """Hand a datagram to the kernel. Returns: False when it refused, which cut networks do."""
        try:
            self._socket.sendto(datagram, self._peer)
        except OSError:
            return False
        return True

    def receive(self) -> Received | None:
        """One waiting datagram; None when none waits.

        The kernel stamps by wall time. Wall time that jumps makes a stamp wrong by no more than
        the time since nothing waited here, for what waits has come since.
        """
        asked_us = clock.boottime_us()
        try:
            datagram, beside, _, source = self._socket.recvmsg(
                PACKET_BYTES_MAX + 1, socket.CMSG_SPACE(_STAMP.size)
            )
        except OSError:  # would block, or an error of an earlier send: nothing to read either way
            self._emptied_us = asked_us
            return None
        now_us = clock.boottime_us()
        stamped_us = next(
            (_stamped_us(text) for _, kind, text in beside if kind == _TIMESTAMPNS), now_us
        )
        return Received(datagram, str(source[0]), min(max(stamped_us, self._emptied_us), now_us))

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()


def _stamped_us(timespec: bytes) -> int:
    seconds, nanoseconds = _STAMP.unpack(timespec)
    return clock.boottime_us_of(seconds * 1_000_000_000 + nanoseconds)


def _numeric(family: int, address: str, port: int) -> tuple[object, ...]:
    """Address for the socket calls, with the scope of a link-local one. Asks no name server."""
    found = socket.getaddrinfo(
        address, port, family, socket.SOCK_DGRAM, 0, socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    )
    return found[0][4]
