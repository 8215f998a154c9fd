"""Users, bearer tokens, the audit; and the users as the other node is told."""

import asyncio
from dataclasses import asdict
from typing import Annotated

from fastapi import Path, Query
from starlette.responses import Response

from mirror.errors import NotFoundHere
from mirror.vocabulary.said import say
from mirror.web.console import Here, Who
from mirror.web.models.said import read
from mirror.web.models.security import (
    AuditList,
    AuditView,
    MadeToken,
    MakeToken,
    PutUser,
    TokenList,
    TokenView,
    UserList,
    UserRow,
    UserView,
)

UserName = Annotated[str, Path(min_length=1, max_length=64)]
NUMBER_MAX = 2**53


async def list_users(console: Here) -> UserList:
    """Every user. The users of both nodes are the same."""
    users = await asyncio.to_thread(console.users.all)
    return UserList(users=[UserView(**asdict(user)) for user in users])


async def put_user(console: Here, name: UserName, body: PutUser) -> UserList:
    """Add a user, or change role and password of one."""
    before = await asyncio.to_thread(console.users.of, name)
    await asyncio.to_thread(console.users.put, name, body.role, body.password)
    if before is not None and (body.password is not None or before.role is not body.role):
        await asyncio.to_thread(console.credentials.close_sessions_of, name)
    await console.user_sync.tell()
    return await list_users(console)


async def remove_user(console: Here, name: UserName) -> UserList:
    """Remove a user; its sessions end at once."""
    await asyncio.to_thread(console.users.remove, name)
    await console.user_sync.tell()
    return await list_users(console)


async def list_tokens(console: Here) -> TokenList:
    """Every bearer token of this node, without its secret."""
    tokens = await asyncio.to_thread(console.credentials.tokens)
    return TokenList(tokens=[TokenView(**asdict(token)) for token in tokens])


async def make_token(console: Here, caller: Who, body: MakeToken) -> MadeToken:
    """Make a bearer token; its secret is shown this once."""
    secret, token = await asyncio.to_thread(
        console.credentials.make_token, body.label, body.role, body.days, caller.name
    )
    return MadeToken(token=TokenView(**asdict(token)), secret=secret)


async def revoke_token(
    console: Here, number: Annotated[int, Path(ge=1, le=NUMBER_MAX)]
) -> TokenList:
    """Make a token worthless, now."""
    if not await asyncio.to_thread(console.credentials.revoke_token, number):
        raise NotFoundHere(
            what=say("web.token", number=number),
            observed=say("seen.no_token"),
            remedy=say("do.list"),
        )
    return await list_tokens(console)


async def read_audit(
    console: Here,
    count: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[int | None, Query(ge=1, le=NUMBER_MAX)] = None,
    module: Annotated[str, Query(max_length=32)] = "",
) -> AuditList:
    """Who asked for what, from where, and what came of it; newest first."""
    entries = await asyncio.to_thread(console.audit.last, count, before=before, module=module)
    full = len(entries) == count
    return AuditList(
        entries=[AuditView(**asdict(one) | {"said": read(one.said)}) for one in entries],
        next_before=entries[-1].id if full else None,
    )


async def users_for_peer(console: Here) -> list[UserRow]:
    """Users with their hashes, for the other node only."""
    rows = await asyncio.to_thread(console.users.export)
    return [UserRow(**row) for row in rows]


async def peer_users_changed(console: Here) -> Response:
    """The other node says that its users changed: they are fetched from it."""
    console.user_sync.wake()
    return Response(status_code=204)
