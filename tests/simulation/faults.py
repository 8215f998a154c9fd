"""What can happen to the world, one function each; a seed draws among them."""

from collections.abc import Callable

from tests.simulation.host import CHECKERS, SimHost
from tests.simulation.network import LANS
from tests.simulation.world import FORCED, World

Fault = Callable[[World], None]


def _host(world: World) -> SimHost:
    return world.random.choice(list(world.hosts.values()))


def _powered(world: World) -> SimHost | None:
    powered = [host for host in world.hosts.values() if host.powered]
    return world.random.choice(powered) if powered else None


def power_off(world: World) -> None:
    host = _powered(world)
    if host is not None:
        world.story(f"{host.name} power off")
        host.power_off()


def power_on(world: World) -> None:
    for host in world.hosts.values():
        if not host.powered:
            world.story(f"{host.name} power on")
            host.boot()
            host.command("start")


def cut_lan(world: World) -> None:
    lan = world.random.choice(LANS)
    world.story(f"cut {lan}")
    world.network.cut |= {(lan, name) for name in world.hosts}


def cut_one_way(world: World) -> None:
    sender = world.random.choice(list(world.hosts))
    lans = LANS if world.random.random() < 0.5 else (world.random.choice(LANS),)
    world.story(f"cut {lans} from {sender}")
    world.network.cut |= {(lan, sender) for lan in lans}


def cut_all(world: World) -> None:
    world.story("cut all")
    world.network.cut |= {(lan, name) for lan in LANS for name in world.hosts}


def cut_words(world: World) -> None:
    """A firewall drops the heartbeats of one or both; the data link lives."""
    senders = world.random.choice((["n1"], ["n2"], ["n1", "n2"]))
    world.story(f"no heartbeats from {' and '.join(senders)}")
    world.network.cut_words |= set(senders)


def mend(world: World) -> None:
    world.story("mend networks")
    world.network.cut.clear()
    world.network.cut_words.clear()
    world.network.loss, world.network.delay_ms_max = 0.0, 3.0
    world.witness_cut.clear()


def reorder(world: World) -> None:
    world.network.delay_ms_max = world.random.choice((3.0, 150.0, 400.0))
    world.story(f"delays up to {world.network.delay_ms_max:.0f} ms: words overtake each other")


def jump(world: World) -> None:
    """The boot clock of a host goes on: it was suspended without knowing it."""
    host = _host(world)
    ahead_ms = round(world.lasting(world.random.choice((300, 900, 2_500, 60_000))))
    world.story(f"{host.name} clock jumps by {ahead_ms} ms")
    host.jumped_ms += ahead_ms
    world.both_may_run = True  # it may find itself superseded, and acknowledges nothing then


def fill_disk(world: World) -> None:
    host = _host(world)
    world.story(f"{host.name} disk full")
    host.disk_full = True
    world.loop.call_later(
        world.lasting(world.random.uniform(0.5, 4)), setattr, host, "disk_full", False
    )


def lose_witness(world: World) -> None:
    world.story("witness vanishes")
    world.witness_cut.add("witness")


def checker(world: World) -> None:
    host = _host(world)
    name = world.random.choice([one.resource for one in CHECKERS])
    world.story(f"{host.name} checker {name} down")
    host.set_checker(name, "down")
    world.loop.call_later(
        world.lasting(world.random.uniform(0.2, 3)), host.set_checker, name, "up"
    )


def lose_packets(world: World) -> None:
    world.network.loss = world.random.uniform(0.05, 0.3)
    world.story(f"loss {world.network.loss:.2f}")


def pause(world: World) -> None:
    host = _powered(world)
    if host is None or not host.running.is_set():
        return
    seconds = world.lasting(world.random.uniform(0.2, 4.0))
    world.story(f"{host.name} paused for {seconds:.1f} s")
    host.running.clear()
    world.loop.call_later(seconds, host.running.set)


def kill_plane(world: World) -> None:
    host = _host(world)
    world.story(f"{host.name} data plane killed")
    host.kill_plane()


def kill_control(world: World) -> None:
    host = _powered(world)
    if host is None or host.driver is None or not host.running.is_set():
        return
    world.story(f"{host.name} control plane killed")
    host.kill_control()

    def restart() -> None:
        if host.powered and host.driver is None:
            world.story(f"{host.name} control plane restarted")
            host.start_control(resumed=True)

    world.loop.call_later(world.random.uniform(0.05, 0.6), restart)


def disk_fails(world: World) -> None:
    host = _host(world)
    world.story(f"{host.name} records cannot be written")
    host.disk_fails = True
    world.loop.call_later(
        world.lasting(world.random.uniform(0.5, 3)), setattr, host, "disk_fails", False
    )


def cut_witness(world: World) -> None:
    host = _host(world)
    world.story(f"witness not reachable from {host.name}")
    world.witness_cut.add(host.name)


def command(world: World) -> None:
    words = world.random.choice(COMMANDS)
    host = _powered(world)
    if host is None:
        return
    if words[0] in {"prim", "primforce"}:
        # An administrator's own choice: what the other node alone holds may be lost.
        world.ledger.excused = FORCED
        world.witness_forced = True
        world.both_may_run = True
    host.command(*words)


def start_all(world: World) -> None:
    for host in world.hosts.values():
        if host.powered:
            host.command("start")


COMMANDS = (
    *(("stop",), ("start",), ("swap",), ("swap", "nosync"), ("stopstart",), ("restart",)),
    *(("forcestop",), ("prim",), ("prim", "fullsync"), ("second",), ("second", "fullsync")),
)
# Of some seeds only: what is added to the others changes the stories of all that failed once.
MORE_FAULTS: tuple[Fault, ...] = (cut_words, cut_words, cut_words)
FAULTS: tuple[Fault, ...] = (
    power_off,
    power_on,
    power_on,
    cut_lan,
    cut_one_way,
    cut_all,
    mend,
    mend,
    mend,
    lose_packets,
    pause,
    kill_plane,
    kill_plane,
    kill_control,
    disk_fails,
    cut_witness,
    lose_witness,
    reorder,
    jump,
    fill_disk,
    checker,
    checker,
    command,
    command,
    command,
    start_all,
)
