"""Neighbour discovery for one virtual IPv6 address: probe, announce, see who else claims it.

The kernel's own duplicate detection takes a second or more; ours is the same question, asked
before the address is added and bounded by the caller. Source: RFC 4861, RFC 4862.
"""

import ctypes
import ipaddress
import socket
import struct

_ETH_P_IPV6 = 0x86DD
_ICMPV6 = 58
_SOLICITATION, _ADVERTISEMENT = 135, 136
_OVERRIDE = 0x20000000
_ALL_NODES = ipaddress.IPv6Address("ff02::1").packed
_UNSPECIFIED = bytes(16)
_HOP_LIMIT = 255  # anything else has crossed a router and is no neighbour's
_PACKET_OUTGOING = 4  # linux/if_packet.h
_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, _PACKET_MR_MULTICAST = 263, 1, 0
_SO_ATTACH_FILTER = 26  # asm-generic/socket.h

_ETHERNET = struct.Struct("!6s6sH")
_IPV6 = struct.Struct("!IHBB16s16s")
_MESSAGE_AT = _ETHERNET.size + _IPV6.size

# Only solicitations and advertisements reach Python; the traffic of the address itself must not.
_FILTER = (
    (0x30, 0, 0, 20),  # load the next header
    (0x15, 0, 4, _ICMPV6),
    (0x30, 0, 0, 54),  # load the ICMPv6 type
    (0x15, 1, 0, _SOLICITATION),
    (0x15, 0, 1, _ADVERTISEMENT),
    (0x06, 0, 0, 256),  # take it
    (0x06, 0, 0, 0),  # leave it
)


class NdEndpoint:
    """A packet socket for one address. own_macs: of this host's interfaces, never a conflict."""

    def __init__(
        self, interface: str, address: ipaddress.IPv6Address, own_macs: frozenset[str]
    ) -> None:
        """Open the socket. Raises: OSError."""
        self._address = address.packed
        self._own = frozenset(bytes.fromhex(mac.replace(":", "")) for mac in own_macs)
        # The solicited-node group of the address (RFC 4291 2.7.1).
        self._group = ipaddress.IPv6Address("ff02::1:ff00:0").packed[:13] + self._address[13:]
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        try:
            self._attach_filter()  # before bind, or what came in between would pass
            self._socket.bind((interface, _ETH_P_IPV6))
            self._mac: bytes = self._socket.getsockname()[4]
            membership = struct.pack(
                "=iHH8s",
                socket.if_nametoindex(interface),
                _PACKET_MR_MULTICAST,
                6,
                _multicast_mac(self._group),
            )
            self._socket.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, membership)
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Descriptor to wait on."""
        return self._socket.fileno()

    def close(self) -> None:
        """Stop listening. Blocking: a grace period of the kernel, 10 to 100 ms."""
        self._socket.close()

    def send_probe(self) -> None:
        """Ask who has the address, from nobody (RFC 4862 5.4.2). Raises: OSError."""
        message = struct.pack("!BBHI16s", _SOLICITATION, 0, 0, 0, self._address)
        self._send(_UNSPECIFIED, self._group, message)

    def send_announcement(self) -> None:
        """Say that we have it, overriding what neighbours remember. Raises: OSError."""
        message = struct.pack(
            "!BBHI16sBB6s", _ADVERTISEMENT, 0, 0, _OVERRIDE, self._address, 2, 1, self._mac
        )
        self._send(self._address, _ALL_NODES, message)

    def receive_claim(self, *, probing: bool) -> str | None:
        """Read one frame: the MAC of somebody else who claims the address; else None.

        probing: another's probe counts too, for then two hosts are about to take it at once.
        Raises: BlockingIOError when no frame waits.
        """
        frame, arrival = self._socket.recvfrom(256)
        if arrival[2] == _PACKET_OUTGOING or len(frame) < _MESSAGE_AT + 24:
            return None
        _, mac, _ = _ETHERNET.unpack_from(frame)
        _, _, _, hop_limit, source, _ = _IPV6.unpack_from(frame, _ETHERNET.size)
        kind, target = frame[_MESSAGE_AT], frame[_MESSAGE_AT + 8 : _MESSAGE_AT + 24]
        if mac in self._own or mac == self._mac:
            return None
        if hop_limit != _HOP_LIMIT or target != self._address:
            return None
        claims = kind == _ADVERTISEMENT
        probes = kind == _SOLICITATION and source == _UNSPECIFIED
        return mac.hex(":") if claims or (probing and probes) else None

    def _send(self, source: bytes, target: bytes, message: bytes) -> None:
        pseudo = source + target + struct.pack("!II", len(message), _ICMPV6)
        checksum = _checksum(pseudo + message)
        message = message[:2] + struct.pack("!H", checksum) + message[4:]
        ethernet = _ETHERNET.pack(_multicast_mac(target), self._mac, _ETH_P_IPV6)
        ipv6 = _IPV6.pack(6 << 28, len(message), _ICMPV6, _HOP_LIMIT, source, target)
        self._socket.send(ethernet + ipv6 + message)

    def _attach_filter(self) -> None:
        program = b"".join(struct.pack("=HBBI", *instruction) for instruction in _FILTER)
        held = ctypes.create_string_buffer(program)  # the kernel copies it within the call
        wanted = struct.pack("@HP", len(_FILTER), ctypes.addressof(held))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, wanted)


def _multicast_mac(group: bytes) -> bytes:
    return b"\x33\x33" + group[12:]


def _checksum(data: bytes) -> int:
    """Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
