"""The etcd witness: one key a module, changed by compare-and-swap only.

The key `mirror/CLUSTER/MODULE` holds who may serve which generation. No lease and no clock
decide (invariant 6): a node that could not change the key has not changed its right to serve.
Spoken to by etcd's own HTTP/JSON gateway. All endpoints are asked at once and the first answer
counts, which is safe because reads are linearizable and a swap that came in twice is one swap.
"""

import asyncio
import base64
import contextlib
import json
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from mirror.errors import MirrorError, WitnessNotReachable, WitnessRefused
from mirror.vocabulary.said import say

ABSENT = 0  # the revision of a key that does not exist

_TEXT_CHARS_MAX = 200
_INVALID, _UNAUTHENTICATED = 3, 16  # gRPC status codes, in `code` of an error's body
_REFUSALS = {_INVALID, 5, 7, 9, 12, _UNAUTHENTICATED}  # the same answer would come again
# A token that etcd forgot after minutes; a signed one (JWT) of before a change of users or roles.
_LOGIN_AGAIN = {_INVALID, _UNAUTHENTICATED}


@dataclass(frozen=True, slots=True)
class EtcdSettings:
    """Where the witness is. endpoints: `https://host:2379`; all of one etcd cluster."""

    endpoints: tuple[str, ...]
    cluster: str
    module: str
    tls: ssl.SSLContext | None = None
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class WitnessValue:
    """What the nodes have agreed on through the witness. may_serve: names of nodes, sorted."""

    generation: str
    may_serve: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WitnessState:
    """What the witness holds. value: None and revision ABSENT when nothing yet."""

    value: WitnessValue | None
    revision: int


