"""What `lab status` says: hosts, cables, consoles, and each node's modules as it tells them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirror.adapters.lab import plan
from mirror.adapters.lab.client import Lab
from mirror.adapters.local_client import LocalClient
from mirror.config.layout import Layout
from mirror.config.module_store import ModuleStore
from mirror.config.userconfig import load_userconfig
from mirror.errors import MirrorError

# A paused host, or one whose node hangs, does not answer; the status of the others still comes.
_STATE_S = 3.0


@dataclass(frozen=True, slots=True)
class ModuleState:
    """What a node says of one of its modules."""

    state: str
    ready: bool

    def __str__(self) -> str:
        """Render as SafeKit does."""
        return f"{self.state} ({'Ready' if self.ready else 'NotReady'})"


def collect(lab: Lab) -> dict[str, Any]:
    """Everything, as `lab status --json` prints it."""
    facts = lab.facts()
    del facts["ok"]
    facts["modules"] = {}
    for name, host in facts["hosts"].items():
        host["modules"] = {}
        if name not in plan.NODES or not host["up"]:
            continue
        facts["modules"] |= configured(host["pid"])
        if host["paused"]:
            continue
        host["modules"] = {
            module: {"state": state.state, "ready": state.ready}
            for module, state in module_states(lab, name).items()
        }
    return facts


def module_states(lab: Lab, host: str) -> dict[str, ModuleState]:
    """State of each configured module, as the host's node says; empty while it does not answer.

    Asked on the node's own socket, which is reached through the host's root: as `mirror state`
    does, without the start of a program each time.
    """
    pid = lab.pid(host)
    if not pid:
        return {}
    try:
        with LocalClient(layout_of(pid).control_socket, timeout_s=_STATE_S) as client:
            modules = client.call("state")["modules"]
    except (OSError, MirrorError):
        return {}
    # A node may tell more than yes or no: Transient is not ready either.
    return {
        module: ModuleState(state=str(one["state"]), ready=one["ready"] in (True, "Ready"))
        for module, one in modules.items()
    }


def answers(lab: Lab, host: str) -> bool:
    """Whether the node's control plane answers."""
    try:
        with LocalClient(layout_of(lab.pid(host)).control_socket, timeout_s=_STATE_S) as client:
            client.call("state")
    except (OSError, MirrorError):
        return False
    return True


def configured(pid: int) -> dict[str, dict[str, Any]]:
    """Directories and virtual address of the modules configured on a host, from its files."""
    layout = layout_of(pid)
    found = {}
    for module in ModuleStore(layout).configured():
        file = layout.module(module).applied_userconfig
        try:
            config = load_userconfig(file.read_bytes(), str(file), plan.environment())
        except (OSError, MirrorError):
            continue
        found[module] = {
            "directories": list(config.directories),
            "rules": [list(one.rules) for one in config.rfs.replicated] if config.rfs else [],
            "virtual_ip": config.vip.addresses[0].addr if config.vip else "",
        }
    return found


def layout_of(pid: int) -> Layout:
    """The node's paths, as the real machine sees them."""
    root = Path(f"/proc/{pid}/root")
    return Layout(safe=root / plan.SAFE[1:], safevar=root / plan.SAFEVAR[1:])
