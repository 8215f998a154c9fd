"""From two nodes without a module to one that runs as PRIM on n1 and as SECOND (Ready) on n2.

It does what an administrator would, with the same commands; only what he would type into files
(addresses, directories) is put there by rule.
"""

import re
import shutil
import time
from pathlib import Path

import mirror
from mirror import errors
from mirror.adapters.lab import plan, status
from mirror.adapters.lab.client import Lab
from mirror.config.module_store import ModuleStore

READY_S = 120.0
NODE_S = 30.0
_POLL_S = 0.1
_VIRTUAL_IP_GAP = "VIRTUAL_TO_BE_DEFINED"
_DIRECTORY_GAP = "DIRECTORY_TO_BE_DEFINED"
_SECOND_LAN = plan.CLUSTER_LAN_NAMES[plan.LANS[1]]


def find_module(name_or_directory: str) -> Path:
    """The directory of a module: one that is given, or one that mirror ships.

    Raises: ModuleUnknown (MIR-102).
    """
    package = Path(mirror.__file__).resolve().parent
    given = Path(name_or_directory)
    shipped = (package.parent / "modules", package / "modules")
    candidates = [given.resolve()] if given.parent != Path() or given.is_dir() else []
    candidates += [directory / name_or_directory for directory in shipped]
    for candidate in candidates:
        if (candidate / "conf/userconfig.xml").is_file():
            return candidate
    raise errors.ModuleUnknown(
        module=name_or_directory, observed="no conf/userconfig.xml in a directory of that name"
    )


def bring_up(lab: Lab, directory: Path) -> None:
    """Have the module run, whether the disks are new or were kept from an earlier lab.

    Raises: LabCommandFailed (MIR-705), WaitedInVain (MIR-401).
    """
    if directory.name in status.configured(lab.pid(plan.NODES[0])):
        start(lab, directory.name)
    else:
        set_up(lab, directory)


def set_up(lab: Lab, directory: Path) -> None:
    """Install, configure and start the module of `directory` on both nodes; wait until ready.

    Raises: LabCommandFailed (MIR-705), WaitedInVain (MIR-401).
    """
    module = directory.name
    for host in plan.NODES:
        install(lab, host, directory)
    for host in plan.NODES:
        lab.exec(host, ["mirror", "config", "-m", module])
    for host in plan.NODES:
        await_node(lab, host)
    lab.exec("n1", ["mirror", "prim", "-m", module])
    lab.exec("n2", ["mirror", "second", "-m", module])
    await_ready(lab, module)


def install(lab: Lab, host: str, directory: Path) -> None:
    """Put the module on a node with all that an administrator would fill in."""
    module = directory.name
    pid = lab.pid(host)
    layout = status.layout_of(pid)
    ModuleStore(layout).install(module, directory, replace=True)
    edited = layout.module(module).edited
    prepare = directory / "lab/prepare"
    if prepare.is_file():
        _run_prepare(lab, host, module, prepare, Path(f"/proc/{pid}/root"))
    file = edited / "conf/userconfig.xml"
    has_witness = any(host.role == "witness" for host in lab.lab_plan.hosts)
    file.write_text(fill_in(file.read_text(), witness=has_witness))


def fill_in(userconfig: str, *, witness: bool) -> str:
    """Replace the gaps of a shipped configuration; use what the lab has, and a start at boot."""
    filled = userconfig.replace(_VIRTUAL_IP_GAP, plan.VIRTUAL_IP)
    filled = filled.replace(_DIRECTORY_GAP, plan.REPLICATED_DIRECTORY)
    if not re.search(r"<service\s[^>]*boot=", _without_comments(filled)):
        # A host that gets its power back takes its part again.
        filled = _insert(filled, r"<service\b", ' boot="on"')
    names = re.findall(r'<heartbeat\s[^>]*name="([^"]*)"', _without_comments(filled))
    if names and _SECOND_LAN not in names:
        # A cut of one network must not look like the death of a node.
        beat = f'\n      <heartbeat name="{_SECOND_LAN}"/>'
        filled = _insert(filled, r"<heartbeat\s[^>]*/>", beat)
    if witness and "<splitbrain" not in _without_comments(filled):
        endpoints = ",".join(plan.witness_endpoint(lan) for lan in plan.LANS)
        check = f'<check><splitbrain ident="witness" exec="etcd" arg="{endpoints}"/></check>'
        filled = _insert(filled, r"\n *(?=</service>)", f"    {check}\n  ")
    return filled


