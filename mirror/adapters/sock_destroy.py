"""The TCP connections of one local address: counts them, or resets them (tcpreset).

By the kernel's SOCK_DESTROY (CONFIG_INET_DIAG_DESTROY): a reset goes to the client, an error to
the application. Listening sockets are left alone. Synchronous and quick: the guardian uses it.
"""

import contextlib
import errno
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
_TCP_ESTABLISHED = 1  # net/tcp_states.h
_TCP_LISTEN = 10
_TCP_TIME_WAIT = 6
_STATES = 0xFFF & ~(1 << _TCP_LISTEN) & ~(1 << _TCP_TIME_WAIT) & ~1

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_REQUEST = struct.Struct("=BBBBI48s")  # struct inet_diag_req_v2; 48s: struct inet_diag_sockid
_ANSWER = struct.Struct("=BBBB48s")  # the beginning of struct inet_diag_msg
_SOURCE = slice(4, 20)  # the local address in inet_diag_sockid
_ANSWER_TIMEOUT_S = 2.0


def destroy_connections(address: str) -> int:
    """Reset every TCP connection whose local end is `address`. Returns: how many.

    0 also when the kernel cannot do it: `can_destroy`. Raises: nothing that the caller could act
    upon.
    """
    count = 0
    with contextlib.suppress(OSError), _opened() as netlink:
        for family, identity in _connections_of(netlink, address, _STATES):
            count += _destroy(netlink, family, identity) == 0
    return count


def count_connections(address: str) -> int:
    """Count the established TCP connections whose local end is `address`. Raises: OSError."""
    with _opened() as netlink:
        return len(_connections_of(netlink, address, 1 << _TCP_ESTABLISHED))


def can_destroy() -> bool:
    """Tell whether this kernel can (CONFIG_INET_DIAG_DESTROY), by a connection that is none."""
    with contextlib.suppress(OSError), _opened() as netlink:
        return _destroy(netlink, socket.AF_INET, bytes(48)) != errno.EOPNOTSUPP
    return False


def _opened() -> socket.socket:
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
    netlink.settimeout(_ANSWER_TIMEOUT_S)
    return netlink


def _connections_of(netlink: socket.socket, address: str, states: int) -> list[tuple[int, bytes]]:
    """Family and inet_diag_sockid of every connection to `address` in these states."""
    wanted = ipaddress.ip_address(address)
    # A listener for both families sees IPv4 clients as ::ffff:a.b.c.d, in the IPv6 table.
    sources = {(socket.AF_INET6, _mapped(wanted).packed)}
    if wanted.version == 4:
        sources.add((socket.AF_INET, wanted.packed.ljust(16, b"\0")))
    return [
        (family, identity)
        for family, source in sources
        for identity in list(_connections(netlink, family, states))
        if identity[_SOURCE] == source
    ]


def _mapped(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv6Address:
    if isinstance(address, ipaddress.IPv6Address):
        return address
    return ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)


def _connections(netlink: socket.socket, family: int, states: int) -> Iterator[bytes]:
    """The inet_diag_sockid of every connection of that family in these states."""
    _ask(netlink, _SOCK_DIAG_BY_FAMILY, _NLM_F_DUMP, family, bytes(48), states)
    while True:
        for kind, payload in _messages(netlink.recv(1 << 18)):
            if kind in {_NLMSG_DONE, _NLMSG_ERROR}:
                return
            yield _ANSWER.unpack_from(payload)[4]


def _destroy(netlink: socket.socket, family: int, identity: bytes) -> int:
    """Destroy one. Returns: 0, or the kernel's errno."""
    _ask(netlink, _SOCK_DESTROY, _NLM_F_ACK, family, identity, _STATES)
    for kind, payload in _messages(netlink.recv(1 << 16)):
        if kind == _NLMSG_ERROR:
            return -int(struct.unpack_from("=i", payload)[0])
    return errno.EIO


def _ask(
    netlink: socket.socket, kind: int, flags: int, family: int, identity: bytes, states: int
) -> None:
    body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, states, identity)
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
