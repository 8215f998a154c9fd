"""`Lab`: the verbs of the lab, for the command line, the demo, tests and benchmarks."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

from mirror import errors
from mirror.adapters.lab import creation, plan, request
from mirror.adapters.lab.switch import Direction
from mirror.config.systemd_unit import exec_start

Part = Literal["control", "data", "all"]
DiskMode = Literal["error", "slow", "hang", "heal"]

_EXEC_S = 60.0


class Lab:
    """One running lab. Threads may share it; the keeper answers one request at a time.

    As a context manager it is taken down at the end.
    """

    def __init__(self, name: str = "default") -> None:
        """Find the running lab of that name; nothing is checked before the first verb."""
        self.name = name
        self.registry = plan.registry_directory() / name
        self._owner = -1

    @classmethod
    def up(  # noqa: PLR0913 - each is an option of the command
        cls,
        name: str = "default",
        *,
        keep: Path | None = None,
        bare: bool = False,
        witness: bool = False,
        fs: Literal["ext4", "xfs"] = "ext4",
        disk_bytes: int = 16 << 30,
        faulty_disks: bool = False,
        node_command: Sequence[str] = exec_start("mirror"),
        bound: bool = False,
    ) -> Self:
        """Make and boot the hosts; return when each has started its node. No module is installed.

        keep: a directory for disks and logs, which stay after `down`; disks found there are used.
        bare: the nodes belong to no cluster.
        disk_bytes: size of each disk; sparse, so it costs what is written.
        bound: the lab ends with this process, whatever it dies of.
        Raises: LabAlreadyUp (MIR-703), LabToolFailed (MIR-702), LabHostNotBooted (MIR-706).
        """
        self = cls(name)
        options = creation.Options(
            keep=keep,
            bare=bare,
            witness=witness,
            fs=fs,
            disk_bytes=disk_bytes,
            faulty_disks=faulty_disks,
            node_command=tuple(node_command),
            bound=bound,
        )
        self._owner = creation.create(name, options)
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        with suppress(errors.LabNotUp):
            self.down()

    # --- the whole lab ---

    @property
    def lab_plan(self) -> plan.LabPlan:
        """What the lab is made of. Raises LabNotUp (MIR-701)."""
        try:
            return plan.LabPlan.from_json((self.registry / "lab.json").read_text())
        except FileNotFoundError as error:
            raise errors.LabNotUp(name=self.name, observed="not found") from error

    def facts(self) -> dict[str, Any]:
        """What the keeper knows: hosts, addresses, logs, consoles; `status.collect` says more."""
        return self._ask("status")

    def pid(self, host: str) -> int:
        """PID 1 of the host, as this process numbers it; 0 when it is off."""
        return int(self._host_facts(host)["pid"])

    def down(self) -> None:
        """End the lab; return when nothing of it is left. Raises LabNotUp (MIR-701)."""
        try:
            gone = os.open(self.registry, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise errors.LabNotUp(name=self.name, observed="not found") from error
        try:
            with suppress(errors.LabNotUp):  # killed already: only to be swept
                self._ask("down")
            creation.await_end(self.registry, gone)
        finally:
            os.close(gone)
        if self._owner >= 0:
            os.close(self._owner)
            self._owner = -1

    # --- power, networks, processes ---

    def power_off(self, host: str) -> None:
        """Loss of power. Raises LabVerbRefused (MIR-704) when the host is off."""
        self._ask("power_off", host=host)

    def shut_down(self, host: str) -> None:
        """Orderly end of a host: SIGTERM, sync, off."""
        self._ask("shut_down", host=host)

    def boot(self, host: str) -> None:
        """Power on; returns when the host's node has been started."""
        self._ask("boot", host=host)

    def cut(self, host: str, lan: str | None = None, direction: Direction = "both") -> None:
        """Cut a host from a network, or from all.

        direction: "both" pulls the cable (the host sees no carrier); "in" drops silently what
        goes to the host, "out" what comes from it.
        """
        self._ask("cut", host=host, lan=lan, direction=direction)

    def heal(self, host: str | None = None) -> None:
        """Undo the cuts of a host, or of all."""
        self._ask("heal", host=host)

    def shape(self, host: str, lan: str, rate_mbit: int) -> None:
        """Limit what arrives at a host on a network, in Mbit/s; 0 lifts the limit."""
        self._ask("shape", host=host, lan=lan, rate_mbit=rate_mbit)

    def pause(self, host: str) -> bool:
        """Freeze the whole host; False when a process stops only on leaving the kernel."""
        return bool(self._ask("pause", host=host)["all_stopped"])

    def resume(self, host: str) -> None:
        """Continue after pause."""
        self._ask("resume", host=host)

    def kill(self, host: str, part: Part = "all") -> int:
        """SIGKILL the node's processes of that part; how many there were."""
        return int(self._ask("kill", host=host, part=part)["killed"])

    def fill_disk(self, host: str) -> None:
        """Leave no free block on the host's disk, for root neither."""
        self.exec(host, _python("mirror.adapters.lab.disk_filler", "fill"), timeout_s=300)

    def free_disk(self, host: str) -> None:
        """Undo fill_disk."""
        self.exec(host, _python("mirror.adapters.lab.disk_filler", "free"))

    def disk(self, host: str, mode: DiskMode, ms: int = 0) -> None:
        """Break or heal the disk of a host of a lab made with `faulty_disks`.

        error: every read, write and flush fails with EIO; slow: each takes `ms` longer, one after
        the other; hang: none is answered before `heal`.
        """
        self._ask("disk", host=host, mode=mode, ms=ms)

    # --- commands inside a host ---

    def exec(
        self,
        host: str,
        command: Sequence[str],
        *,
        check: bool = True,
        stdin: str | bytes | None = None,
        timeout_s: float = _EXEC_S,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside a host to its end; its output is captured.

        Raises: LabCommandFailed (MIR-705) if `check` and its exit code is not 0;
        subprocess.TimeoutExpired, after killing it; LabVerbRefused (MIR-704) when the host is off.
        """
        given = stdin.decode() if isinstance(stdin, bytes) else stdin
        with self.popen(
            host,
            command,
            stdin=subprocess.PIPE if given is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                output, complaint = process.communicate(given, timeout=timeout_s)
            except BaseException:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
        if check and process.returncode != 0:
            said = (complaint.strip() or output.strip())[-1000:]
            raise errors.LabCommandFailed(
                host=host,
                command=" ".join(command),
                observed=f"exit code {process.returncode}: {said}",
                log=self._host_facts(host)["log"],
            )
        return subprocess.CompletedProcess(list(command), process.returncode, output, complaint)

    def popen(
        self,
        host: str,
        command: Sequence[str],
        *,
        stdin: int | IO[Any] | None = subprocess.DEVNULL,
        stdout: int | IO[Any] | None = None,
        stderr: int | IO[Any] | None = None,
        text: bool = False,
    ) -> subprocess.Popen[Any]:
        """Start a command inside a host, in a session and process group of its own."""
        return subprocess.Popen(
            self.wrap(host, command),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            text=text,
            start_new_session=True,
        )

    def wrap(self, host: str, command: Sequence[str]) -> list[str]:
        """The command of the real machine that runs `command` inside a host.

        It joins the host's control group first, so that the host's fate is shared, then every
        namespace of it. Raises LabVerbRefused (MIR-704) when the host is off.
        """
        facts = self.facts()
        host_facts = _pick(facts, host)
        pid = host_facts["pid"]
        if not pid:
            raise errors.LabVerbRefused(
                verb="exec", host=host, observed="it is off", remedy="`lab boot` starts it"
            )
        group = f"/proc/{facts['keeper_pid']}/root{host_facts['cgroup']}/system/cgroup.procs"
        variables = [f"{name}={value}" for name, value in plan.environment().items()]
        term = os.environ.get("TERM")
        return [
            *("sh", "-c", 'echo $$ > "$1" && shift && exec "$@"', "sh", group),
            *("nsenter", f"--target={pid}", "--mount", "--uts", "--ipc", "--net", "--pid"),
            *("--cgroup", "--", "env", "-i", *variables),
            *([f"TERM={term}"] if term else []),
            *command,
        ]

    # --- inside ---

    def _ask(self, verb: str, **facts: object) -> dict[str, Any]:
        return request.ask(self.registry, verb, facts)

    def _host_facts(self, host: str) -> dict[str, Any]:
        return _pick(self.facts(), host)


def _pick(facts: dict[str, Any], host: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = facts["hosts"][host]
    except KeyError as error:
        raise errors.LabVerbRefused(
            verb="exec",
            host=host,
            observed="this lab has no such host",
            remedy=f"it has {', '.join(facts['hosts'])}",
        ) from error
    return found


def _python(module: str, *arguments: str) -> list[str]:
    """A module of this package, run by this interpreter inside a host."""
    return [sys.executable, "-m", module, *arguments]