def _without_comments(xml: str) -> str:
    """The same text, of the same length, with blanks for comments."""
    return re.sub(r"<!--.*?-->", lambda comment: " " * len(comment[0]), xml, flags=re.DOTALL)


def _insert(xml: str, after: str, text: str) -> str:
    """Put `text` after the first match outside of comments; without one nothing changes."""
    found = re.search(after, _without_comments(xml))
    return xml if found is None else xml[: found.end()] + text + xml[found.end() :]


def start(lab: Lab, module: str) -> None:
    """Start a module that was set up before, on disks that were kept."""
    for host in plan.NODES:
        await_node(lab, host)
        lab.exec(host, ["mirror", "start", "-m", module])
    await_ready(lab, module)


def await_node(lab: Lab, host: str, timeout_s: float = NODE_S) -> None:
    """Wait until the node's control plane answers. Raises: LabHostNotBooted (MIR-706)."""
    deadline = time.monotonic() + timeout_s
    while not status.answers(lab, host):
        if time.monotonic() > deadline:
            log = lab.facts()["hosts"][host]["log"]
            raise errors.LabHostNotBooted(host=host, observed="its node is silent", log=log)
        time.sleep(_POLL_S)


def await_spare(lab: Lab, host: str, timeout_s: float = NODE_S) -> None:
    """Wait until a control plane that has loaded stands by: only then the death of one is nothing.

    Raises: LabHostNotBooted (MIR-706).
    """
    deadline = time.monotonic() + timeout_s
    while not lab.exec(host, ["pgrep", "-x", "mirror-spare"], check=False).stdout:
        if time.monotonic() > deadline:
            log = lab.facts()["hosts"][host]["log"]
            raise errors.LabHostNotBooted(host=host, observed="no spare control plane", log=log)
        time.sleep(_POLL_S)


def await_ready(lab: Lab, module: str, timeout_s: float = READY_S) -> None:
    """Wait until one node is PRIM and the other SECOND, both ready.

    Raises: WaitedInVain (MIR-401), with the last states.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        states = {host: status.module_states(lab, host).get(module) for host in plan.NODES}
        ready = [state.state for state in states.values() if state is not None and state.ready]
        if sorted(ready) == ["PRIM", "SECOND"]:
            return
        if time.monotonic() > deadline:
            shown = ", ".join(f"{host} {state or 'unknown'}" for host, state in states.items())
            raise errors.WaitedInVain(module=module, observed=shown)
        time.sleep(_POLL_S)


def _run_prepare(lab: Lab, host: str, module: str, prepare: Path, root: Path) -> None:
    """What a module needs on an empty host, by its own script `lab/prepare`.

    It gets the host's name, and in its environment MIRROR_LAB_MODULE (the installed module's
    directory), VIRTUAL_IP and DIRECTORY.
    """
    script = f"/opt/lab/prepare-{module}"
    shutil.copyfile(prepare, root / script[1:])
    lab.exec(
        host,
        [
            "env",
            f"MIRROR_LAB_MODULE={plan.SAFE}/modules/{module}",
            f"VIRTUAL_IP={plan.VIRTUAL_IP}",
            f"DIRECTORY={plan.REPLICATED_DIRECTORY}",
            *("sh", script, host),
        ],
        timeout_s=READY_S,
    )
