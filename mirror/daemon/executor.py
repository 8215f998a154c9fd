"""Performs what the core asks for: one adapter call an action, in order. Decides nothing.

Notes are done at once. Plans are done one at a time; a newer plan ends an older one after the
call in hand, which is waited for, except that a script in hand is killed. Scripts never overlap,
and those of a plan run when the background has none left; what a background script would still
start is dropped by a plan that ends the application. Results and failures come back as events.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, assert_never

from mirror.daemon.ports import Ports
from mirror.errors import MirrorError
from mirror.vocabulary.actions import (
    Action,
    Answer,
    AskWitness,
    CallData,
    ClearDeadMount,
    CloseDataPlane,
    CloseGateNow,
    EnsureDataPlane,
    Fence,
    FreezeNow,
    KillApplication,
    Log,
    Note,
    PersistRecord,
    Plan,
    PlanAction,
    RebootHost,
    ReleaseAddress,
    RunBackground,
    RunCheckers,
    RunScripts,
    SaveState,
    Say,
    ScriptCall,
    SetResource,
    ShowState,
    TakeAddress,
    TellWitness,
    WatchProcesses,
)
from mirror.vocabulary.events import (
    DataPlaneLost,
    Drained,
    Event,
    FenceAnswered,
    PlanDone,
    PlanFailed,
    RecordNotPersisted,
    RecordPersisted,
    RootSeen,
    RootsIdentified,
    WitnessAnswered,
    WitnessTold,
)
from mirror.vocabulary.facts import WitnessSays
from mirror.vocabulary.record import Record, record_to_map
from mirror.vocabulary.said import said_of
from mirror.vocabulary.words import word_to_map

FAILURES = (MirrorError, OSError, TimeoutError)
_ANSWER = {True: WitnessSays.GRANTS, False: WitnessSays.REFUSES, None: WitnessSays.UNASKED}


class Executor:
    """Performs the actions of one module. Used by one event loop.

    post: takes an event for the core; may be called at any time, never blocks.
    """

    def __init__(self, ports: Ports, post: Callable[[Event], None]) -> None:
        self._ports = ports
        self._post = post
        self._next: Plan | None = None
        self._wake = asyncio.Event()
        self._script: asyncio.Task[None] | None = None
        self._background: deque[ScriptCall] = deque()
        self._background_wake = asyncio.Event()
        self._background_call: ScriptCall | None = None
        self._background_script: asyncio.Task[None] | None = None
        self._owes_start = False
        self._witness_said = ""
        self._one_script = asyncio.Lock()  # held over all scripts of a plan, or of the background
        self._tasks: set[asyncio.Task[None]] = set()
        self._spawn(self._run_plans())
        self._spawn(self._run_background())

    async def close(self) -> None:
        """Stop performing; what runs on (application, mount, address) is left as it is."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def perform(self, actions: tuple[Action, ...]) -> None:
        """Perform notes now, in order, and begin the plan, if there is one. Never blocks."""
        for action in actions:
            if isinstance(action, Plan):
                self._end_background(action)
                self._next = action
                self._wake.set()
                if self._script is not None:
                    self._script.cancel()
            else:
                self._note(action)

    def _note(self, note: Note) -> None:  # noqa: C901, PLR0912 - one arm a note
        ports = self._ports
        match note:
            case Say(word, urgent):
                ports.heart.say(word_to_map(word), urgent=urgent)
            case Log():
                ports.notebook.log(note)
            case Answer(command_id, refusal):
                ports.notebook.answer(command_id, refusal)
            case SaveState():
                ports.notebook.save(note)
            case SetResource(name, value):
                ports.notebook.set_resource(name, value)
            case ShowState():
                ports.notebook.show(note)
            case WatchProcesses(classes):
                ports.processes.watch(classes)
            case RunCheckers(classes):
                if ports.checkers is not None:
                    ports.checkers.watch(classes)
            case RunBackground(scripts):
                self._background.extend(scripts)
                self._tell_what_is_owed()
                self._background_wake.set()
            case FreezeNow():
                self._spawn(self._beside("freeze"))
            case CloseGateNow():
                self._spawn(self._beside("gate", to="closed"))
            case _:
                assert_never(note)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _beside(self, verb: str, **fields: Any) -> None:
        """Call the data plane beside the plan; one that cannot freeze may not go on."""
        try:
            await self._ports.data.call(verb, fields)
        except FAILURES as error:
            self._post(DataPlaneLost(said_of(error)))

    async def _run_background(self) -> None:
        while True:
            await self._background_wake.wait()
            self._background_wake.clear()
            async with self._one_script:
                while self._background:
                    self._background_call = self._background.popleft()
                    await self._run_alone(self._background_call)
                    self._background_call = None
                    self._tell_what_is_owed()

    async def _run_alone(self, call: ScriptCall) -> None:
        """Run one script in a task of its own, so that it can be ended without ending this one."""
        self._background_script = asyncio.get_running_loop().create_task(self._run_script(call))
        try:
            await asyncio.wait({self._background_script})
        finally:
            self._background_script.cancel()  # nothing, when it has ended
            self._background_script = None

    def _tell_what_is_owed(self) -> None:
        """A restart that this process does not live to end leaves an application stopped."""
        left = (self._background_call, *self._background)
        owes = any(call is not None and _starts(call) for call in left)
        if owes != self._owes_start:
            self._owes_start = owes
            self._ports.notebook.owe_start(owed=owes)

    def _end_background(self, plan: Plan) -> None:
        """Nothing starts the application any more, once it is being ended (invariant 8).

        A plan without stop scripts of its own is a force: what runs is ended, whatever it is.
        """
        if not any(isinstance(one, KillApplication) for one in plan.actions):
            return
        force = not any(isinstance(one, RunScripts) for one in plan.actions)
        kept = () if force else (call for call in self._background if not _starts(call))
        self._background = deque(kept)
        self._tell_what_is_owed()
        running, task = self._background_call, self._background_script
        if running is not None and task is not None and (force or _starts(running)):
            task.cancel()

    # --- plans ---

    async def _run_plans(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            plan, self._next = self._next, None
            if plan is not None:
                await self._run_plan(plan)

    async def _run_plan(self, plan: Plan) -> None:
        for action in plan.actions:
            if self._next is not None:
                return  # a newer plan: the core knows what has been done by the events it got
            try:
                await self._do(action)
            except FAILURES as error:
                self._post(PlanFailed(plan.plan_id, _name(action), said_of(error)))
                return
            except Exception as error:  # noqa: BLE001 - a plan that ends unheard stops the module
                line = f"defect in {_name(action)}: {error!r}"
                self._ports.notebook.log(Log("C", "heart", line, {"row": plan.row}))
                self._post(PlanFailed(plan.plan_id, _name(action), line))
                return
        self._post(PlanDone(plan.plan_id))

    async def _do(self, action: PlanAction) -> None:  # noqa: C901, PLR0912 - one arm an action
        ports = self._ports
        match action:
            case RunScripts(scripts):
                await self._run_scripts(scripts)
            case KillApplication(scripts):
                await ports.scripts.end_application(scripts)
            case TakeAddress(agreed):
                await ports.addresses.take(agreed=agreed)
            case ReleaseAddress():
                await ports.addresses.release()
            case PersistRecord(record, may_fail):
                await self._persist(record, may_fail=may_fail)
            case AskWitness() | TellWitness():
                await self._witness(action)
            case Fence(peer):
                await self._fence(peer)
            case EnsureDataPlane():
                await ports.data.ensure()
            case CloseDataPlane():
                await ports.data.close()
            case ClearDeadMount():
                await ports.data.clear_dead_mount()
            case CallData():
                await self._call_data(action)
            case RebootHost():
                await ports.host.reboot()
            case _:
                assert_never(action)

    async def _persist(self, record: Record, *, may_fail: bool) -> None:
        try:
            await self._ports.records.write(record_to_map(record))
        except FAILURES as error:
            self._post(RecordNotPersisted(record, said_of(error)))
            if may_fail:
                return
            raise
        self._post(RecordPersisted(record))

    async def _witness(self, action: AskWitness | TellWitness) -> None:
        witness = self._ports.witness
        granted: bool | None = True
        sentence = ""
        if witness is not None:
            granted, sentence = await witness.ask(
                action.generation,
                action.may_serve,
                action.history,
                (action.then_generation, action.then_may_serve),
                forced=isinstance(action, TellWitness) and action.forced,
            )
        if isinstance(action, AskWitness):
            self._post(WitnessAnswered(_ANSWER[granted], sentence))
            return
        if not granted and sentence != self._witness_said:  # it is told again every few seconds
            self._ports.notebook.log(Log("E", "splitbraincheck", sentence))
        self._witness_said = sentence
        self._post(WitnessTold(granted is True))

    async def _fence(self, peer: str) -> None:
        port = self._ports.fence
        answer = (False, "no fencing agent") if port is None else await port.fence(peer)
        level = "E" if answer[0] else "C"
        self._ports.notebook.log(Log(level, "fence", answer[1] or f"{peer} is switched off"))
        self._post(FenceAnswered(*answer))

    async def _call_data(self, action: CallData) -> None:
        reply = await self._ports.data.call(action.verb, action.fields)
        if action.verb == "identify":
            self._post(RootsIdentified(tuple(_root(root) for root in reply.get("roots", ()))))
        elif action.verb == "drain":
            self._post(Drained(reply.get("checksum_equal") is not False))

    async def _run_scripts(self, calls: tuple[ScriptCall, ...]) -> None:
        # A task of its own, so that a newer plan can end it without ending this one.
        self._script = asyncio.get_running_loop().create_task(self._run_in_turn(calls))
        try:
            await asyncio.wait({self._script})
        finally:
            self._script.cancel()  # nothing, when it has ended
            self._script = None

    async def _run_in_turn(self, calls: tuple[ScriptCall, ...]) -> None:
        """Run all, when the background has run what it still had: the two never alternate."""
        async with self._one_script:
            for call in calls:
                await self._run_script(call)

    async def _run_script(self, call: ScriptCall) -> None:
        try:
            await self._ports.scripts.run(call)
        except FAILURES as error:
            self._ports.notebook.log(Log("E", "userplug", str(error), {"script": call.name}))


def _starts(call: ScriptCall) -> bool:
    return call.name.startswith("start_")


def _name(action: PlanAction) -> str:
    return action.verb if isinstance(action, CallData) else type(action).__name__


def _root(root: dict[str, Any]) -> RootSeen:
    return RootSeen(
        directory=str(root["directory"]),
        identity=str(root.get("identity") or ""),
        generation=str(root.get("generation") or ""),
        checkpoint=int(root.get("checkpoint") or 0),
        empty=bool(root.get("empty")),
    )