class EtcdWitness:
    """One module's key. Used by one event loop; `close` when done."""

    def __init__(self, settings: EtcdSettings) -> None:
        assert settings.endpoints
        self._settings = settings
        self._key = _encoded(f"mirror/{settings.cluster}/{settings.module}".encode())
        # Neither proxies nor files of the environment: a witness by a detour is none.
        self._client = httpx.AsyncClient(
            verify=settings.tls or ssl.create_default_context(), trust_env=False, http2=False
        )
        self._tokens: dict[str, str] = {}
        self._late: set[asyncio.Task[Any]] = set()  # asked, and not the first to answer

    async def close(self) -> None:
        """Close the connections."""
        await _cancel(list(self._late))
        await self._client.aclose()
        await asyncio.sleep(0)  # what was being opened for one of them closes in the next turn

    async def read(self, timeout_s: float) -> WitnessState:
        """What the witness holds now, agreed on by a majority of etcd's members.

        Raises: WitnessNotReachable (MIR-322), WitnessRefused (MIR-323).
        """
        answer, endpoint = await self._ask("kv/range", {"key": self._key}, timeout_s)
        return _state(answer.get("kvs"), endpoint)[0]

    async def compare_and_swap(
        self, expected_revision: int, new: WitnessValue, timeout_s: float
    ) -> bool:
        """Replace what was read at expected_revision, or create it (ABSENT).

        Returns: True when the witness holds `new` by this call; False when it holds something
        else: read again and decide anew.
        Raises: WitnessNotReachable (MIR-322): it may hold `new` or not, and may yet come to;
        nothing follows from it until a read has said so. WitnessRefused (MIR-323).
        """
        mark = secrets.token_hex(8)  # tells our own swap, answered twice, from another's
        content = {"generation": new.generation, "may_serve": sorted(new.may_serve), "write": mark}
        value = _encoded(json.dumps(content).encode())
        request = {
            "compare": [
                {
                    "key": self._key,
                    "target": "MOD",
                    "result": "EQUAL",
                    "mod_revision": str(expected_revision),
                }
            ],
            "success": [{"request_put": {"key": self._key, "value": value}}],
            "failure": [{"request_range": {"key": self._key}}],
        }
        answer, endpoint = await self._ask("kv/txn", request, timeout_s)
        if answer.get("succeeded") is True:
            return True
        responses = answer.get("responses") or [{}]
        held = responses[0].get("response_range") or {}
        return _state(held.get("kvs"), endpoint)[1] == mark

    async def _ask(
        self, path: str, request: Mapping[str, Any], timeout_s: float
    ) -> tuple[dict[str, Any], str]:
        """Ask all endpoints; the first answer, and from where. Both errors as in `read`."""
        asked = [
            asyncio.create_task(self._ask_one(endpoint, path, request, timeout_s))
            for endpoint in self._settings.endpoints
        ]
        failures: list[str] = []
        refusal: WitnessRefused | None = None
        answered = False
        try:
            async with asyncio.timeout(timeout_s):
                for done in asyncio.as_completed(asked):
                    try:
                        answer = await done
                    except WitnessRefused as error:
                        refusal = error
                    except (httpx.HTTPError, OSError, ValueError) as error:
                        # OSError: an alert of TLS 1.3 comes with the first answer that is read.
                        failures.append(f"{type(error).__name__} {error}".strip())
                    else:
                        answered = True
                        return answer
        except TimeoutError:
            failures.append(f"no answer within {timeout_s} s")
        finally:
            if answered:
                self._let_finish(asked)
            else:
                await _cancel(asked)
        if refusal is not None:
            raise refusal
        raise self._not_reachable(failures)

    def _let_finish(self, asked: list[asyncio.Task[Any]]) -> None:
        """Keep the connections of the slower ones: ending a request would end its connection.

        Harmless: the swap has been decided, so theirs finds another revision.
        """
        for task in asked:
            if not task.done():
                self._late.add(task)
                task.add_done_callback(self._late.discard)
            task.add_done_callback(_forget)

    async def _ask_one(
        self, endpoint: str, path: str, request: Mapping[str, Any], timeout_s: float
    ) -> tuple[dict[str, Any], str]:
        async with asyncio.timeout(timeout_s):
            for attempt in (1, 2):
                headers = await self._authorization(endpoint)
                answer = await self._post(endpoint, path, request, headers)
                code = answer.get("code") if "error" in answer else None
                if code in _LOGIN_AGAIN and headers and attempt == 1:
                    self._tokens.pop(endpoint, None)
                    continue
                return _accepted(answer, endpoint), endpoint
        raise AssertionError("the second attempt returns or raises")

    async def _authorization(self, endpoint: str) -> dict[str, str]:
        if not self._settings.user:
            return {}
        if endpoint not in self._tokens:
            login = {"name": self._settings.user, "password": self._settings.password}
            answer = await self._post(endpoint, "auth/authenticate", login, {})
            self._tokens[endpoint] = str(_accepted(answer, endpoint).get("token", ""))
        return {"Authorization": self._tokens[endpoint]}

    async def _post(
        self, endpoint: str, path: str, request: Mapping[str, Any], headers: dict[str, str]
    ) -> dict[str, Any]:
        """The caller's deadline bounds it. Raises: httpx.HTTPError, ValueError."""
        url = f"{endpoint.rstrip('/')}/v3/{path}"
        response = await self._client.post(url, json=request, headers=headers, timeout=None)
        try:
            answer = response.json()
        except ValueError:
            text = response.text.strip()[:_TEXT_CHARS_MAX]
            if response.is_client_error:
                # With passwords on, etcd wants no name in the certificate of its HTTP clients.
                raise WitnessRefused(endpoint=endpoint, observed=text) from None
            raise
        if not isinstance(answer, dict):
            message = "an answer that is no object"
            raise ValueError(message)  # noqa: TRY004 (it is the data, not a caller's type)
        return answer

    def _not_reachable(self, failures: list[str]) -> MirrorError:
        return WitnessNotReachable(
            endpoints=" ".join(self._settings.endpoints), observed="; ".join(failures) or "nothing"
        )


def _accepted(answer: dict[str, Any], endpoint: str) -> dict[str, Any]:
    if "error" not in answer:
        return answer
    observed = str(answer["error"])
    if answer.get("code") in _REFUSALS:
        raise WitnessRefused(endpoint=endpoint, observed=observed)
    raise ValueError(observed)  # unavailable, no leader, timed out: another member may know


def _state(entries: object, endpoint: str) -> tuple[WitnessState, str]:
    """The state in an answer, and the mark of the call that wrote it."""
    if not entries:
        return WitnessState(None, ABSENT), ""
    with contextlib.suppress(KeyError, TypeError, ValueError, IndexError):
        assert isinstance(entries, list)
        content = json.loads(base64.b64decode(entries[0]["value"], validate=True))
        generation, may_serve = content["generation"], content["may_serve"]
        if isinstance(generation, str) and all(isinstance(node, str) for node in may_serve):
            value = WitnessValue(generation, tuple(sorted(may_serve)))
            state = WitnessState(value, int(entries[0]["mod_revision"]))
            return state, str(content.get("write", ""))
    raise WitnessRefused(endpoint=endpoint, observed=say("witness.foreign"))


def _forget(task: asyncio.Task[Any]) -> None:
    """Take what nobody waits for, or asyncio would complain of it."""
    if not task.cancelled():
        task.exception()


async def _cancel(asked: list[asyncio.Task[Any]]) -> None:
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()
