"""Everything the console works with, built once, and found by endpoints through `Here`."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request

from mirror.adapters.console.audit import Audit
from mirror.adapters.console.credentials import Credentials
from mirror.adapters.console.database import Database
from mirror.adapters.console.notifications import Notifications
from mirror.adapters.console.settings import Settings
from mirror.adapters.console.sign_in_store import SignInStore
from mirror.adapters.console.users import Users
from mirror.adapters.local_calls import call_once
from mirror.adapters.signin.oidc import OidcFlows
from mirror.config.layout import CONSOLE_HTTPS_PORT, Layout
from mirror.config.module_store import ModuleStore
from mirror.errors import NoAnswerInTime
from mirror.vocabulary.said import say
from mirror.web.attempts import Attempts
from mirror.web.cluster_seen import ClusterSeen, Membership
from mirror.web.command_line import CommandLine
from mirror.web.disks import Disks
from mirror.web.edit_lock import EditLock
from mirror.web.identity import Caller
from mirror.web.joining import Joining
from mirror.web.notifier import Notifier
from mirror.web.peers import Peers
from mirror.web.ring import Ring
from mirror.web.told import Told
from mirror.web.user_sync import UserSync
from mirror.web.watcher import Watcher

CONTROL_ANSWER_S = 60.0
CONFIGURING_S = 15.0
# So exactly is known when a host lost its power.
ALIVE_EVERY_S = 20.0


class Console:
    """One console. Used by one event loop; what blocks goes to threads or programs."""

    def __init__(
        self, environment: Mapping[str, str] | None = None, *, https_port: int = CONSOLE_HTTPS_PORT
    ) -> None:
        """Open the database. Raises: ConsoleDatabaseFailed (MIR-815)."""
        self.environment = dict(os.environ if environment is None else environment)
        self.layout = Layout.from_environment(self.environment)
        self.https_port = https_port
        self.database = Database(self.layout.safevar)
        self.users = Users(self.database)
        self.credentials = Credentials(self.database)
        self.audit = Audit(self.database)
        self.settings = Settings(self.database)
        self.sign_in_store = SignInStore(self.database)
        self.oidc = OidcFlows()
        self.notifications = Notifications(self.database)
        self.cookie_mark = self.settings.mark()
        self.attempts = Attempts()
        self.ring = Ring()
        self.cluster = ClusterSeen(self.layout)
        self.peers = Peers(self.layout, self.cluster, https_port)
        self.command_line = CommandLine(self.environment)
        self.watcher = Watcher(
            self.layout,
            self.environment,
            self.ring,
            self.cluster,
            self.peers,
            Disks(self.command_line),
        )
        self.notifier = Notifier(self.notifications, self.environment)
        self._told = Told(self.watcher, self.cluster, self.peers, self.notifier)
        self.joining = Joining(self.layout, self.command_line)
        self.user_sync = UserSync(
            self.users, self.sign_in_store, self.credentials, self.cluster, self.peers
        )
        self._configuring = asyncio.Lock()
        self.cluster_lock = EditLock("cluster.xml")
        # (method, status) -> how many; for /metrics.
        self.answered: Counter[tuple[str, int]] = Counter()
        self.streams = 0  # open event streams
        self.ending = False  # set when the process ends, so that streams do
        # Where a browser finds this console, for the page of the other node.
        self.urls: tuple[str, ...] = ()

    @property
    def store(self) -> ModuleStore:
        """The files of the modules. Blocking: use `asyncio.to_thread`."""
        return ModuleStore(self.layout)

    @property
    def membership(self) -> Membership:
        """Who this node and the other one are."""
        return self.cluster.look()

    async def run(self) -> None:
        """Watch both nodes until cancelled, then let go of everything."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.watcher.run())
                group.create_task(self._note_alive())
                group.create_task(self.user_sync.run())
                group.create_task(self.notifier.run())
                group.create_task(self._told.run())
        finally:
            self.joining.close()
            await self.peers.close()

    async def _note_alive(self) -> None:
        await asyncio.to_thread(self.settings.begin_run)
        while True:
            await asyncio.sleep(ALIVE_EVERY_S)
            await asyncio.to_thread(self.settings.note_alive)

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    @asynccontextmanager
    async def configuring(self) -> AsyncIterator[None]:
        """One change of the modules' files at a time. Raises: NoAnswerInTime (MIR-817).

        Two people on two nodes, each changing both, would wait for each other for ever.
        """
        try:
            async with asyncio.timeout(CONFIGURING_S):
                await self._configuring.acquire()
        except TimeoutError as error:
            raise NoAnswerInTime(
                what=say("web.turn"),
                waited_s=f"{CONFIGURING_S:g}",
                remedy=say("do.wait_turn"),
            ) from error
        try:
            yield
        finally:
            self._configuring.release()

    async def control(self, do: str, /, **fields: Any) -> dict[str, Any]:
        """Ask the control plane, on a connection of its own. Raises: as LocalCalls.call."""
        return await call_once(self.layout.control_socket, do, answer_s=CONTROL_ANSWER_S, **fields)

    def note_urls(self, urls: tuple[str, ...]) -> None:
        """Remember where browsers find this console."""
        self.urls = urls

    def working(self, module: str) -> Path:
        """Where the module's logs are."""
        return self.layout.module(module).working


def console_of(request: Request) -> Console:
    """Find the console of a request."""
    found = request.app.state.console
    assert isinstance(found, Console)
    return found


def caller_of(request: Request) -> Caller:
    """Find who asks; the gate has put it there."""
    found = request.scope["mirror.caller"]
    assert isinstance(found, Caller)
    return found


Here = Annotated[Console, Depends(console_of)]
Who = Annotated[Caller, Depends(caller_of)]
