"""The keeper of a lab: the process that owns its hosts, networks and consoles' sockets.

`python -m mirror.adapters.lab.keeper REGISTRY READY_FD OWNER_FD`, started by creation.py. It
answers one JSON line with one JSON line on a unix socket, one request at a time. Everything of
the lab dies with it, however it dies: hosts by parent-death signal, networks with the processes
that hold them, mounts with their namespaces, loop devices by autoclear, the rest by the sweeper.
"""

import json
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from mirror.adapters.lab import linux, plan, sweeper
from mirror.adapters.lab.cgroup import ControlGroup, mount_hierarchy
from mirror.adapters.lab.machine import Machine
from mirror.adapters.lab.switch import Direction, Switch
from mirror.errors import LabVerbRefused, MirrorError

_CONSOLE_PORTS = {"n1": 9010, "n2": 9011}
_REQUEST_BYTES_MAX = 65_536


class Keeper:
    """One lab. verbs: what clients may ask, by name."""

    def __init__(self, lab: plan.LabPlan, registry: Path) -> None:
        self.lab = lab
        self._registry = registry
        self._groups = registry / "cgroup" / f"mirror-lab-{lab.lab_id}"
        self._switch = Switch()
        self._machines = {host.name: self._machine(host) for host in lab.hosts}
        self.closing = False
        self.verbs: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "status": self._status,
            "boot": self._boot,
            "power_off": self._power_off,
            "shut_down": self._shut_down,
            "cut": self._cut,
            "heal": self._heal,
            "shape": self._shape,
            "pause": self._pause,
            "resume": self._resume,
            "kill": self._kill,
            "disk": self._disk,
            "down": self._down,
        }

    def boot_all(self) -> None:
        """Start every host. Raises what Machine.boot raises."""
        for machine in self._machines.values():
            machine.boot()

    def close(self) -> None:
        """Take the power of every host; those whose disks are kept are shut down first."""
        for machine in self._machines.values():
            with suppress(MirrorError, OSError):
                if self.lab.kept:
                    machine.shut_down()
                else:
                    machine.discard()
        self._switch.close()

    def _machine(self, host: plan.HostPlan) -> Machine:
        console = None
        if host.role == "node":
            console = _listen(_CONSOLE_PORTS[host.name] if self.lab.fixed_ports else 0)
        group = ControlGroup(self._groups / host.name)
        return Machine(self.lab, host, self._registry, self._switch, group, console)

    def _status(self, _request: dict[str, Any]) -> dict[str, Any]:
        machines = self._machines.values()
        return {
            "name": self.lab.name,
            "id": self.lab.lab_id,
            "directory": self.lab.directory,
            "keeper_pid": os.getpid(),
            "hosts": {machine.host.name: machine.status() for machine in machines},
            "consoles": {m.host.name: m.console_url for m in machines if m.console_url},
        }

    def _boot(self, request: dict[str, Any]) -> dict[str, Any]:
        self._of(request).boot()
        return {}

    def _power_off(self, request: dict[str, Any]) -> dict[str, Any]:
        self._of(request).power_off()
        return {}

    def _shut_down(self, request: dict[str, Any]) -> dict[str, Any]:
        machine = self._of(request)
        machine.must_be_up("shut-down")
        machine.shut_down()
        return {}

    def _cut(self, request: dict[str, Any]) -> dict[str, Any]:
        host = self._of(request).host
        lans = tuple(port.lan for port in host.ports)
        wanted = request["lan"]
        if wanted:
            # Both names of the first network are known to users: the lab's and cluster.xml's.
            aliases = {alias: lan for lan, alias in plan.CLUSTER_LAN_NAMES.items()}
            lan = aliases.get(wanted, wanted)
            if lan not in lans:
                raise LabVerbRefused(
                    verb=f"cut --lan {wanted}",
                    host=host.name,
                    observed="it has no cable there",
                    remedy=f"it is on {', '.join(lans)}",
                )
            lans = (lan,)
        direction: Direction = request["direction"]
        self._switch.cut(host, lans, direction)
        return {}

    def _heal(self, request: dict[str, Any]) -> dict[str, Any]:
        machines = [self._of(request)] if request["host"] else self._machines.values()
        for machine in machines:
            self._switch.heal(machine.host)
        return {}

    def _shape(self, request: dict[str, Any]) -> dict[str, Any]:
        machine = self._of(request)
        machine.must_be_up("shape")
        self._switch.shape(machine.host, request["lan"], int(request["rate_mbit"]))
        return {}

    def _pause(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"all_stopped": self._of(request).pause()}

    def _resume(self, request: dict[str, Any]) -> dict[str, Any]:
        self._of(request).resume()
        return {}

    def _kill(self, request: dict[str, Any]) -> dict[str, Any]:
        machine = self._of(request)
        machine.must_be_up("kill")
        return {"killed": machine.kill_part(request["part"])}

    def _disk(self, request: dict[str, Any]) -> dict[str, Any]:
        self._of(request).break_disk(request["mode"], int(request["ms"]))
        return {}

    def _down(self, _request: dict[str, Any]) -> dict[str, Any]:
        self.closing = True
        return {}

    def _of(self, request: dict[str, Any]) -> Machine:
        name = request["host"]
        if name not in self._machines:
            raise LabVerbRefused(
                verb=request["do"],
                host=name,
                observed="this lab has no such host",
                remedy=f"it has {', '.join(self._machines)}",
            )
        return self._machines[name]


