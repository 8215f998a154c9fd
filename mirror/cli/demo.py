"""`mirror demo`: real PostgreSQL loses its server under load, and nothing that it acknowledged."""

import random
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from mirror.adapters.lab import module_setup, status
from mirror.adapters.lab.client import Lab
from mirror.adapters.lab.plan import NODES, VIRTUAL_IP
from mirror.cli.demo_screen import Screen
from mirror.cli.demo_story import FAULTS, Result, Story
from mirror.errors import MirrorError

MODULE_DEFAULT = "postgresql"
_EXIT_INTERRUPTED = 130
_LOG_LINES = 20


@click.command()
@click.option("--once", is_flag=True, envvar="ONCE", help="End by itself; the exit code tells.")
@click.option("--keep-running", is_flag=True, help="Stay up at the end, whatever ONCE says.")
@click.option(
    "--module",
    default=MODULE_DEFAULT,
    show_default=True,
    metavar="NAME|DIR",
    help="What is protected: a shipped module, or a directory with one.",
)
@click.option("--seed", type=int, help="Repeat the random choices of an earlier run.")
@click.option(
    "--fault",
    type=click.Choice(FAULTS),
    default="power-off",
    show_default=True,
    help="What happens to PRIM.",
)
@click.option("--name", default="default", show_default=True, help="Name of the lab.")
@click.option(
    "--keep", type=click.Path(path_type=Path), metavar="DIR", help="Disks and logs stay in DIR."
)
@click.option("--plant-difference", is_flag=True, hidden=True)
def demo(
    *,
    once: bool,
    keep_running: bool,
    module: str,
    seed: int | None,
    fault: str,
    name: str,
    keep: Path | None,
    plant_difference: bool,
) -> None:
    """Show on this machine that a server's death loses nothing."""
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    # SIGTERM ends it as Ctrl-C does: the lab is taken down.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    result: Result | None = None
    with Screen() as screen:
        try:
            directory = module_setup.find_module(module)
            screen.step("Two hosts, a client, two networks on this machine")
            screen.say(f"seed {seed}")
            witness = fault == "cut-all"  # without one, both sides of the cut go on
            with Lab.up(name, bound=True, keep=keep, witness=witness) as lab:
                dice = random.Random(seed)  # noqa: S311 - no secret
                story = Story(lab, directory.name, fault, dice, plant_difference, screen)
                with _logs_told(lab, screen):
                    module_setup.bring_up(lab, directory)
                    screen.say(f"module {directory.name}: PRIM on n1, SECOND (Ready) on n2")
                    story.run()
                result = story.result
                if keep_running or not once:
                    _stay_up(screen, lab, name, directory.name, result)
                    signal.pause()
        except KeyboardInterrupt:
            screen.say("ended: the lab was taken down")
        except MirrorError as error:
            screen.alarm(str(error))
            screen.last_line(f"demo: failed ({error.code})")
            sys.exit(error.exit_code)
        if result is None:
            sys.exit(_EXIT_INTERRUPTED)
        screen.last_line(str(result))
    sys.exit(0 if result.good else 1)


@contextmanager
def _logs_told(lab: Lab, screen: Screen) -> Iterator[None]:
    """When the story breaks off, show the end of each node's log: the lab takes them with it."""
    try:
        yield
    except MirrorError:
        for host in NODES:
            with suppress(MirrorError, OSError):  # what broke may be the lab itself
                log = Path(lab.facts()["hosts"][host]["log"])
                screen.step(f"The end of {log}")
                for line in log.read_text(errors="replace").splitlines()[-_LOG_LINES:]:
                    screen.say(line)
        raise


def _stay_up(screen: Screen, lab: Lab, name: str, module: str, result: Result) -> None:
    """Say how to look around."""
    which = "" if name == "default" else f" --name {name}"
    consoles = status.collect(lab)["consoles"]
    screen.step(f"{result}. It stays up until Ctrl-C; look around:")
    for host, address in consoles.items():
        screen.say(f"console of {host}: {address}")
    for command in (
        f"mirror lab status{which}",
        f"mirror lab exec{which} n1 -- mirror log -m {module}",
        f"mirror lab exec{which} client -- psql -h {VIRTUAL_IP} -U postgres",
        f"mirror lab power-off{which} n2      mirror lab boot{which} n2",
    ):
        screen.say(command)
