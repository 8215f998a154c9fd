"""Who else claims an address on a network: asked by ARP or neighbour discovery, for a moment."""

import asyncio
import contextlib
import ipaddress
from dataclasses import dataclass

from mirror.adapters.arp import ArpEndpoint
from mirror.adapters.nd import NdEndpoint

Endpoint = ArpEndpoint | NdEndpoint


@dataclass(frozen=True, slots=True)
class Question:
    """How often and how long it is asked. probing: another's question counts as a claim too."""

    count: int
    gap_s: float
    listen_s: float
    probing: bool


def open_endpoint(interface: str, address: str, own_macs: frozenset[str]) -> Endpoint:
    """Open the endpoint that fits the address. Raises: OSError."""
    literal = ipaddress.ip_address(address)
    if isinstance(literal, ipaddress.IPv4Address):
        return ArpEndpoint(interface, literal, own_macs)
    return NdEndpoint(interface, literal, own_macs)


def close_beside(endpoint: Endpoint) -> None:
    """Close it in a thread, so that the loop, which must be running, does not wait for it."""
    loop = asyncio.get_running_loop()
    loop.remove_reader(endpoint.fileno())
    loop.run_in_executor(None, endpoint.close)


async def first_claim(
    endpoint: Endpoint, question: Question, expected: frozenset[str]
) -> str | None:
    """Ask, listen; give the hardware address of the first claim that is not expected, or None."""
    loop = asyncio.get_running_loop()
    claimed: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        with contextlib.suppress(OSError):
            while not claimed.done():
                mac = endpoint.receive_claim(probing=question.probing)
                if mac is not None and mac not in expected:
                    claimed.set_result(mac)

    loop.add_reader(endpoint.fileno(), read)
    try:
        for _ in range(question.count):
            if claimed.done():
                break
            with contextlib.suppress(OSError):  # no link: nobody to ask, and nobody to hear us
                endpoint.send_probe()
            await asyncio.wait({claimed}, timeout=question.gap_s)
        left_s = question.listen_s - question.count * question.gap_s
        await asyncio.wait({claimed}, timeout=max(0.0, left_s))
    finally:
        loop.remove_reader(endpoint.fileno())
    return claimed.result() if claimed.done() else None