def _listen(port: int) -> socket.socket:
    """A listening socket on loopback: the wanted port, or any when it is taken."""
    for candidate in dict.fromkeys((port, 0)):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", candidate))
        except OSError:
            listener.close()
            continue
        listener.listen(128)
        return listener
    raise LabVerbRefused(
        verb="up", host="consoles", observed="no free port on 127.0.0.1", remedy="close some"
    )


def _serve(keeper: Keeper, listener: socket.socket, owner: int) -> None:
    """Answer until asked to close, told by SIGTERM, or left alone by the owner (-1: none)."""
    wake_up, wake = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(wake_up, selectors.EVENT_READ)
        if owner >= 0:
            selector.register(owner, selectors.EVENT_READ)
        while not keeper.closing:
            for key, _ in selector.select():
                if key.fileobj is not listener:
                    return
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.settimeout(10)
                    connection.sendall(_answer(keeper, connection))


def _answer(keeper: Keeper, connection: socket.socket) -> bytes:
    """Read one request, do it, and say what came of it."""
    data = b""
    while not data.endswith(b"\n") and len(data) < _REQUEST_BYTES_MAX:
        chunk = connection.recv(_REQUEST_BYTES_MAX)
        if not chunk:
            break
        data += chunk
    try:
        request = json.loads(data)
        reply = {"ok": True} | keeper.verbs[request["do"]](request)
    except MirrorError as error:
        reply = _refusal(error)
    except (OSError, KeyError, ValueError) as error:
        traceback.print_exc()
        facts = {"verb": "request", "host": "", "observed": repr(error), "remedy": "see its log"}
        reply = {"ok": False, "kind": "LabVerbRefused", "facts": facts}
    return json.dumps(reply).encode() + b"\n"


def _refusal(error: MirrorError) -> dict[str, Any]:
    """The error as the client makes it again."""
    facts = {name: str(value) for name, value in error.facts.items()}
    return {"ok": False, "kind": type(error).__name__, "facts": facts}


def main() -> None:
    """Become a daemon, make the lab, say so on READY_FD, serve until the end."""
    registry = Path(sys.argv[1])
    lab = plan.LabPlan.from_json((registry / "lab.json").read_text())
    ready, owner = int(sys.argv[2]), int(sys.argv[3])
    for descriptor in (ready, owner):
        if descriptor >= 0:
            os.set_inheritable(descriptor, False)
    if os.fork():
        os._exit(0)
    os.setsid()
    linux.set_name("lab-keeper")
    linux.unshare(linux.CLONE_NEWNS)
    linux.mount("none", Path("/"), flags=linux.MS_REC | linux.MS_PRIVATE)
    (registry / "cgroup").mkdir(exist_ok=True)
    mount_hierarchy(registry / "cgroup")
    with suppress(OSError):  # mounted already, or a kernel without it: then nothing to abort
        linux.mount("fusectl", Path("/sys/fs/fuse/connections"), "fusectl")
    sweeper.start(lab, registry, (ready, owner))
    try:
        keeper = Keeper(lab, registry)
        try:
            keeper.boot_all()
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(registry / "keeper.sock"))
            listener.listen(16)
            os.write(ready, b'{"ok": true}\n')
            os.close(ready)
            _serve(keeper, listener, owner)
        finally:
            keeper.close()
    except MirrorError as error:
        traceback.print_exc()
        with suppress(OSError):  # nobody listens any more once it was up
            os.write(ready, json.dumps(_refusal(error)).encode() + b"\n")


if __name__ == "__main__":
    main()
