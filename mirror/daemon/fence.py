"""Silences the modules of this node without the control plane: the guardian's last means.

In this order, of all modules at once: gate closed (changes fail), application killed, addresses
removed, each step bounded; and where the peer may serve the record says durably that this node is
out, which may wait for the disk. Each step is tried whatever became of the others. It never lets
anybody serve: that is the peer's own decision.
"""

import contextlib
import os
import signal
import socket
import struct
from pathlib import Path

import structlog

from mirror.adapters.addresses import is_here, release_now
from mirror.adapters.cgroups import ROOT_GROUP, ControlGroup, find_cgroup2
from mirror.adapters.local_client import LocalClient
from mirror.adapters.process_marks import MarkedGroup
from mirror.adapters.records import read_record, write_record
from mirror.config.layout import Layout, ModuleLayout
from mirror.core import lineage
from mirror.daemon.node.fence_file import FenceFile, read_fence_files
from mirror.daemon.node.saved_state import read_saved_state
from mirror.errors import MirrorError
from mirror.vocabulary.record import record_from_map, record_to_map

log = structlog.get_logger()

GATE_S = 0.5
FUSE_CONNECTIONS = Path("/sys/fs/fuse/connections")


def fence_all(layout: Layout) -> list[str]:
    """Silence every module that has anything to silence; return their names."""
    return _silence_all(layout, read_fence_files(layout.safevar / "modules"))


def silence(layout: Layout, module: str) -> bool:
    """Silence one module that nothing here can run any more. Returns: whether it had to be."""
    found = read_fence_files(layout.safevar / "modules")
    return bool(_silence_all(layout, [facts for facts in found if facts.module == module]))


def _silence_all(layout: Layout, found: list[FenceFile]) -> list[str]:
    """The same step of all modules before the next: changes end first, and disks come last.

    A disk that hangs holds up whoever writes a record; until then all is done that needs none.
    """
    left = [facts for facts in found if _has_left(facts)]
    for facts in left:
        log.error("nobody runs it here: module silenced", module=facts.module)
        _close_gate(facts, layout.module(facts.module))
    for facts in left:
        _kill_application(facts)
    for facts in left:
        _remove_addresses(facts)
    for facts in left:
        _record_out(facts, layout.module(facts.module))
    return [facts.module for facts in left]


def _has_left(facts: FenceFile) -> bool:
    """Tell whether it serves somebody here; what it only receives may go on."""
    return _group_of(facts.module).populated() or any(map(is_here, facts.addresses))


def is_left(module: str) -> bool:
    """Tell whether a process of this module's application runs here."""
    return _group_of(module).populated()


def all_silent(layout: Layout) -> bool:
    """Tell whether no module has a process of its application or an address here."""
    return not any(map(_has_left, read_fence_files(layout.safevar / "modules")))


def _close_gate(facts: FenceFile, paths: ModuleLayout) -> None:
    pid = _plane_pid(paths.data_socket)
    if not pid:
        return
    try:
        with LocalClient(paths.data_socket, timeout_s=GATE_S) as client:
            client.call("gate", to="closed")
    except (MirrorError, OSError) as error:
        # Nobody can say what it still lets through: it and its mount end.
        log.warning("data plane ended by force", module=facts.module, error=str(error))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _abort_mounts(facts.directories)


def _abort_mounts(directories: tuple[str, ...]) -> None:
    """End the kernel's side of dead mounts, so that nobody waits in them for ever."""
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields = line.split(" ")
        if fields[4] in directories and "fuse.mirror" in fields:
            minor = fields[2].partition(":")[2]
            with contextlib.suppress(OSError):
                (FUSE_CONNECTIONS / minor / "abort").write_text("1", encoding="ascii")


def _kill_application(facts: FenceFile) -> None:
    group = _group_of(facts.module)
    try:
        if group.populated():
            group.signal(signal.SIGKILL)
    except OSError as error:
        log.error("application not killed", module=facts.module, error=str(error))  # noqa: TRY400


def _remove_addresses(facts: FenceFile) -> None:
    for address in facts.addresses:
        try:
            release_now(address)
        except (MirrorError, OSError) as error:
            log.error("address not removed", address=address, error=str(error))  # noqa: TRY400


def _record_out(facts: FenceFile, paths: ModuleLayout) -> None:
    """Give up what the peer may do as well; what only this node may do, it still may."""
    try:
        held = read_record(paths.record)
        if held is None:
            return
        record = record_from_map(held)
        if facts.peer not in record.may_serve or facts.node not in record.may_serve:
            return
        out = lineage.out(record, facts.peer, _session(paths))
        write_record(paths.record, record_to_map(out))
    except (MirrorError, OSError, ValueError) as error:
        log.error("record not written", module=facts.module, error=str(error))  # noqa: TRY400


def _session(paths: ModuleLayout) -> str:
    saved = read_saved_state(paths.state)
    return saved.session if saved is not None else ""


def _group_of(module: str) -> ControlGroup | MarkedGroup:
    cgroup2 = find_cgroup2()
    return MarkedGroup(module) if cgroup2 is None else ControlGroup(cgroup2 / ROOT_GROUP / module)


def _plane_pid(path: Path) -> int:
    """Pid of the data plane behind a socket, by the kernel's word; 0 when nobody listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(GATE_S)
        try:
            probe.connect(str(path))
            peer = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except OSError:
            return 0
    return int(struct.unpack("3i", peer)[0])
