"""Host names as numeric addresses, with a deadline: a name server that is silent blocks nobody.

Names are asked for in threads of their own: a resolver that hangs must not take the threads that
run scripts and addresses. That goes for libraries too, which ask the event loop.
"""

import asyncio
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial

THREADS_MAX = 8

_RESOLVERS = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="names")


def keep_apart(loop: asyncio.AbstractEventLoop) -> None:
    """Have everything in this event loop ask for names in these threads."""

    async def getaddrinfo(
        host: str | bytes | None, port: str | int | None, **wanted: int
    ) -> object:
        asks = partial(socket.getaddrinfo, host, port, **wanted)
        return await loop.run_in_executor(_RESOLVERS, asks)

    loop.getaddrinfo = getaddrinfo  # type: ignore[assignment,method-assign]


async def numeric(name: str, timeout_s: float) -> str:
    """Give the first address of a name; an address is given back as it is.

    Raises: OSError when it is not known, TimeoutError when nobody answers in time.
    """
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        pass
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout_s):
        found = await loop.run_in_executor(
            _RESOLVERS, lambda: socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        )
    return str(found[0][4][0])
