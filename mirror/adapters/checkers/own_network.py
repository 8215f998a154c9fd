"""The checkers that look at this host's own network: <intf> and <ip>, by the kernel's events.

That an address is missing, or that its interface lost its link, is seen in milliseconds. That
somebody else answers for it is asked on the network, now and then.
"""

import asyncio
import contextlib
from collections.abc import Callable

from mirror.adapters.claims import Question, close_beside, first_claim, open_endpoint
from mirror.adapters.names import numeric
from mirror.adapters.netlink_facts import HostNetwork, neighbour_macs
from mirror.adapters.network_feed import NetworkFeed
from mirror.config.check_models import IntfCheck, IpCheck
from mirror.errors import HostProbeFailed

NAME_S = 5.0
# Whoever holds it answers at once; one lost question is none.
DUPLICATE = Question(count=2, gap_s=0.15, listen_s=0.3, probing=False)

Say = Callable[[str], None]


async def watch_interface(check: IntfCheck, feed: NetworkFeed, say: Say) -> None:
    """Say whether the interface has a link, until cancelled. Raises: OSError, TimeoutError."""
    address = await numeric(check.local_addr, NAME_S) if check.local_addr else ""

    def judge(network: HostNetwork) -> None:
        if address:
            has_link = network.carrier_of(address)
        else:
            interface = network.interface(check.interface)
            has_link = interface is not None and interface.up and interface.carrier
        say("up" if has_link else "down")

    async with feed.follow(judge):
        await asyncio.get_running_loop().create_future()


class AddressLook:
    """One <ip>. peer_addresses: the other node's, whose answer is no conflict: it may stand still.

    note(sentence): for the module log.
    """

    def __init__(
        self,
        check: IpCheck,
        peer_addresses: tuple[str, ...],
        *,
        say: Say,
        note: Callable[[str], None],
    ) -> None:
        self._check = check
        self._peer_addresses = peer_addresses
        self._say = say
        self._note = note
        self._address = ""
        self._network: HostNetwork | None = None
        self._holder = ""  # somebody else's hardware address

    async def run(self, feed: NetworkFeed) -> None:
        """Say whether it is here alone, until cancelled. Raises: OSError, TimeoutError."""
        self._address = await numeric(self._check.addr, NAME_S)
        async with feed.follow(self._changed):
            while True:
                await self._ask()
                self._judge()
                await asyncio.sleep(self._check.interval_ms / 1000)

    def _changed(self, network: HostNetwork) -> None:
        self._network = network
        self._judge()

    def _judge(self) -> None:
        found = self._network.find(self._address) if self._network is not None else None
        here = found is not None and found.usable
        self._say("up" if here and not self._holder else "down")

    async def _ask(self) -> None:
        network = self._network
        found = network.find(self._address) if network is not None else None
        interface = network.interface(found.index) if network and found else None
        if network is None or interface is None or not interface.resolves or not interface.up:
            self._holder = ""
            return
        own = frozenset(each.mac for each in network.interfaces if each.mac)
        try:
            holder = await self._claimant(interface.name, own, frozenset())
            if holder:
                # By the peer's word it has given the address up; is there anybody else?
                expected: frozenset[str] = frozenset()
                with contextlib.suppress(HostProbeFailed):
                    expected = await asyncio.to_thread(neighbour_macs, self._peer_addresses)
                if holder in expected:
                    holder = await self._claimant(interface.name, own, expected)
        except OSError:
            return
        if holder and holder != self._holder:
            self._note(f"Address {self._address} is answered for by {holder} too")
        self._holder = holder

    async def _claimant(
        self, interface: str, own: frozenset[str], expected: frozenset[str]
    ) -> str:
        """Ask who answers for it, of others than expected. Raises: OSError."""
        endpoint = open_endpoint(interface, self._address, own)
        try:
            return await first_claim(endpoint, DUPLICATE, expected) or ""
        finally:
            close_beside(endpoint)
