"""Resets the TCP connections of one local address, so that clients notice at once (tcpreset).

By the kernel's SOCK_DESTROY (CONFIG_INET_DIAG_DESTROY): a reset goes to the client, an error to
the application. Listening sockets are left alone. Synchronous and quick: the guardian uses it.
"""

import contextlib
import ipaddress
import socket
import struct
from collections.abc import Iterator

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20  # linux/sock_diag.h
_SOCK_DESTROY = 21
_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NLM_F_REQUEST = 0x1
_NLM_F_ACK = 0x4
_NLM_F_DUMP = 0x300
_TCP_LISTEN = 10  # net/tcp_states.h
_TCP_TIME_WAIT = 6
_STATES = 0xFFF & ~(1 << _TCP_LISTEN) & ~(1 << _TCP_TIME_WAIT) & ~1

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_REQUEST = struct.Struct("=BBBBI48s")  # struct inet_diag_req_v2; 48s: struct inet_diag_sockid
_ANSWER = struct.Struct("=BBBB48s")  # the beginning of struct inet_diag_msg
_SOURCE = slice(4, 20)  # the local address in inet_diag_sockid
_ANSWER_TIMEOUT_S = 2.0


def destroy_connections(address: str) -> int:
    """Reset every TCP connection whose local end is `address`. Returns: how many.

    0 also when the kernel cannot do it: then the connections end when the address is gone and
    the client's own timeouts pass. Raises: nothing that the caller could act upon.
    """
    wanted = ipaddress.ip_address(address)
    # A listener for both families sees IPv4 clients as ::ffff:a.b.c.d, in the IPv6 table.
    sources = {(socket.AF_INET6, _mapped(wanted).packed)}
    if wanted.version == 4:
        sources.add((socket.AF_INET, wanted.packed.ljust(16, b"\0")))
    count = 0
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as netlink,
    ):
        netlink.settimeout(_ANSWER_TIMEOUT_S)
        for family, source in sources:
            for identity in list(_connections(netlink, family)):
                if identity[_SOURCE] == source:
                    count += _destroy(netlink, family, identity)
    return count


def _mapped(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv6Address:
    if isinstance(address, ipaddress.IPv6Address):
        return address
    return ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)


def _connections(netlink: socket.socket, family: int) -> Iterator[bytes]:
    """The inet_diag_sockid of every connection of that family."""
    _ask(netlink, _SOCK_DIAG_BY_FAMILY, _NLM_F_DUMP, family, bytes(48))
    while True:
        for kind, payload in _messages(netlink.recv(1 << 18)):
            if kind in {_NLMSG_DONE, _NLMSG_ERROR}:
                return
            yield _ANSWER.unpack_from(payload)[4]


def _destroy(netlink: socket.socket, family: int, identity: bytes) -> bool:
    _ask(netlink, _SOCK_DESTROY, _NLM_F_ACK, family, identity)
    for kind, payload in _messages(netlink.recv(1 << 16)):
        if kind == _NLMSG_ERROR:
            return payload[:4] == bytes(4)  # error 0 is the acknowledgement
    return False


def _ask(netlink: socket.socket, kind: int, flags: int, family: int, identity: bytes) -> None:
    body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, _STATES, identity)
    head = _HEADER.pack(_HEADER.size + len(body), kind, _NLM_F_REQUEST | flags, 1, 0)
    netlink.send(head + body)


def _messages(datagram: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + _HEADER.size <= len(datagram):
        size_bytes, kind, _, _, _ = _HEADER.unpack_from(datagram, offset)
        if size_bytes < _HEADER.size:
            return
        yield kind, datagram[offset + _HEADER.size : offset + size_bytes]
        offset += (size_bytes + 3) & ~3
