"""Plans are performed in order, one at a time; failures and results come back as events."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mirror.daemon.executor import Executor
from mirror.daemon.ports import Ports
from mirror.errors import RecordNotWritten
from mirror.vocabulary.actions import (
    Answer,
    AskWitness,
    CallData,
    FreezeNow,
    KillApplication,
    Log,
    PersistRecord,
    Plan,
    ReleaseAddress,
    RunBackground,
    RunScripts,
    SaveState,
    ScriptCall,
    ShowState,
    TakeAddress,
)
from mirror.vocabulary.events import (
    DataPlaneLost,
    Drained,
    Event,
    PlanDone,
    PlanFailed,
    RecordNotPersisted,
    RecordPersisted,
    RootsIdentified,
    WitnessAnswered,
)
from mirror.vocabulary.facts import WitnessSays
from mirror.vocabulary.record import Record

RECORD = Record(current="1" * 32, may_serve=frozenset({"a"}))
SLOW = ScriptCall("start_prim", ("WAIT", "ALONE", "start"))
QUICK = ScriptCall("transition", ("WAIT", "ALONE", "start"))


class Recorder:
    """Every port at once: notes what was asked, fails where it is told to."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.fails: set[str] = set()
        self.defects: set[str] = set()
        self.killed: list[str] = []
        self.owed: list[bool] = []
        self.script_may_end = asyncio.Event()
        self.slow_ended = asyncio.Event()
        self.granted: bool | None = True

    def _do(self, what: str) -> None:
        if what in self.fails:
            raise RecordNotWritten(file=what, observed="told to fail")
        if what in self.defects:
            raise KeyError(what)
        self.done.append(what)

    async def ensure(self) -> None:
        self._do("ensure")

    async def call(self, verb: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        self._do(verb)
        if verb == "identify":
            return {"roots": [{"directory": "/srv", "identity": "ab", "checkpoint": 3}]}
        return {"checksum_equal": False} if verb == "drain" else {}

    async def close(self) -> None:
        self._do("close")

    async def clear_dead_mount(self) -> None:
        self._do("clear")

    async def write(self, record: Mapping[str, Any]) -> None:
        self._do("record")

    async def run(self, call: ScriptCall) -> None:
        try:
            if call is SLOW:
                await self.script_may_end.wait()
        except asyncio.CancelledError:
            self.killed.append(call.name)
            raise
        self._do(call.name)
        if call is SLOW:
            self.slow_ended.set()

    async def end_application(self, scripts: Sequence[str]) -> None:
        self._do("kill")

    async def take(self, *, agreed: bool = False) -> None:
        self._do("take agreed" if agreed else "take")

    async def release(self) -> None:
        self._do("release")

    async def ask(
        self,
        generation: str,
        may_serve: frozenset[str],
        history: Collection[str],
        then: tuple[str, frozenset[str]],
        *,
        forced: bool,
    ) -> tuple[bool | None, str]:
        return self.granted, "as told"

    def say(self, word: Mapping[str, Any], *, urgent: bool) -> None:
        self._do("say")

    def log(self, line: Log) -> None:
        self.done.append(f"log {line.text}")

    def save(self, saved: SaveState) -> None:
        self._do("save")

    def owe_start(self, *, owed: bool) -> None:
        self.owed.append(owed)

    def show(self, state: ShowState) -> None:
        self._do("show")

    def set_resource(self, name: str, value: str) -> None:
        self._do(f"{name}={value}")

    def answer(self, command_id: int, refusal: str) -> None:
        self._do(f"answer {command_id} {refusal}")

    def watch(self, classes: Sequence[str]) -> None:
        self._do("watch")

    async def reboot(self) -> None:
        self._do("reboot")

    async def fence(self, peer: str) -> tuple[bool, str]:
        self._do("fence")
        return True, f"{peer} is off"


class Bench:
    """An executor over a recorder; `event` waits for the next event."""

    def __init__(self) -> None:
        self.ports = Recorder()
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        everything = Ports(*([self.ports] * 9))
        self.executor = Executor(everything, self.events.put_nowait)

    async def event(self) -> Event:
        async with asyncio.timeout(60):
            return await self.events.get()


def plan(number: int, *actions: Any) -> Plan:
    return Plan(number, "X01", actions)


def with_bench(story: Any) -> None:
    async def run() -> None:
        bench = Bench()
        await story(bench)
        await bench.executor.close()

    asyncio.run(run())


def test_actions_are_done_in_order_and_the_end_is_told() -> None:
    async def story(bench: Bench) -> None:
        bench.executor.perform((plan(1, PersistRecord(RECORD), CallData("serve"), TakeAddress()),))
        assert await bench.event() == RecordPersisted(RECORD)
        assert await bench.event() == PlanDone(1)
        assert bench.ports.done == ["record", "serve", "take"]

    with_bench(story)


def test_what_comes_after_a_failure_is_not_begun() -> None:
    async def story(bench: Bench) -> None:
        bench.ports.fails = {"record"}
        bench.executor.perform((plan(4, PersistRecord(RECORD), CallData("go_alone")),))
        told = await bench.event()
        assert isinstance(told, RecordNotPersisted)
        assert told.record == RECORD
        failed = await bench.event()
        assert isinstance(failed, PlanFailed)
        assert (failed.plan_id, failed.action) == (4, "PersistRecord")
        assert bench.ports.done == []

    with_bench(story)


def test_a_record_that_may_fail_ends_nothing() -> None:
    async def story(bench: Bench) -> None:
        bench.ports.fails = {"record"}
        bench.executor.perform((plan(4, PersistRecord(RECORD, may_fail=True), TakeAddress()),))
        told = await bench.event()
        assert isinstance(told, RecordNotPersisted)
        assert await bench.event() == PlanDone(4)
        assert bench.ports.done == ["take"]

    with_bench(story)


def test_a_defect_of_an_adapter_ends_its_plan_and_is_said() -> None:
    async def story(bench: Bench) -> None:
        bench.ports.defects = {"take"}
        bench.executor.perform((plan(1, TakeAddress(), CallData("serve")),))
        assert isinstance(await bench.event(), PlanFailed)
        assert bench.ports.done == ["log defect in TakeAddress: KeyError('take')"]
        bench.executor.perform((plan(2, ReleaseAddress()),))
        assert await bench.event() == PlanDone(2)

    with_bench(story)


def test_a_newer_plan_kills_the_script_in_hand_and_drops_the_rest() -> None:
    async def story(bench: Bench) -> None:
        bench.executor.perform((plan(1, RunScripts((SLOW, QUICK)), TakeAddress()),))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        bench.executor.perform((plan(2, KillApplication(("start_prim",)), ReleaseAddress()),))
        assert await bench.event() == PlanDone(2)
        assert bench.ports.killed == ["start_prim"]
        assert bench.ports.done == ["kill", "release"]

    with_bench(story)


def test_a_cancelled_executor_stops() -> None:
    async def story(bench: Bench) -> None:
        bench.executor.perform((plan(1, RunScripts((SLOW,)), TakeAddress()),))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        async with asyncio.timeout(60):
            await bench.executor.close()
        assert bench.ports.done == []

    with_bench(story)


def test_results_come_back_as_events() -> None:
    async def story(bench: Bench) -> None:
        bench.executor.perform((plan(1, CallData("identify"), CallData("drain")),))
        found = await bench.event()
        assert isinstance(found, RootsIdentified)
        assert (found.roots[0].identity, found.roots[0].checkpoint) == ("ab", 3)
        assert await bench.event() == Drained(equal=False)
        assert await bench.event() == PlanDone(1)

    with_bench(story)


def test_a_witness_that_does_not_answer_has_not_refused() -> None:
    async def story(bench: Bench) -> None:
        bench.ports.granted = None
        ask = AskWitness("1" * 32, frozenset("ab"), (), "2" * 32, frozenset("a"))
        bench.executor.perform((plan(1, ask),))
        assert await bench.event() == WitnessAnswered(WitnessSays.UNASKED, "as told")

    with_bench(story)


def test_a_data_plane_that_cannot_freeze_is_lost() -> None:
    async def story(bench: Bench) -> None:
        bench.ports.fails = {"freeze"}
        bench.executor.perform((FreezeNow(), Answer(7)))
        assert isinstance(await bench.event(), DataPlaneLost)
        assert bench.ports.done == ["answer 7 "]

    with_bench(story)


def test_background_scripts_run_in_their_order_beside_a_plan() -> None:
    async def story(bench: Bench) -> None:
        bench.executor.perform((RunBackground((QUICK, SLOW)), plan(1, TakeAddress())))
        assert await bench.event() == PlanDone(1)
        bench.ports.script_may_end.set()
        async with asyncio.timeout(60):
            await bench.ports.slow_ended.wait()
        order = [one for one in bench.ports.done if one != "take"]
        assert order == ["transition", "start_prim"]

    with_bench(story)


def test_a_restart_is_owed_from_before_its_first_script_until_after_its_last() -> None:
    async def story(bench: Bench) -> None:
        bench.executor.perform((RunBackground((ScriptCall("stop_prim", ()), SLOW)),))
        assert bench.ports.owed == [True]
        assert bench.ports.done == []
        bench.ports.script_may_end.set()
        async with asyncio.timeout(60):
            await bench.ports.slow_ended.wait()
            while bench.ports.owed != [True, False]:  # noqa: ASYNC110 - a moment
                await asyncio.sleep(0)
        bench.executor.perform((RunBackground((QUICK,)),))
        assert bench.ports.owed == [True, False]

    with_bench(story)


def test_a_restart_that_a_stop_ends_is_owed_no_more() -> None:
    async def story(bench: Bench) -> None:
        bench.executor.perform((RunBackground((ScriptCall("stop_prim", ()), SLOW)),))
        bench.executor.perform((plan(1, KillApplication(("start_prim",))),))
        assert await bench.event() == PlanDone(1)
        assert bench.ports.owed == [True, False]

    with_bench(story)


def test_the_scripts_of_a_plan_come_after_those_of_the_background() -> None:
    async def story(bench: Bench) -> None:
        bench.executor.perform((RunBackground((SLOW, ScriptCall("start_both", ()))),))
        await asyncio.sleep(0)
        stop = RunScripts((QUICK, ScriptCall("stop_both", ())))
        bench.executor.perform((plan(1, stop),))
        bench.ports.script_may_end.set()
        assert await bench.event() == PlanDone(1)
        order = ["start_prim", "start_both", "transition", "stop_both"]
        assert bench.ports.done == order

    with_bench(story)


def test_a_newer_plan_does_not_wait_for_scripts_that_wait_for_the_background() -> None:
    async def story(bench: Bench) -> None:
        bench.executor.perform((RunBackground((SLOW,)),))
        await asyncio.sleep(0)
        bench.executor.perform((plan(1, RunScripts((QUICK,)), CallData("serve")),))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        bench.executor.perform((plan(2, TakeAddress(agreed=True)),))
        assert await bench.event() == PlanDone(2)
        assert bench.ports.done == ["take agreed"]

    with_bench(story)


def test_what_waits_to_start_the_application_is_dropped_when_it_is_ended() -> None:
    async def story(bench: Bench) -> None:
        restart = (QUICK, SLOW, ScriptCall("stop_sec", ()), ScriptCall("start_sec", ()))
        bench.executor.perform((RunBackground(restart),))
        while "transition" not in bench.ports.done:  # noqa: ASYNC110 - a moment
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        bench.executor.perform((plan(1, RunScripts(()), KillApplication(("start_prim",))),))
        assert await bench.event() == PlanDone(1)
        for _ in range(20):
            await asyncio.sleep(0)
        assert "stop_sec" in bench.ports.done
        assert "start_sec" not in bench.ports.done
        assert bench.ports.killed in ([], ["start_prim"])

    with_bench(story)


def test_a_plan_that_only_kills_ends_every_script_in_the_background() -> None:
    async def story(bench: Bench) -> None:
        bench.executor.perform((RunBackground((SLOW, ScriptCall("stop_sec", ()))),))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        bench.executor.perform((plan(1, KillApplication(("start_prim",))),))
        assert await bench.event() == PlanDone(1)
        for _ in range(20):
            await asyncio.sleep(0)
        assert "stop_sec" not in bench.ports.done

    with_bench(story)
