"""ARP for one virtual IPv4 address on one interface: probe, announce, see who else claims it.

Frames by hand on a packet socket, because the kernel says nothing for an address it does not
have yet. Source: RFC 826, RFC 5227. `nd.py` is the same for IPv6.
"""

import ipaddress
import socket
import struct

_ETH_P_ARP = 0x0806
_BROADCAST = b"\xff" * 6
_NO_MAC = bytes(6)
_NO_IP = bytes(4)
_REQUEST, _REPLY = 1, 2
_FRAME = struct.Struct("!6s6sHHHBBH6s4s6s4s")
_PACKET_OUTGOING = 4  # linux/if_packet.h


class ArpEndpoint:
    """A packet socket for one address. own_macs: of this host's interfaces, never a conflict."""

    def __init__(
        self, interface: str, address: ipaddress.IPv4Address, own_macs: frozenset[str]
    ) -> None:
        """Open the socket. Raises: OSError."""
        self._address = address.packed
        self._own = frozenset(bytes.fromhex(mac.replace(":", "")) for mac in own_macs)
        # Of no protocol until it is bound: to move one that listens waits for the kernel.
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        try:
            self._socket.bind((interface, _ETH_P_ARP))
            self._mac: bytes = self._socket.getsockname()[4]
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
        """Ask who has the address, without claiming it (RFC 5227 2.1.1). Raises: OSError."""
        self._send(_REQUEST, _NO_IP, _NO_MAC)

    def send_announcement(self) -> None:
        """Say that we have it, as request and as reply: some switches learn from one only.

        Raises: OSError.
        """
        self._send(_REQUEST, self._address, _NO_MAC)
        self._send(_REPLY, self._address, _BROADCAST)

    def receive_claim(self, *, probing: bool) -> str | None:
        """Read one frame: the MAC of somebody else who claims the address; else None.

        probing: another's probe counts too, for then two hosts are about to take it at once.
        Raises: BlockingIOError when no frame waits.
        """
        frame, source = self._socket.recvfrom(256)
        if source[2] == _PACKET_OUTGOING or len(frame) < _FRAME.size:
            return None
        _, _, _, _, protocol, _, _, operation, mac, sender, _, target = _FRAME.unpack_from(frame)
        if protocol != 0x0800 or mac in self._own or mac == self._mac:
            return None
        claims = sender == self._address
        probes = operation == _REQUEST and sender == _NO_IP and target == self._address
        return mac.hex(":") if claims or (probing and probes) else None

    def _send(self, operation: int, sender: bytes, target_mac: bytes) -> None:
        self._socket.send(
            _FRAME.pack(
                _BROADCAST,
                self._mac,
                _ETH_P_ARP,
                1,  # Ethernet
                0x0800,  # IPv4
                6,
                4,
                operation,
                self._mac,
                sender,
                target_mac,
                self._address,
            )
        )
