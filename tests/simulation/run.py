"""Run one seed, or tell its story."""

import asyncio
import traceback
from dataclasses import dataclass

from tests.simulation.faults import FAULTS
from tests.simulation.loop import VirtualLoop
from tests.simulation.world import World, first_start, heal

FAULT_COUNT = 14


@dataclass(frozen=True)
class Outcome:
    """How a run ended. broken: "" when every rule held."""

    seed: int
    broken: str
    story: tuple[str, ...]
    acknowledged: int
    excused: str
    kept_aside: int


def run_seed(seed: int, fault_count: int = FAULT_COUNT) -> Outcome:
    """Run the world of this seed to its end. Odd seeds have the etcd witness."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    world = World(loop, seed, witness_used=seed % 2 == 1)
    broken = ""
    try:
        loop.run_until_complete(_life(world, fault_count))
    except (AssertionError, KeyError, RuntimeError, ValueError) as error:
        broken = f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
    finally:
        end_loop(loop)
    return Outcome(
        seed,
        broken,
        tuple(world.told),
        world.ledger.acked_count,
        world.ledger.excused,
        world.ledger.kept_aside,
    )


async def _life(world: World, fault_count: int) -> None:
    await first_start(world)
    world.start_clients()
    for _ in range(fault_count):
        await world.sleep(world.random.choice((0.05, 0.3, 1.5, 4.0)))
        world.random.choice(FAULTS)(world)
        world.note_partition()
    await world.sleep(3)
    await heal(world)


def end_loop(loop: VirtualLoop) -> None:
    """Cancel what still runs: nothing of one run may reach the next."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.close()
    asyncio.set_event_loop(None)
