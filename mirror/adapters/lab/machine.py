"""One host as the keeper sees it: its power button, its disk, its processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from mirror.adapters.lab import linux, plan
from mirror.adapters.lab.cgroup import ControlGroup
from mirror.adapters.lab.disk import is_free, make_disk
from mirror.adapters.lab.host import KEEPER_GONE, BootSpec
from mirror.adapters.lab.switch import Switch
from mirror.errors import LabHostNotBooted, LabToolFailed, LabVerbRefused

_BOOT_S = 60.0
_DEATH_S = 20.0
_ORDERLY_S = 15.0
_FREEZE_S = 0.5
_POLL_S = 0.005

# The guardian's spare control plane runs nothing yet: killing it as well would prove nothing.
_SPARE = "mirror-spare"
# Command lines by which the processes of a part are known.
_PARTS = {
    "control": ("mirror.daemon.control_plane",),
    "data": ("mirror.daemon.data_plane",),
    "all": ("mirror.daemon.", "mirror node"),
}


class Machine:
    """Owned by the keeper; used by its one thread only."""

    def __init__(
        self,
        lab: plan.LabPlan,
        host: plan.HostPlan,
        registry: Path,
        switch: Switch,
        group: ControlGroup,
        console: socket.socket | None,
    ) -> None:
        self.host = host
        self.group = group
        self.directory = Path(lab.directory) / host.name
        self.log = self.directory / "node.log"
        self.disk = make_disk(self.directory, lab.fs, lab.disk_bytes, faulty=lab.faulty_disks)
        self._lab = lab
        self._plan_file = registry / "lab.json"
        self._switch = switch
        self._console = console
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._device: Path | None = None
        self._plug_error = ""

    @property
    def pid(self) -> int:
        """PID 1 of the host, as the keeper numbers it; 0 when the host is off."""
        if self._process is not None and self._process.poll() is not None:
            self._forget()
        return self._pid

    @property
    def console_url(self) -> str:
        """Where the console opens in a browser of the real machine; empty for none."""
        if self._console is None:
            return ""
        return f"http://127.0.0.1:{self._console.getsockname()[1]}"

    def boot(self) -> None:
        """Power on: mount the disk, plug the cables, start PID 1.

        Raises: LabVerbRefused (MIR-704) when it is on, LabHostNotBooted (MIR-706).
        """
        if self.pid:
            self._refuse("boot", "it is up", "`lab power-off` takes its power")
        self.directory.mkdir(parents=True, exist_ok=True)
        self.disk.prepare()
        self.group.create()
        mount_at = self.directory / "root"
        mount_at.mkdir(exist_ok=True)
        here, there = socket.socketpair()
        spec = BootSpec(
            plan_file=str(self._plan_file),
            host=self.host.name,
            image=str(self.disk.backing),
            mount_at=str(mount_at),
            cgroup=str(self.group.path),
            keeper_pid=os.getpid(),
            channel=there.fileno(),
            console=self._console.fileno() if self._console else -1,
        )
        inherited = [there.fileno()] + ([self._console.fileno()] if self._console else [])
        with self.log.open("ab") as log, there:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mirror.adapters.lab.host", spec.to_json()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=inherited,
                cwd="/",
            )
        with here:
            self._attend_boot(here)

    def power_off(self) -> None:
        """Loss of power: what is not on the disk is lost, and nobody is told."""
        pid = self.pid
        if not pid:
            self._refuse("power-off", "it is off", "`lab boot` starts it")
        # Cables first: a kernel that kills processes would say goodbye for them.
        self._switch.carrier_off(self.host)
        self.disk.before_power_loss()
        with suppress(OSError):  # the filesystem may have failed already
            linux.cut_power(Path(f"/proc/{pid}/root"))
        self._abort_fuse(pid)
        self._end()

    def shut_down(self) -> None:
        """Orderly: processes are asked to end, the disk is synced; then as power_off."""
        pid = self.pid
        if not pid:
            return
        self.group.freeze(frozen=False, timeout_s=_FREEZE_S)
        os.kill(pid, signal.SIGTERM)
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_ORDERLY_S)
        self._abort_fuse(pid)
        self._end()

    def discard(self) -> None:
        """As power_off, for a disk that nobody will read again; never fails for being off."""
        if self.pid:
            self.power_off()
        else:
            self._end()

    def pause(self) -> bool:
        """Freeze every process; False when one could not be stopped at once (see ControlGroup)."""
        self.must_be_up("pause")
        return self.group.freeze(frozen=True, timeout_s=_FREEZE_S)

    def resume(self) -> None:
        """Continue after pause."""
        self.must_be_up("resume")
        self.group.freeze(frozen=False, timeout_s=_FREEZE_S)

    def kill_part(self, part: str) -> int:
        """SIGKILL the processes of a part of the node's software; how many there were."""
        self.must_be_up("kill")
        victims = [pid for pid in self.group.pids() if _belongs(pid, _PARTS[part])]
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not victims:
            self._refuse(f"kill --part {part}", "no such process", "`lab status` shows what runs")
        return len(victims)

    def break_disk(self, mode: str, ms: int) -> None:
        """Change how the disk behaves: error, slow, hang, heal."""
        if not self.disk.can_fail:
            self._refuse("disk", "its disk cannot be broken", "`lab up --faulty-disks` makes some")
        self.disk.set_mode(f"slow {ms}" if mode == "slow" else mode)

    def must_be_up(self, verb: str) -> None:
        """Raise LabVerbRefused (MIR-704) when the host is off."""
        if not self.pid:
            self._refuse(verb, "it is off", "`lab boot` starts it")

    def status(self) -> dict[str, object]:
        """Facts for `lab status`."""
        return {
            "up": bool(self.pid),
            "paused": self.group.is_frozen() if self.pid else False,
            "pid": self.pid,
            "log": str(self.log),
            "disk": str(self.disk.image),
            "addresses": {port.lan: port.address for port in self.host.ports},
            "cuts": self._switch.cuts_of(self.host.name),
            "cgroup": str(self.group.path),
        }

    def _attend_boot(self, channel: socket.socket) -> None:
        """Follow the boot to its end, plugging the cables when the host has a network."""
        deadline = time.monotonic() + _BOOT_S
        pending = b""
        heard: set[str] = set()
        while "ready" not in heard:
            channel.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                chunk = channel.recv(4096)
            except TimeoutError:
                chunk = b""
            if not chunk:
                self._end()
                raise LabHostNotBooted(
                    host=self.host.name, observed="it ended or hung", log=self.log
                )
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                word, _, rest = line.decode().partition(" ")
                heard.add(word)
                self._note(word, rest)
                if word in ("pid", "unshared") and {"pid", "unshared"} <= heard:
                    self._plug(channel)

    def _plug(self, channel: socket.socket) -> None:
        try:
            self._switch.plug(self.host, self._pid)
            channel.sendall(b"go\n")
        except (LabToolFailed, OSError) as error:
            # The host may have failed first: it says so itself, and that is the reason to show.
            self._plug_error = str(error)
            channel.shutdown(socket.SHUT_WR)

    def _note(self, word: str, rest: str) -> None:
        """Remember what one line of the boot says."""
        if word == "pid":
            self._pid = int(rest)
        elif word == "ready":
            self._device = Path(rest)
        elif word == "failed":
            self._end()
            observed = self._plug_error if rest == KEEPER_GONE else rest
            raise LabHostNotBooted(host=self.host.name, observed=observed, log=self.log)

    def _end(self) -> None:
        """Kill what is left, and wait until disk and cables are free for the next boot."""
        self.disk.before_power_loss()
        gone = self.group.kill(_DEATH_S)
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if gone and self._device is not None:
            self._await_free_disk(self._device)
        self._forget()
        self._switch.unplug(self.host)
        self.disk.after_power_loss()
        if not gone:
            self._refuse("power-off", "a process hangs in the kernel", "see its /proc/PID/stack")
        self.group.remove()

    def _await_free_disk(self, device: Path) -> None:
        # The last process's namespace is taken apart after its death, by the kernel's own
        # workers, which tell nobody when they are done.
        deadline = time.monotonic() + _DEATH_S
        while not is_free(device, self._lab.label(self.host.name)):
            if time.monotonic() > deadline:
                self._refuse("power-off", f"{device} stays mounted", "look who mounts it")
            time.sleep(_POLL_S)

    def _forget(self) -> None:
        self._process = None
        self._pid = 0
        self._device = None

    def _abort_fuse(self, pid: int) -> None:
        """End the host's FUSE connections: nobody is to wait in the kernel for a dead server."""
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
                fields = line.split()
                if not fields[fields.index("-") + 1].startswith("fuse"):
                    continue
                minor = fields[2].split(":")[1]
                with suppress(OSError):
                    Path(f"/sys/fs/fuse/connections/{minor}/abort").write_text("1")

    def _refuse(self, verb: str, observed: str, remedy: str) -> None:
        raise LabVerbRefused(verb=verb, host=self.host.name, observed=observed, remedy=remedy)


def _belongs(pid: int, markers: tuple[str, ...]) -> bool:
    """Whether the process is one of ours that matches a marker.

    The command line of a process that waits on a frozen mount cannot be read without waiting
    too; its short name can. So only interpreters are looked at further.
    """
    try:
        name = Path(f"/proc/{pid}/comm").read_text()
        if not name.startswith(("python", "mirror")) or name.startswith(_SPARE):
            return False
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return False
    return any(marker in words for marker in markers)
