"""One host: `python -m mirror.adapters.lab.host SPEC`, started by the keeper for each boot.

This process forks the host's PID 1 into namespaces of its own and waits for it. It lives outside
of the host, so that freezing the host does not freeze it. If the keeper ends, the kernel ends
this process, and with it PID 1, and with PID 1 the whole host: no lab outlives its keeper.

Over the channel, a stream socket, lines go to the keeper: `pid N` (PID 1, as the keeper numbers
it), `unshared` (it has its own network: cables may be plugged), `ready DEVICE` (booted), or
`failed SENTENCE`. One comes back: `go`, when the cables are plugged.
"""

import errno
import json
import os
import signal
import socket
import sys
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

from mirror.adapters.lab import init, linux, plan, root
from mirror.errors import MirrorError

KEEPER_GONE = "the cables were not plugged"


@dataclass(frozen=True, slots=True)
class BootSpec:
    """What a boot needs to know. Descriptors are inherited from the keeper; console -1: none.

    mount_at: an existing directory of the real machine, only used inside the host's namespace.
    """

    plan_file: str
    host: str
    image: str
    mount_at: str
    cgroup: str
    keeper_pid: int
    channel: int
    console: int

    def to_json(self) -> str:
        """As one argument of a command line."""
        return json.dumps(asdict(self))


def main() -> None:
    """Start PID 1, wait for it, leave with its exit code."""
    spec = BootSpec(**json.loads(sys.argv[1]))
    linux.die_with_parent()
    if os.getppid() != spec.keeper_pid:
        sys.exit(1)
    channel = socket.socket(fileno=spec.channel)
    channel.set_inheritable(False)
    linux.unshare(linux.CLONE_NEWPID)
    pid = os.fork()
    if pid == 0:
        _pid_one(spec, channel)
    channel.sendall(f"pid {pid}\n".encode())
    channel.close()
    if spec.console >= 0:
        os.close(spec.console)
    _, status = os.waitpid(pid, 0)
    sys.exit(abs(os.waitstatus_to_exitcode(status)))


def _pid_one(spec: BootSpec, channel: socket.socket) -> None:
    """Build the host around this process and become its init. Never returns."""
    linux.die_with_parent()
    linux.set_name("init")
    try:
        lab = plan.LabPlan.from_json(Path(spec.plan_file).read_text())
        host = lab.host(spec.host)
        device = _boot(spec, lab, host, channel)
        channel.sendall(f"ready {device}\n".encode())
        channel.close()
    except (OSError, MirrorError) as error:
        traceback.print_exc()
        what = error.strerror if isinstance(error, OSError) and not error.filename else error
        channel.sendall(f"failed {what}\n".encode())
        os._exit(1)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    init.run(host.command, spec.console)


def _boot(spec: BootSpec, lab: plan.LabPlan, host: plan.HostPlan, channel: socket.socket) -> str:
    """Namespaces, disk, root; returns the loop device once the keeper has plugged the cables."""
    group = Path(spec.cgroup)
    (group / "cgroup.procs").write_text("0")
    linux.unshare(
        linux.CLONE_NEWNS
        | linux.CLONE_NEWNET
        | linux.CLONE_NEWUTS
        | linux.CLONE_NEWIPC
        | linux.CLONE_NEWCGROUP
    )
    (group / "system/cgroup.procs").write_text("0")
    channel.sendall(b"unshared\n")
    linux.mount("none", Path("/"), flags=linux.MS_REC | linux.MS_PRIVATE)
    socket.sethostname(host.name)
    mounted = Path(spec.mount_at)
    device, descriptor = linux.attach_loop(Path(spec.image), lab.label(host.name))
    try:
        linux.mount(str(device), mounted, lab.fs)  # replays the journal after a loss of power
    finally:
        os.close(descriptor)
    root.build(mounted, host, lab)
    linux.pivot_root(mounted)
    # As a service manager leaves it: what a process mounts is seen by the others.
    linux.mount("none", Path("/"), flags=linux.MS_REC | linux.MS_SHARED)
    if channel.recv(16) != b"go\n":
        raise OSError(errno.EPIPE, KEEPER_GONE)
    return str(device)


if __name__ == "__main__":
    main()
