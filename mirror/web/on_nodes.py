"""Does one configuration step on this node, on the other one, or on both, and says what came.

The other node does it by its own console, as the same person: its own checks, its own audit.
"""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from mirror.config.module_store import PACKAGE_SUFFIX
from mirror.errors import ConfigRefused, InputRefused, MirrorError
from mirror.vocabulary.said import Said, facts_of, said_of, say
from mirror.web.command_line import LONG_S
from mirror.web.console import Console
from mirror.web.identity import Caller
from mirror.web.models.configuration import NodeResult, Results
from mirror.web.problems import problem_of, status_of

FETCH_S = 20.0
Step = Literal["confcheck", "config", "deconfig"]
_PATHS: dict[Step, tuple[str, str]] = {
    "confcheck": ("POST", "check"),
    "config": ("POST", "apply"),
    "deconfig": ("POST", "remove"),
}
_SENTENCES: dict[Step, str] = {
    "confcheck": "the configuration is valid",
    "config": "the configuration is in force",
    "deconfig": "no configuration is in force",
}


async def on_nodes(
    console: Console, caller: Caller, module: str, nodes: Sequence[str], step: Step
) -> Results:
    """Do one step on each node named; none named: on this one. Never raises for a node's refusal.

    Raises: InputRefused (MIR-806) for a node that is not in the cluster.
    """
    membership = console.membership
    wanted = list(dict.fromkeys(nodes)) or [membership.shown_node]
    known = {membership.shown_node, membership.peer} - {""}
    for node in wanted:
        if node not in known:
            raise InputRefused(
                what="nodes",
                observed=say("seen.no_node", node=repr(node[:64])),
                remedy=say("do.choose_of", known=sorted(known)),
            )
    results = []
    for node in wanted:
        if node == membership.shown_node:
            results.append(await _here(console, module, node, step))
        else:
            results.append(await _there(console, caller, module, node, step))
    return Results(done=all(one.done for one in results), results=results)


async def _here(console: Console, module: str, node: str, step: Step) -> NodeResult:
    try:
        answer = await console.command_line.mirror(step, "-m", module, timeout_s=LONG_S)
    except MirrorError as error:
        return failed(node, error)
    notices = [str(one) for one in answer.get("notices") or ()]
    return NodeResult(
        node=node,
        done=True,
        status=200,
        sentence=_SENTENCES[step],
        code="",
        errors=[],
        notices=notices,
    )


async def _there(
    console: Console, caller: Caller, module: str, node: str, step: Step
) -> NodeResult:
    method, path = _PATHS[step]
    base = f"/api/v1/modules/{module}"
    try:
        if step != "deconfig":
            await _send_package(console, caller, module, base)
        answer = await ask_peer(console, caller, method, f"{base}/config/{path}", {"nodes": []})
    except MirrorError as error:
        return failed(node, error)
    except PeerRefusal as refusal:
        return refusal.result(node)
    return NodeResult.model_validate(answer["results"][0] | {"node": node})


async def _send_package(console: Console, caller: Caller, module: str, base: str) -> None:
    """Have the other node hold the very same files, under the same id."""
    number = console.store.ids.of(module)
    query = "replace=true" + (f"&id={number}" if number else "")
    with tempfile.TemporaryDirectory(prefix="mirror-send.") as directory:
        file = Path(directory) / f"{module}{PACKAGE_SUFFIX}"
        await asyncio.to_thread(console.store.package, module, file)
        content = await asyncio.to_thread(file.read_bytes)
    request = console.peers.request(
        "PUT",
        f"{base}/package",
        caller,
        query=query,
        headers={"content-type": "application/zip"},
        content=content,
    )
    async with request as response:
        body = await response.aread()
        if response.status_code >= 300:
            raise PeerRefusal(response.status_code, body)


async def ask_peer(
    console: Console, caller: Caller, method: str, path: str, body: object
) -> dict[str, Any]:
    """One request to the other node's console. Raises: PeerNotReachable, PeerRefusal."""
    request = console.peers.request(
        method,
        path,
        caller,
        headers={"content-type": "application/json"},
        content=json.dumps(body).encode(),
    )
    async with request as response:
        content = await response.aread()
        if response.status_code >= 300:
            raise PeerRefusal(response.status_code, content)
    answer: dict[str, Any] = json.loads(content or b"{}")
    return answer


async def fetch_from_peer(
    console: Console, caller: Caller, path: str, *, query: str = "", read_s: float = FETCH_S
) -> bytes:
    """Read something of the other node's console. Raises: PeerNotReachable, PeerRefusal."""
    async with console.peers.request("GET", path, caller, query=query, read_s=read_s) as response:
        content = await response.aread()
        if response.status_code >= 300:
            raise PeerRefusal(response.status_code, content)
    return content


class PeerRefusal(Exception):
    """The other node's console answered with a problem."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status)
        self._status = status
        try:
            self._problem = dict(json.loads(body))
        except (ValueError, TypeError):
            self._problem = {}

    def sentence(self) -> Said:
        """Say it in its own words."""
        text = str(self._problem.get("detail") or "")
        if not text:
            return say("http.answers", status=self._status)
        return Said(text, str(self._problem.get("code") or ""), self._problem.get("facts") or {})

    def result(self, node: str) -> NodeResult:
        """Say it as the result of that node."""
        sentence = self.sentence()
        return NodeResult(
            node=node,
            done=False,
            status=self._status,
            sentence=str(sentence),
            code=sentence.code,
            facts=facts_of(sentence),
            errors=self._problem.get("errors") or [],
            notices=[],
        )


def why_not(error: MirrorError | PeerRefusal) -> Said:
    """Say why the other node gave nothing."""
    return error.sentence() if isinstance(error, PeerRefusal) else said_of(error)


def failed(node: str, error: MirrorError) -> NodeResult:
    """Say an error as the result of a node."""
    problem = problem_of(error)
    sentence = str(error)
    if isinstance(error, ConfigRefused):
        sentence = sentence.partition("\n")[0]
    return NodeResult(
        node=node,
        done=False,
        status=status_of(error),
        sentence=sentence,
        code=error.code,
        facts=problem.facts,
        errors=problem.errors,
        notices=[],
    )
