"""The checkers that ask somebody over the network: <tcp>, <ping>, and <module> elsewhere.

One question each, with a deadline; the answer is true or false. How often, and what follows, is
not known here.
"""

import asyncio
import contextlib
import ipaddress
import socket
import ssl

import httpx

from mirror.adapters.icmp import answers
from mirror.adapters.names import numeric
from mirror.config.check_models import ModuleCheck, PingCheck, TcpCheck

CONSOLE_PORT = 9010
CONSOLE_PORT_SECURE = 9453
HTTP_OK = 200


async def accepts(check: TcpCheck) -> bool:
    """Tell whether a connection is accepted in time; it is closed at once."""
    try:
        async with asyncio.timeout(check.timeout_ms / 1000):
            address = await numeric(check.addr, check.timeout_ms / 1000)
            version = ipaddress.ip_address(address).version
            family = socket.AF_INET if version == 4 else socket.AF_INET6
            with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as connection:
                await asyncio.get_running_loop().sock_connect(connection, (address, check.port))
                # Where nobody listens on this host, the kernel may take that very port for our
                # end, and connect us to ourselves.
                is_another = connection.getsockname() != connection.getpeername()
    except (OSError, TimeoutError):
        return False
    return bool(is_another)


async def echoes(check: PingCheck) -> bool:
    """Tell whether the address answers to an echo request in time."""
    timeout_s = check.timeout_ms / 1000
    try:
        return await answers(await numeric(check.addr, timeout_s), timeout_s)
    except (OSError, TimeoutError):
        return False


async def serves(check: ModuleCheck, tls: ssl.SSLContext | None) -> bool:
    """Tell whether a module is ready behind an address, by its ready.txt.

    tls: the cluster's certificates, for `secure`. Neither proxies nor redirections are followed.
    """
    scheme, port = ("https", CONSOLE_PORT_SECURE) if check.secure else ("http", CONSOLE_PORT)
    host = f"[{check.addr}]" if ":" in check.addr else check.addr
    url = f"{scheme}://{host}:{check.port or port}/var/modules/{check.name}/ready.txt"
    timeout_s = check.timeout_ms / 1000
    verify = tls if check.secure and tls is not None else False
    with contextlib.suppress(httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError):
        async with (
            asyncio.timeout(timeout_s),
            httpx.AsyncClient(verify=verify, trust_env=False) as client,
        ):
            answer = await client.get(url, timeout=timeout_s)
            return answer.status_code == HTTP_OK
    return False
