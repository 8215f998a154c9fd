"""Tells a transcript again: its commands, and under `----` all that happened.

    # a comment
    power-off n1
    wait 3000
    ----
    n2 state ...

Commands: first-start, power-off H, power-on H, kill-data H, kill-control H, cut (all | lan1 |
words: the heartbeats alone), mend, pause H MS, ask H VERB, wait MS, sync-due H, synced H AGO_MS;
first of all perhaps settings NAME=VALUE... Nothing is random: a fixed seed, no loss, no clients.
"""

import asyncio
from collections.abc import Awaitable, Callable

from mirror.vocabulary.events import SyncDue, SyncedAgo
from tests.simulation.ledger import Violation
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import LANS
from tests.simulation.run import end_loop
from tests.simulation.world import World, first_start

RULE = "----"


def retell(text: str) -> str:
    """Give the transcript as it goes now."""
    loop = VirtualLoop()
    Violation.seen.clear()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(_retell(World(loop, 7, witness_used=False), text))
    finally:
        end_loop(loop)


async def _retell(world: World, text: str) -> str:
    world.judged, world.ledger.excused = False, "told, not judged"
    blocks = []
    for block in text.strip().split("\n\n"):
        commands = block.split(RULE)[0].strip().splitlines()
        begun = len(world.told)
        for command in commands:
            if not command.startswith("#"):
                await _perform(world, command.split())
        happened = [line[8:] for line in world.told[begun:] if not _is_command(line[8:])]
        blocks.append("\n".join([*commands, RULE, *happened]))
    return "\n\n".join(blocks) + "\n"


def _is_command(line: str) -> bool:
    words = line.split()
    return len(words) > 1 and words[1] in {"command", "power", "paused"}


async def _perform(world: World, words: list[str]) -> None:
    await _COMMANDS[words[0]](world, *words[1:])
    await world.sleep(0.001)


async def _power_off(world: World, name: str) -> None:
    world.hosts[name].power_off()


async def _power_on(world: World, name: str) -> None:
    world.hosts[name].boot()


async def _kill_data(world: World, name: str) -> None:
    world.hosts[name].kill_plane()


async def _kill_control(world: World, name: str) -> None:
    world.hosts[name].kill_control()
    await world.sleep(0.2)
    world.hosts[name].start_control(resumed=True)


async def _cut(world: World, what: str) -> None:
    if what == "words":
        world.network.cut_words |= set(world.hosts)
        return
    lans = LANS if what == "all" else (what,)
    world.network.cut |= {(lan, name) for lan in lans for name in world.hosts}


async def _mend(world: World) -> None:
    world.network.cut.clear()
    world.network.cut_words.clear()


async def _pause(world: World, name: str, duration_ms: str) -> None:
    host = world.hosts[name]
    host.running.clear()
    await world.sleep(int(duration_ms) / 1000)
    host.running.set()


async def _ask(world: World, name: str, *words: str) -> None:
    world.hosts[name].command(words[0], *words[1:])


async def _settings(world: World, *pairs: str) -> None:
    for pair in pairs:
        name, _, value = pair.partition("=")
        if name == "fence":
            world.fence_used = value == "on"
            continue
        world.settings[name] = int(value) if value.isdigit() else value == "on"


async def _sync_due(world: World, name: str) -> None:
    world.hosts[name].post(SyncDue())


async def _synced(world: World, name: str, ago_ms: str) -> None:
    world.hosts[name].post(SyncedAgo(int(ago_ms)))


async def _wait(world: World, duration_ms: str) -> None:
    await world.sleep(int(duration_ms) / 1000)


_COMMANDS: dict[str, Callable[..., Awaitable[None]]] = {
    "first-start": first_start,
    "power-off": _power_off,
    "power-on": _power_on,
    "kill-data": _kill_data,
    "kill-control": _kill_control,
    "cut": _cut,
    "mend": _mend,
    "pause": _pause,
    "ask": _ask,
    "wait": _wait,
    "settings": _settings,
    "sync-due": _sync_due,
    "synced": _synced,
}
