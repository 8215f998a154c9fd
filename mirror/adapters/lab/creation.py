"""How a lab comes into being: its name, its directory, its keeper."""

import fcntl
import json
import os
import secrets
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mirror import errors
from mirror.adapters.lab import cluster_files, plan, request, sweeper


@dataclass(frozen=True, slots=True)
class Options:
    """What a lab is asked to be; see client.Lab.up."""

    keep: Path | None
    bare: bool
    witness: bool
    fs: str
    disk_bytes: int
    faulty_disks: bool
    node_command: tuple[str, ...]
    bound: bool


def create(name: str, options: Options) -> int:
    """Make the lab and boot its hosts.

    Returns: with `bound`, the descriptor whose closing ends the lab; else -1.
    Raises: LabAlreadyUp (MIR-703), LabToolFailed (MIR-702), LabHostNotBooted (MIR-706).
    """
    registry = plan.registry_directory() / name
    registry.parent.mkdir(mode=0o700, exist_ok=True)
    with (registry.parent / ".lock").open("w") as making:
        fcntl.flock(making, fcntl.LOCK_EX)
        _claim_name(registry)
        lab_id = secrets.token_hex(4)
        lab = plan.LabPlan(
            lab_id=lab_id,
            name=name,
            directory=str(_make_directory(options.keep, lab_id)),
            kept=options.keep is not None,
            fs=options.fs,
            disk_bytes=options.disk_bytes,
            fixed_ports=name == "default",
            faulty_disks=options.faulty_disks,
            hosts=plan.plan_hosts(witness=options.witness, node_command=options.node_command),
        )
        (registry / "lab.json").write_text(lab.to_json())
        if not options.bare:
            cluster_files.write(Path(lab.directory) / plan.CLUSTER_FILES, lab.hosts)
        return _start_keeper(lab, registry, bound=options.bound)


def await_end(registry: Path, directory: int) -> None:
    """Wait until the lab of the open registry directory is gone, and see that it is.

    The sweeper holds the lock until it has finished; if it was killed, its work is done here.
    """
    fcntl.flock(directory, fcntl.LOCK_EX)
    _forget_killed(registry)


def _claim_name(registry: Path) -> None:
    """Make the name's directory in the registry; what a killed lab left there goes."""
    with suppress(FileNotFoundError):
        held = os.open(registry, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise errors.LabAlreadyUp(name=registry.name, observed="it runs") from error
        finally:
            os.close(held)
        _forget_killed(registry)
    registry.mkdir(exist_ok=True)


def _forget_killed(registry: Path) -> None:
    plan_file = registry / "lab.json"
    if plan_file.exists():
        sweeper.forget(plan.LabPlan.from_json(plan_file.read_text()), registry)


def _make_directory(keep: Path | None, lab_id: str) -> Path:
    if keep is None:
        # Not /tmp, which may be memory: the disks would eat it.
        return Path(tempfile.mkdtemp(prefix=f"mirror-lab-{lab_id}-", dir="/var/tmp"))
    keep.mkdir(parents=True, exist_ok=True)
    return keep.resolve()


def _start_keeper(lab: plan.LabPlan, registry: Path, *, bound: bool) -> int:
    """Start the keeper and wait until every host has booted."""
    ready_read, ready_write = os.pipe()
    owner_read, owner_write = os.pipe()
    log = Path(lab.directory) / "keeper.log"
    with log.open("ab") as output, os.fdopen(ready_read) as ready:
        subprocess.run(  # it leaves a daemon behind
            [
                *(sys.executable, "-m", "mirror.adapters.lab.keeper", str(registry)),
                *(str(ready_write), str(owner_read) if bound else "-1"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(ready_write, owner_read) if bound else (ready_write,),
            cwd="/",
            check=False,
        )
        os.close(ready_write)
        os.close(owner_read)
        answer = ready.readline()
    reply = json.loads(answer) if answer else {"ok": False, "kind": ""}
    if reply["ok"] and bound:
        return owner_write
    os.close(owner_write)
    if reply["ok"]:
        return -1
    last_words = "; ".join(log.read_text().splitlines()[-3:])
    with suppress(FileNotFoundError):
        directory = os.open(registry, os.O_RDONLY | os.O_CLOEXEC)
        await_end(registry, directory)
        os.close(directory)
    if reply["kind"]:
        raise request.same_error(reply)
    raise errors.LabToolFailed(tool="the lab's keeper", observed=last_words)
