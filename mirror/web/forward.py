"""Sends a request on to the other node's console and its answer back, as it comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import httpx
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from mirror.errors import NotFoundHere
from mirror.vocabulary.said import say
from mirror.web.console import Console
from mirror.web.identity import Caller
from mirror.web.still_valid import is_still_valid

VALID_EVERY_S = 5.0
# What says something about the content; connections, cookies and names stay on their side.
REQUEST_HEADERS = ("accept", "content-type", "content-length", "if-match", "last-event-id")
ANSWER_HEADERS = (
    "content-type",
    "content-disposition",
    "content-encoding",
    "content-length",
    "etag",
    "retry-after",
)


async def forward(console: Console, node: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Have the other node do it. Raises: NotFoundHere (MIR-807), PeerNotReachable (MIR-810)."""
    peer = console.membership.peer
    if node != peer:
        raise NotFoundHere(
            what=say("web.node", name=node[:64]),
            observed=say("seen.not_in_cluster"),
            remedy=say("do.other_is", node=peer) if peer else say("seen.no_pair"),
        )
    sent = Headers(scope=scope)
    headers = {name: sent[name] for name in REQUEST_HEADERS if name in sent}
    # What is not asked for is not compressed twice.
    headers["accept-encoding"] = "identity"
    has_body = "content-length" in sent or "transfer-encoding" in sent
    request = console.peers.request(
        scope["method"],
        scope["path"],
        scope["mirror.caller"],
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        content=_chunks(receive) if has_body else None,
    )
    sending = asyncio.create_task(_pass_on(request, send))
    # A page that went away ends the stream of the other node too, and so does a session that
    # ended, of which that node knows nothing; a change is seen to its end.
    ending = []
    if not has_body:
        ending.append(asyncio.create_task(_until_gone(receive)))
        ending.append(asyncio.create_task(_until_invalid(console, scope["mirror.caller"])))
    try:
        await asyncio.wait({sending, *ending}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
    finally:
        for task in (sending, *ending):
            task.cancel()
        await asyncio.gather(sending, *ending, return_exceptions=True)


async def _pass_on(request: AbstractAsyncContextManager[httpx.Response], send: Send) -> None:
    async with request as response:
        kept = [
            (name.encode(), response.headers[name].encode("latin-1"))
            for name in ANSWER_HEADERS
            if name in response.headers
        ]
        start = {"type": "http.response.start", "status": response.status_code, "headers": kept}
        await send(start)
        async for chunk in response.aiter_raw():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _until_invalid(console: Console, caller: Caller) -> None:
    while True:
        await asyncio.sleep(VALID_EVERY_S)
        if not await is_still_valid(console, caller):
            return


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return
        yield message.get("body", b"")
        more = message.get("more_body", False)
