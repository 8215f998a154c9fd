"""Run one seed, or tell its story."""

import asyncio
import traceback
from dataclasses import dataclass

from tests.simulation.faults import FAULTS, MORE_FAULTS
from tests.simulation.ledger import Violation
from tests.simulation.loop import VirtualLoop
from tests.simulation.timing import profile_of, timing
from tests.simulation.world import World, first_start, heal

FAULT_COUNT = 14
SOON_S = 0.3


@dataclass(frozen=True)
class Outcome:
    """How a run ended. broken: "" when every rule held."""

    seed: int
    broken: str
    story: tuple[str, ...]
    acknowledged: int
    excused: str
    kept_aside: int
    simulated_s: float


def run_seed(seed: int, fault_count: int = FAULT_COUNT) -> Outcome:
    """Run the world of this seed to its end. Odd seeds have the etcd witness; some an agent."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    world = World(
        loop,
        seed,
        witness_used=seed % 2 == 1,
        fence_used=seed % 7 == 3,
        timing=timing(profile_of(seed)),
    )
    world.more_faults = seed % 7 == 6
    broken = ""
    Violation.seen.clear()
    try:
        loop.run_until_complete(_life(world, fault_count))
    except (AssertionError, KeyError, RuntimeError, ValueError) as error:
        broken = f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
    finally:
        simulated_s = loop.time()
        end_loop(loop)
    return Outcome(
        seed,
        broken,
        tuple(world.told),
        world.ledger.acked_count,
        world.ledger.excused,
        world.ledger.kept_aside,
        simulated_s,
    )


async def _life(world: World, fault_count: int) -> None:
    await first_start(world)
    world.start_clients()
    faults = FAULTS + MORE_FAULTS if world.more_faults else FAULTS
    for _ in range(fault_count):
        await _pause(world)
        world.random.choice(faults)(world)
        world.note_partition()
    await world.sleep(world.lasting(3))
    await heal(world)


async def _pause(world: World) -> None:
    """Wait for the next fault; clients write when it comes."""
    seconds = world.random.choice((0.05, 0.3, 1.5, 4.0))
    if not world.steady:
        if seconds > SOON_S:
            await world.sleep(world.lasting(seconds) - SOON_S)
        world.stir()
        seconds = min(seconds, SOON_S)
    await world.sleep(seconds)


def end_loop(loop: VirtualLoop) -> None:
    """Cancel what still runs: nothing of one run may reach the next."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.close()
    asyncio.set_event_loop(None)
