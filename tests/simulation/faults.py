"""What can happen to the world, one function each; a seed draws among them."""

from collections.abc import Callable

from tests.simulation.host import SimHost
from tests.simulation.network import LANS
from tests.simulation.world import World

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


def mend(world: World) -> None:
    world.story("mend networks")
    world.network.cut.clear()
    world.network.loss = 0.0
    world.witness_cut.clear()


def lose_packets(world: World) -> None:
    world.network.loss = world.random.uniform(0.05, 0.3)
    world.story(f"loss {world.network.loss:.2f}")


def pause(world: World) -> None:
    host = _powered(world)
    if host is None or not host.running.is_set():
        return
    seconds = world.random.uniform(0.2, 4.0)
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
    world.loop.call_later(world.random.uniform(0.5, 3), setattr, host, "disk_fails", False)


def cut_witness(world: World) -> None:
    host = _host(world)
    world.story(f"witness not reachable from {host.name}")
    world.witness_cut.add(host.name)


def command(world: World) -> None:
    verb = world.random.choice(("stop", "start", "swap", "swap", "stopstart", "restart"))
    host = _powered(world)
    if host is not None:
        host.command(verb)


def start_all(world: World) -> None:
    for host in world.hosts.values():
        if host.powered:
            host.command("start")


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
    command,
    command,
    command,
    start_all,
)
