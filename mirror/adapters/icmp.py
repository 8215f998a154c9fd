"""Asks whether an address answers to ICMP echo. For the ping checker and the ping witness."""

import asyncio
import contextlib
import ipaddress
import secrets
import socket
import struct

_ECHO = {4: 8, 6: 128}
_REPLY = {4: 0, 6: 129}
_HEADER = struct.Struct("!BBHHH")  # type, code, checksum, identifier, sequence
_TOKEN_BYTES = 16
_GAP_S = 0.5


async def answers(address: str, timeout_s: float) -> bool:
    """Send echo requests until one is answered or the time is over. Returns: whether one was.

    address: numeric. An address that cannot be reached at all is one that does not answer.
    Raises: PermissionError without CAP_NET_RAW.
    """
    version = ipaddress.ip_address(address).version
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    protocol = socket.IPPROTO_ICMP if version == 4 else socket.IPPROTO_ICMPV6
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK
    with socket.socket(family, kind, protocol) as raw:
        try:
            async with asyncio.timeout(timeout_s):
                return await _ask(raw, address, version)
        except TimeoutError:
            return False


async def _ask(raw: socket.socket, address: str, version: int) -> bool:
    loop = asyncio.get_running_loop()
    identifier, token = secrets.randbelow(1 << 16), secrets.token_bytes(_TOKEN_BYTES)
    sequence = 0
    while True:
        sequence += 1
        with contextlib.suppress(OSError):  # no route now; there may be one at the next try
            await loop.sock_sendto(raw, _echo(version, identifier, sequence, token), (address, 0))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GAP_S):
                while not _is_reply(await loop.sock_recv(raw, 2048), version, identifier, token):
                    pass
                return True


def _echo(version: int, identifier: int, sequence: int, token: bytes) -> bytes:
    packet = _HEADER.pack(_ECHO[version], 0, 0, identifier, sequence) + token
    # The kernel fills in ICMPv6's checksum; ICMP's is ours.
    checksum = _checksum(packet) if version == 4 else 0
    return _HEADER.pack(_ECHO[version], 0, checksum, identifier, sequence) + token


def _is_reply(packet: bytes, version: int, identifier: int, token: bytes) -> bool:
    """Every raw socket sees every reply: only the token tells which is ours."""
    if version == 4:
        packet = packet[(packet[0] & 0x0F) * 4 :]  # after the IPv4 header
    if len(packet) != _HEADER.size + _TOKEN_BYTES:
        return False
    kind, _, _, seen, _ = _HEADER.unpack_from(packet)
    return kind == _REPLY[version] and seen == identifier and packet[_HEADER.size :] == token


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
