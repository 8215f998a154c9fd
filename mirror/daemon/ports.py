"""What the daemon needs from the world: a Protocol for each adapter, and nothing else.

The simulator imitates exactly these. A method that fails raises MirrorError or OSError; the
executor turns that into an event.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mirror.vocabulary.actions import Log, SaveState, ScriptCall, ShowState


class DataPlane(Protocol):
    """The data plane of one module, wherever its process is in its life."""

    async def ensure(self) -> None:
        """Start the process unless it runs; be connected to it."""

    async def call(self, verb: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """One request and its reply. One that does not answer is ended: DataPlaneLost follows."""

    async def close(self) -> None:
        """Unmount, uncover, end the process; kill it when it does not. A dead one is done."""

    async def clear_dead_mount(self) -> None:
        """Take the mounts of a dead process away."""


class Records(Protocol):
    """The durable record of one module."""

    async def write(self, record: Mapping[str, Any]) -> None:
        """Replace it; on disk on return."""


class Scripts(Protocol):
    """The scripts of one module."""

    async def run(self, call: ScriptCall) -> None:
        """Run one and wait; a missing one is done. Cancelled: it is killed. A failure is said."""

    async def end_application(self, scripts: Sequence[str]) -> None:
        """Kill what these start scripts left. Raises: ProcessesRemain."""


class Addresses(Protocol):
    """The virtual addresses of one module."""

    async def take(self, *, agreed: bool = False) -> None:
        """Take all of them, or none. agreed: the other node has just given them back."""

    async def release(self) -> None:
        """Give all of them back."""


class Witness(Protocol):
    """The third opinion; a module without one has no such port."""

    async def ask(
        self,
        generation: str,
        may_serve: frozenset[str],
        history: Collection[str],
        then: tuple[str, frozenset[str]],
        *,
        forced: bool,
    ) -> tuple[bool | None, str]:
        """Ask to be the one that serves; (granted, sentence). Never raises: None is no answer.

        generation, may_serve: what this node holds; history: what that descends from.
        forced: an administrator decided; whatever it holds is replaced.
        """


class Heart(Protocol):
    """What the peer hears."""

    def say(self, word: Mapping[str, Any], *, urgent: bool) -> None:
        """Say this from now on."""


class Notebook(Protocol):
    """The module log, the resources and the state as people and scripts see them."""

    def log(self, line: Log) -> None:
        """Add a line to the module log."""

    def save(self, saved: SaveState) -> None:
        """Keep the state across a restart of the control plane."""

    def owe_start(self, *, owed: bool) -> None:
        """Keep across a restart of the control plane that a start script is still to be run."""

    def show(self, state: ShowState) -> None:
        """Show this state from now on."""

    def set_resource(self, name: str, value: str) -> None:
        """Set a resource."""

    def answer(self, command_id: int, refusal: str) -> None:
        """Answer a command; "" is yes."""


class ProcessWatch(Protocol):
    """The process checker of <errd>."""

    def watch(self, classes: Sequence[str]) -> None:
        """Watch these classes and no others."""


class Checkers(Protocol):
    """The checkers of <check>; each posts ResourceChanged."""

    def watch(self, classes: Sequence[str]) -> None:
        """Run the checkers of these classes (pre, prim, second, both) and no others."""


class Fence(Protocol):
    """The fencing agent; a module without one has no such port."""

    async def fence(self, peer: str) -> tuple[bool, str]:
        """Switch the peer's host off and verify it; (done, sentence). Never raises."""


class Host(Protocol):
    """The host as a whole."""

    async def reboot(self) -> None:
        """Restart the host."""


@dataclass(frozen=True, slots=True)
class Ports:
    """All ports of one module."""

    data: DataPlane
    records: Records
    scripts: Scripts
    addresses: Addresses
    witness: Witness | None
    heart: Heart
    notebook: Notebook
    processes: ProcessWatch
    host: Host
    checkers: Checkers | None = None
    fence: Fence | None = None
