"""Keeps who may sign in the same on both nodes: each asks the other for its users, now and then.

So one password works on both, also while one of them is down. With the users go the settings of
LDAP and OpenID Connect. Nothing but the certificate of a node of this cluster is given these:
they hold hashes of passwords, and secrets.
"""

import asyncio
import contextlib
from typing import Any

import structlog
from pydantic import TypeAdapter, ValidationError

from mirror.adapters.console.credentials import Credentials
from mirror.adapters.console.sign_in_store import SignInStore
from mirror.adapters.console.users import Users
from mirror.adapters.signin.settings import from_map
from mirror.errors import MirrorError
from mirror.web.cluster_seen import ClusterSeen
from mirror.web.identity import Caller, Via
from mirror.web.models.security import UserRow
from mirror.web.peers import Peers

EVERY_S = 10.0
FIRST_S = 3.0
ITSELF = Caller(name="console", role=None, via=Via.PEER, origin="")
_ROWS = TypeAdapter(list[UserRow])
_SETTINGS = TypeAdapter(dict[str, Any])


class UserSync:
    """Asks every EVERY_S, and at once when `wake` is called. Used by one event loop."""

    def __init__(
        self,
        users: Users,
        sign_in: SignInStore,
        credentials: Credentials,
        cluster: ClusterSeen,
        peers: Peers,
    ) -> None:
        self._users = users
        self._sign_in = sign_in
        self._credentials = credentials
        self._cluster = cluster
        self._peers = peers
        self._wake = asyncio.Event()
        self._trace = structlog.get_logger()

    def wake(self) -> None:
        """Ask now: the other node says that its users changed."""
        self._wake.set()

    async def fetch_once(self) -> None:
        """Ask now, FIRST_S at most; whoever does not answer is asked again later."""
        if self._cluster.look().peer:
            with contextlib.suppress(MirrorError, ValidationError, TimeoutError):
                async with asyncio.timeout(FIRST_S):
                    await self.fetch()

    async def run(self) -> None:
        """Ask until cancelled. Whoever does not answer is asked again later."""
        while True:
            if self._cluster.look().peer:
                try:
                    await self.fetch()
                except (MirrorError, ValidationError) as error:
                    self._trace.debug("users not fetched", observed=str(error))
            self._wake.clear()
            try:
                async with asyncio.timeout(EVERY_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def fetch(self) -> int:
        """Take over what the other node changed later; how many users that were.

        Raises: PeerNotReachable (MIR-810), ValidationError.
        """
        async with self._peers.request("GET", "/api/v1/peer/users", ITSELF) as response:
            body = await response.aread()
            if response.status_code != 200:
                return 0
        rows = _ROWS.validate_json(body)
        await self._fetch_settings()
        return await asyncio.to_thread(
            self._users.merge, [row.model_dump(mode="json") for row in rows]
        )

    async def _fetch_settings(self) -> None:
        async with self._peers.request("GET", "/api/v1/peer/sign-in", ITSELF) as response:
            body = await response.aread()
            if response.status_code != 200:
                return
        theirs = from_map(_SETTINGS.validate_json(body))
        if await asyncio.to_thread(self._sign_in.merge, theirs):
            await asyncio.to_thread(self._credentials.close_external_sessions)

    async def tell(self) -> None:
        """Tell the other node that users changed here; if it is down it asks when it is back."""
        try:
            async with self._peers.request("POST", "/api/v1/peer/users", ITSELF) as response:
                await response.aread()
        except MirrorError as error:
            self._trace.debug("other node not told", observed=str(error))
