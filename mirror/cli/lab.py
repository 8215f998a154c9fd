"""`mirror lab`: hosts on this machine to try, demonstrate and test a module.

Imported only when one of its commands runs: nothing here is needed on a server.
"""

import json
import os
from pathlib import Path
from typing import Any, Literal

import click

from mirror.adapters.lab import module_setup, status
from mirror.adapters.lab.client import DiskMode, Lab, Part
from mirror.adapters.lab.switch import Direction
from mirror.cli.options import SectionedGroup
from mirror.errors import MirrorError
from mirror.vocabulary.units import parse_size_bytes

_LAST_LINES = 10

_name = click.option(
    "--name", default="default", show_default=True, metavar="NAME", help="which lab"
)
_host = click.argument("host", metavar="HOST")


@click.group(cls=SectionedGroup)
def group() -> None:
    """Make two hosts, a client and a witness on this machine, and break them."""


@group.command()
@_name
@click.option("--module", metavar="NAME|DIR", help="install and start it  [default: mirror]")
@click.option(
    "--keep", type=click.Path(path_type=Path), metavar="DIR", help="disks and logs stay in DIR"
)
@click.option("--bare", is_flag=True, help="nodes without a cluster, no module")
@click.option("--witness", is_flag=True, help="a host with etcd too")
@click.option(
    "--fs",
    type=click.Choice(["ext4", "xfs"]),
    default="ext4",
    show_default=True,
    help="of the disks",
)
@click.option("--disk-size", default="16G", show_default=True, help="of each host; sparse")
@click.option("--faulty-disks", is_flag=True, help="disks that `lab disk` can break; slower")
def up(
    name: str,
    module: str | None,
    keep: Path | None,
    *,
    bare: bool,
    witness: bool,
    fs: Literal["ext4", "xfs"],
    disk_size: str,
    faulty_disks: bool,
) -> None:
    """Boot the hosts and start a module: PRIM on n1, SECOND (Ready) on n2."""
    directory = None if bare else module_setup.find_module(module or "mirror")
    lab = Lab.up(
        name,
        keep=keep,
        bare=bare,
        witness=witness,
        fs=fs,
        disk_bytes=parse_size_bytes(disk_size, "B"),
        faulty_disks=faulty_disks,
    )
    try:
        if directory is not None:
            module_setup.bring_up(lab, directory)
    except BaseException as error:  # an interrupted set-up is of no use to anybody
        if isinstance(error, MirrorError):
            _print_last_words(status.collect(lab))
        lab.down()
        raise
    _print_status(status.collect(lab))


@group.command("status")
@_name
@click.option("--json", "as_json", is_flag=True, help="for programs")
def show_status(name: str, *, as_json: bool) -> None:
    """Say what runs, where its logs and consoles are."""
    facts = status.collect(Lab(name))
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        _print_status(facts)


@group.command("exec", context_settings={"ignore_unknown_options": True})
@_name
@_host
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- CMD...")
def exec_command(name: str, host: str, command: tuple[str, ...]) -> None:
    """Run CMD inside HOST; its exit code, input, output and terminal pass through."""
    wrapped = Lab(name).wrap(host, command)
    os.execvp(wrapped[0], wrapped)  # noqa: S606 - nothing of this process is needed any more


@group.command()
@_name
@_host
@click.option(
    "--part",
    type=click.Choice(["control", "data", "all"]),
    default="all",
    show_default=True,
    help="all: guardian, control plane and data planes",
)
def kill(name: str, host: str, part: Part) -> None:
    """Kill (SIGKILL) processes of the node on HOST."""
    click.echo(f"killed {Lab(name).kill(host, part)}")


@group.command("power-off")
@_name
@_host
def power_off(name: str, host: str) -> None:
    """Take the power of HOST: what is not on its disk is lost."""
    Lab(name).power_off(host)


@group.command()
@_name
@_host
def boot(name: str, host: str) -> None:
    """Give HOST its power back."""
    Lab(name).boot(host)


@group.command()
@_name
@_host
@click.option("--lan", metavar="NAME", help="only this network (default: all)")
@click.option(
    "--one-way",
    type=click.Choice(["in", "out"]),
    help="drop silently what goes to (in) or comes from (out) HOST; default: pull the cable",
)
def cut(name: str, host: str, lan: str | None, one_way: Direction | None) -> None:
    """Cut HOST from its networks."""
    Lab(name).cut(host, lan, one_way or "both")


@group.command()
@_name
@click.argument("host", required=False)
def heal(name: str, host: str | None) -> None:
    """Undo every cut of HOST, or of all hosts."""
    Lab(name).heal(host)


@group.command("fill-disk")
@_name
@_host
def fill_disk(name: str, host: str) -> None:
    """Leave no free block on the disk of HOST."""
    Lab(name).fill_disk(host)


@group.command("free-disk")
@_name
@_host
def free_disk(name: str, host: str) -> None:
    """Undo fill-disk."""
    Lab(name).free_disk(host)


@group.command()
@_name
@_host
@click.option("--error", "mode", flag_value="error", help="reads, writes, flushes fail: EIO")
@click.option("--hang", "mode", flag_value="hang", help="nothing is answered before --heal")
@click.option("--heal", "mode", flag_value="heal", help="good again")
@click.option("--slow", "ms", type=click.IntRange(min=1), metavar="MS", help="each takes MS more")
def disk(name: str, host: str, mode: DiskMode | None, ms: int | None) -> None:
    """Break the disk of HOST, or heal it (needs `lab up --faulty-disks`)."""
    if (mode is None) == (ms is None):
        raise click.UsageError("give one of --error, --slow, --hang, --heal")
    Lab(name).disk(host, mode or "slow", ms or 0)


@group.command()
@_name
@_host
def pause(name: str, host: str) -> None:
    """Freeze every process of HOST, as a stopped virtual machine."""
    if not Lab(name).pause(host):
        click.echo("a process waits in the kernel and stops when it leaves it", err=True)


@group.command()
@_name
@_host
def resume(name: str, host: str) -> None:
    """Let HOST go on after pause."""
    Lab(name).resume(host)


@group.command()
@_name
def down(name: str) -> None:
    """End the lab; nothing of it is left, but what --keep keeps."""
    Lab(name).down()


def _print_last_words(facts: dict[str, Any]) -> None:
    """The ends of the nodes' logs, which go with the lab."""
    for name, host in facts["hosts"].items():
        lines = Path(host["log"]).read_text(errors="replace").splitlines()[-_LAST_LINES:]
        for line in lines:
            click.echo(f"{name}: {line}", err=True)


def _print_status(facts: dict[str, Any]) -> None:
    """The same for people."""
    for name, host in facts["hosts"].items():
        power = "paused" if host["paused"] else "up" if host["up"] else "off"
        states = [
            f"{module} {one['state']} ({'Ready' if one['ready'] else 'NotReady'})"
            for module, one in host["modules"].items()
        ]
        cuts = [f"cut {lan} {' '.join(ways)}" for lan, ways in host["cuts"].items()]
        addresses = " ".join(host["addresses"].values())
        click.echo(f"{name:8} {power:7} {', '.join([addresses, *states, *cuts])}")
        if name in facts["consoles"]:
            click.echo(f"{'':8} console {facts['consoles'][name]}   log {host['log']}")
    for module, one in facts["modules"].items():
        directories = " ".join(one["directories"])
        click.echo(f"module {module}: {directories} at {one['virtual_ip'] or 'no address'}")
