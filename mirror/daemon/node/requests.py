"""What may be asked on the control socket: one method a request, one table of them.

Nothing here blocks on a module: a command waits for the engine's answer, which comes at once.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

from mirror.adapters.module_log import LEVELS, SHOWN_LEVELS
from mirror.daemon.node.module_runner import ModuleRunner
from mirror.daemon.node.modules import Modules
from mirror.daemon.node.state_view import refused_state, state_of
from mirror.errors import (
    CommandNotYet,
    CommandRefused,
    ModuleNotGiven,
    RequestNotUnderstood,
    WaitedInVain,
)
from mirror.vocabulary.events import CommandAsked

Answer = dict[str, Any]
Emit = Callable[[Mapping[str, Any]], None]
PRINT_LEVELS = {"printi": "U", "printw": "W", "printe": "E"}
AUTOMATON = frozenset(
    {
        *("start", "stop", "restart", "stopstart", "forcestop", "swap"),
        *("prim", "primforce", "second"),
    }
)
STARTS = frozenset({"start", "prim", "primforce", "second"})
LOG_LINES_MAX = 10_000
SENTENCES = {
    "start": "{module} starts",
    "stop": "{module} stops",
    "swap": "{module}: the roles are exchanged",
}


class Requests:
    """Answers requests. Used by one event loop."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    async def perform(self, do: str, fields: Mapping[str, Any], emit: Emit) -> Answer:
        """Answer one request. emit(entry): a line of a log that is followed.

        Raises: MirrorError with the sentence for who asked.
        """
        if do == "log":
            return await self._log(fields, emit)
        act = self._table.get(do)
        if act is None:
            raise RequestNotUnderstood(what=do or "nothing", observed="no such request")
        return await act(self, fields)

    # --- commands ---

    async def _command(self, fields: Mapping[str, Any]) -> Answer:
        verb = str(fields.get("verb") or "")
        given = fields.get("arguments")
        arguments = dict(given) if isinstance(given, Mapping) else {}
        identity = str(fields.get("identity") or "")
        name = fields.get("module")
        if verb == "shutdown":
            return await self._shut_down()
        if not isinstance(name, str) or not name:
            raise ModuleNotGiven(verb=verb)
        runner = self._modules.get(name)
        if verb in AUTOMATON:
            words = tuple(word for word, given in arguments.items() if given is True)
            return await self._automaton(runner, verb, words, identity)
        if verb in PRINT_LEVELS:
            return _print(runner, PRINT_LEVELS[verb], str(arguments.get("text") or ""))
        if verb == "set":
            return _set(runner, arguments, identity)
        if verb == "errd":
            return _errd(runner, arguments)
        if verb in {"incloop", "resetloop", "checkloop"}:
            return await self._loops(runner, verb, identity)
        raise RequestNotUnderstood(what=verb, observed="no such command")

    async def _automaton(
        self, runner: ModuleRunner, verb: str, words: tuple[str, ...], identity: str
    ) -> Answer:
        refusal = await runner.command(verb, words, identity)
        if refusal:
            raise CommandRefused(module=runner.name, verb=verb, observed=refusal)
        if not identity and (verb in STARTS or verb in {"stop", "forcestop"}):
            runner.notebook.want(running=verb in STARTS)
        said = SENTENCES.get(verb, "{module}: {verb} accepted")
        return {"said": said.format(module=runner.name, verb=verb)}

    async def _shut_down(self) -> Answer:
        for runner in tuple(self._modules.running.values()):
            await runner.command("stop", (), "shutdown")
        return {"said": f"{len(self._modules.running)} modules stop"}

    async def _loops(self, runner: ModuleRunner, verb: str, identity: str) -> Answer:
        if verb != "checkloop":
            runner.post(CommandAsked(verb, (), identity or "script"))
            await asyncio.sleep(0)
        return {"count": len(runner.driver.engine.context.loops_ms)}

    # --- looking ---

    async def _state(self, _: Mapping[str, Any]) -> Answer:
        modules = self._modules
        states = {name: state_of(runner) for name, runner in modules.running.items()}
        for name, sentence in modules.refused.items():
            states[name] = refused_state(modules.node, sentence)
        return {"node": modules.node, "modules": dict(sorted(states.items()))}

    async def _resources(self, fields: Mapping[str, Any]) -> Answer:
        return {"resources": dict(self._runner(fields).notebook.resources)}

    async def _log(self, fields: Mapping[str, Any], emit: Emit) -> Answer:
        runner = self._runner(fields)
        levels = LEVELS if fields.get("every") else SHOWN_LEVELS
        count = min(int(fields.get("last") or 50), LOG_LINES_MAX)
        entries = [asdict(entry) for entry in await runner.log.last(count, levels)]
        if fields.get("follow"):
            emit({"follow": runner.name})
        return {"entries": entries}

    async def _wait_state(self, fields: Mapping[str, Any]) -> Answer:
        """Answer when the module is in one of the states, and Ready if that is asked."""
        runner = self._runner(fields)
        given = fields.get("states")
        states = {str(one) for one in given} if isinstance(given, list) else set()
        ready, timeout_s = bool(fields.get("ready")), fields.get("timeout_s")
        shown = runner.notebook

        def is_so() -> bool:
            stable = str(shown.shown.readiness) == "Ready" or str(shown.shown.word) == "STOP"
            return str(shown.shown.word) in states and (stable or not ready)

        try:
            async with asyncio.timeout(None if timeout_s is None else float(timeout_s)):
                async with shown.changed:
                    await shown.changed.wait_for(is_so)
        except TimeoutError as error:
            now = f"it is {shown.shown.word} ({shown.shown.readiness})"
            raise WaitedInVain(module=runner.name, observed=now) from error
        return {"state": str(shown.shown.word), "ready": str(shown.shown.readiness)}

    async def _part_pids(self, _: Mapping[str, Any]) -> Answer:
        data = {name: one.client.pid for name, one in self._modules.running.items()}
        return {"control": os.getpid(), "guardian": os.getppid(), "data": data}

    async def _cluster_state(self, _: Mapping[str, Any]) -> Answer:
        modules = self._modules
        nodes: dict[str, str] = {modules.node: "this node"} if modules.node else {}
        heard: dict[str, set[str]] = {}
        for runner in modules.running.values():
            heard.setdefault(runner.settings.core.peer, set()).update(runner.heart.lans_heard)
        for peer, lans in heard.items():
            nodes[peer] = f"heard on {', '.join(sorted(lans))}" if lans else "not heard"
        return {"nodes": nodes}

    # --- configuration ---

    async def _reconfigure(self, fields: Mapping[str, Any]) -> Answer:
        name = str(fields.get("module") or "")
        await self._modules.reconfigure(name)
        return {"module": name}

    async def _cluster_changed(self, _: Mapping[str, Any]) -> Answer:
        await self._modules.cluster_changed()
        return {}

    async def _push_config(self, _: Mapping[str, Any]) -> Answer:
        raise CommandNotYet(
            verb="config --all-nodes",
            observed="nodes do not configure each other yet",
            remedy="run `config` on each node",
        )

    def _runner(self, fields: Mapping[str, Any]) -> ModuleRunner:
        return self._modules.get(str(fields.get("module") or ""))

    _table: Mapping[str, Callable[["Requests", Mapping[str, Any]], Awaitable[Answer]]] = {
        "command": _command,
        "state": _state,
        "resources": _resources,
        "wait_state": _wait_state,
        "part_pids": _part_pids,
        "cluster_state": _cluster_state,
        "reconfigure": _reconfigure,
        "cluster_changed": _cluster_changed,
        "push_config": _push_config,
    }


def _print(runner: ModuleRunner, level: str, text: str) -> Answer:
    runner.log.append(level, "userplug", text)
    return {}


def _set(runner: ModuleRunner, arguments: Mapping[str, Any], identity: str) -> Answer:
    name, value = str(arguments.get("resource") or ""), str(arguments.get("value") or "")
    before = runner.notebook.resources.get(name, {}).get("value")
    runner.notebook.set_resource(name, value)
    changed = before != value
    if (changed and not arguments.get("quiet")) or arguments.get("log_always"):
        by = identity or "script"
        runner.log.append("E", "heart", f"Resource {name} set to {value} by {by}")
    return {"changed": changed}


def _errd(runner: ModuleRunner, arguments: Mapping[str, Any]) -> Answer:
    action, process_class = str(arguments.get("action")), str(arguments.get("class") or "")
    if action in {"on", "off"}:
        runner.processes.switch(on=action == "on")
    elif action in {"enable", "disable"}:
        runner.processes.switch_class(process_class, on=action == "enable")
    values = {name: str(one["value"]) for name, one in runner.notebook.resources.items()}
    return {"processes": runner.processes.listed(values)}
