"""What may be asked on the control socket: one method a request, one table of them.

Nothing here blocks on a module: a command waits for the engine's answer, which comes at once.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mirror.adapters.module_log import LEVELS, SHOWN_LEVELS
from mirror.daemon.node import replication, shipping, upkeep
from mirror.daemon.node.module_runner import ModuleRunner
from mirror.daemon.node.modules import Modules
from mirror.daemon.node.state_view import refused_state, state_of
from mirror.daemon.node.what_if import kinds, what_if
from mirror.errors import (
    CommandRefused,
    ModuleNotGiven,
    RequestNotUnderstood,
    WaitedInVain,
)
from mirror.vocabulary.events import CommandAsked
from mirror.vocabulary.said import Said, parts_of, say

Answer = dict[str, Any]
Emit = Callable[[Mapping[str, Any]], None]
PRINT_LEVELS = {"printi": "U", "printw": "W", "printe": "E"}
AUTOMATON = frozenset(
    {
        *("start", "stop", "restart", "stopstart", "forcestop", "swap"),
        *("prim", "primforce", "second", "secondforce"),
    }
)
STARTS = frozenset({"start", "prim", "primforce", "second", "secondforce"})
CONFIGURED_ANEW_S = 0.1
LOG_LINES_MAX = 10_000
SENTENCES = {"start": "command.starts", "stop": "command.stops", "swap": "command.swaps"}


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
            raise RequestNotUnderstood(
                what=do or say("request.nothing"), observed=say("request.unknown")
            )
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
        if verb == "forcestop" and name in self._modules.refused:
            await self._modules.end_left(name)
            return _answer(say("command.stops", module=name))
        runner = self._modules.get(name)
        if verb in AUTOMATON:
            words = tuple(word for word, given in arguments.items() if given is True)
            return await self._automaton(runner, verb, words, identity)
        act = VERBS.get(verb)
        if act is None:
            raise RequestNotUnderstood(what=verb, observed=say("request.no_verb"))
        return await act(runner, Asked(verb, arguments, identity))

    async def _automaton(
        self, runner: ModuleRunner, verb: str, words: tuple[str, ...], identity: str
    ) -> Answer:
        refusal = await runner.command(verb, words, identity)
        if refusal:
            raise CommandRefused(module=runner.name, verb=verb, observed=refusal)
        if not identity and (verb in STARTS or verb in {"stop", "forcestop"}):
            runner.notebook.want(running=verb in STARTS)
        code = SENTENCES.get(verb, "command.accepted")
        return _answer(say(code, module=runner.name, verb=verb))

    async def _shut_down(self) -> Answer:
        for runner in tuple(self._modules.running.values()):
            await runner.command("stop", (), "shutdown")
        return _answer(say("command.all_stop", count=len(self._modules.running)))

    # --- looking ---

    async def _state(self, fields: Mapping[str, Any]) -> Answer:
        """Give everything; to whom knows this revision of it, only that it still is the one.

        known, figures: as an earlier answer named them; who leaves `figures` out does not mind
        that they moved.
        """
        modules = self._modules
        names = {"revision": modules.revision(), "figures": modules.figures()}
        known = {
            "revision": fields.get("known"),
            "figures": fields.get("figures", names["figures"]),
        }
        if known == names:
            return names
        states = {
            name: state_of(runner, modules.behind.get(name, ""))
            for name, runner in modules.running.items()
        }
        for name, sentence in modules.refused.items():
            states[name] = refused_state(modules.node, sentence, left=name in modules.left)
        shown = dict(sorted(states.items()))
        return {"node": modules.node, "modules": shown, **names}

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
        given = fields.get("states")
        states = {str(one) for one in given} if isinstance(given, list) else set()
        ready, timeout_s = bool(fields.get("ready")), fields.get("timeout_s")
        notebook = self._runner(fields).notebook

        def is_so() -> bool:
            shown = notebook.shown
            stable = str(shown.readiness) == "Ready" or str(shown.word) == "STOP"
            return str(shown.word) in states and (stable or not ready)

        try:
            async with asyncio.timeout(None if timeout_s is None else float(timeout_s)):
                await notebook.wait_for(is_so)
                while not is_so():  # configured anew meanwhile: the new one is asked
                    await asyncio.sleep(CONFIGURED_ANEW_S)
                    await self._modules.at_rest()
                    notebook = self._runner(fields).notebook
                    await notebook.wait_for(is_so)
        except TimeoutError as error:
            now = f"it is {notebook.shown.word} ({notebook.shown.readiness})"
            raise WaitedInVain(module=str(fields.get("module")), observed=now) from error
        return {"state": str(notebook.shown.word), "ready": str(notebook.shown.readiness)}

    async def _part_pids(self, _: Mapping[str, Any]) -> Answer:
        data = {name: one.client.pid for name, one in self._modules.running.items()}
        return {"control": os.getpid(), "guardian": os.getppid(), "data": data}

    async def _cluster_state(self, _: Mapping[str, Any]) -> Answer:
        modules = self._modules
        nodes: dict[str, str] = {modules.node: "this node"} if modules.node else {}
        heard: dict[str, set[str]] = {}
        for runner in modules.running.values():
            if peer := runner.settings.core.peer:  # a light module has none
                heard.setdefault(peer, set()).update(runner.heart.lans_heard)
        for peer, lans in heard.items():
            nodes[peer] = f"heard on {', '.join(sorted(lans))}" if lans else "not heard"
        return {"nodes": nodes}

    # --- configuration ---

    async def _reconfigure(self, fields: Mapping[str, Any]) -> Answer:
        """Take up what is in force. put_back: it is again what it was before a refusal."""
        name = str(fields.get("module") or "")
        if fields.get("put_back"):
            self._modules.put_back(name)
        else:
            await self._modules.reconfigure(name)
        return {"module": name}

    async def _cluster_changed(self, _: Mapping[str, Any]) -> Answer:
        await self._modules.cluster_changed()
        return {}

    async def _simulate(self, fields: Mapping[str, Any]) -> Answer:
        given, state = fields.get("events"), fields.get("state")
        events = [str(one) for one in given] if isinstance(given, list) else []
        saved = state if isinstance(state, Mapping) else None
        return await what_if(self._runner(fields), events, saved)

    async def _what_if_events(self, _: Mapping[str, Any]) -> Answer:
        return {"events": kinds()}

    def _runner(self, fields: Mapping[str, Any]) -> ModuleRunner:
        return self._modules.get(str(fields.get("module") or ""))

    _table: Mapping[str, Callable[["Requests", Mapping[str, Any]], Awaitable[Answer]]] = {
        "command": _command,
        "state": _state,
        "resources": _resources,
        "wait_state": _wait_state,
        "part_pids": _part_pids,
        "simulate": _simulate,
        "what_if_events": _what_if_events,
        "cluster_state": _cluster_state,
        "reconfigure": _reconfigure,
        "cluster_changed": _cluster_changed,
    }


def _answer(said: Said) -> Answer:
    return {"said": str(said), "parts": parts_of(said)}


@dataclass(frozen=True, slots=True)
class Asked:
    """A command beside the automaton. identity: of -i, "" when a person asks."""

    verb: str
    arguments: Mapping[str, Any]
    identity: str


async def _print(runner: ModuleRunner, asked: Asked) -> Answer:
    text = str(asked.arguments.get("text") or "")
    runner.log.append(PRINT_LEVELS[asked.verb], "userplug", text)
    return {}


async def _set(runner: ModuleRunner, asked: Asked) -> Answer:
    arguments = asked.arguments
    name, value = str(arguments.get("resource") or ""), str(arguments.get("value") or "")
    before = runner.notebook.resources.get(name, {}).get("value")
    changed, by = before != value, asked.identity or "script"
    runner.set_resource(name, value, "" if arguments.get("quiet") else by)
    if not changed and arguments.get("log_always"):
        runner.log.append("E", "heart", f"Resource {name} set to {value} by {by}")
    return {"changed": changed}


async def _errd(runner: ModuleRunner, asked: Asked) -> Answer:
    action = str(asked.arguments.get("action"))
    process_class = str(asked.arguments.get("class") or "")
    if action in {"on", "off"}:
        await runner.switch("errd", on=action == "on")
    elif action in {"enable", "disable"}:
        runner.processes.switch_class(process_class, on=action == "enable")
    values = {name: str(one["value"]) for name, one in runner.notebook.resources.items()}
    return {"processes": runner.processes.listed(values)}


async def _switch(runner: ModuleRunner, asked: Asked) -> Answer:
    await runner.switch(asked.verb, on=asked.arguments.get("action") != "off")
    return {}


async def _loops(runner: ModuleRunner, asked: Asked) -> Answer:
    if asked.verb != "checkloop":
        runner.post(CommandAsked(asked.verb, (), asked.identity or "script"))
        await asyncio.sleep(0)
    context = runner.driver.engine.context
    count, limit = len(context.loops_ms), context.settings.maxloop
    return {"count": count, "limit": limit, "reached": bool(limit) and count >= limit}


async def _boot(runner: ModuleRunner, _: Asked) -> Answer:
    runner.show_user_settings()
    return {}


async def _clean(runner: ModuleRunner, asked: Asked) -> Answer:
    return await upkeep.clean(runner, str(asked.arguments.get("what") or "all"))


# What is done beside the automaton, by verb.
VERBS: dict[str, Callable[[ModuleRunner, Asked], Awaitable[Answer]]] = {
    **dict.fromkeys(PRINT_LEVELS, _print),
    **dict.fromkeys(("incloop", "resetloop", "checkloop"), _loops),
    "set": _set,
    "errd": _errd,
    **dict.fromkeys(("checker", "failover"), _switch),
    "boot": _boot,
    "clean": _clean,
    "rfsverify": lambda runner, asked: replication.verify(runner, asked.arguments),
    "rfssync": lambda runner, asked: shipping.synchronise(runner, asked.arguments),
    "rfsdiff": lambda runner, asked: replication.differ(runner, asked.arguments),
}
