"""What many modules cost a pair that is idle: 32 mirrors, half of them PRIM on each node.

Processor time and resident memory of each node's own processes (guardian, control plane, spare,
console), and of its data planes apart. Each module has a directory and an address of its own, two
networks of heartbeats at the lab's pulse of 100 ms, and scripts that start nothing.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.hosts import Hosts
from bench.row import Row
from mirror.adapters.lab import module_setup, plan, status
from mirror.adapters.lab.client import Lab
from mirror.config.module_store import ModuleStore

COUNT = 32
SETTLE_S = 15
WATCHED_S = 20
READY_S = 300.0
CPU_TARGET = 0.05  # of one core, a node
MEMORY_TARGET = 1 << 30
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
# Beneath the guardian; what the lab's own init and a shell are is not looked at.
_OWN = ("mirror", "mirror-control", "mirror-spare", "mirror-console", "mirror-guardian")
_PLANE = "mirror-data"

USERCONFIG = """<safe><service mode="mirror"><heart profile="fast">
<heartbeat name="default" ident="flow"/><heartbeat name="lan2"/></heart>
<vip><interface_list><interface><real_interface><virtual_addr addr="10.77.1.{address}"/>
</real_interface></interface></interface_list></vip>
<rfs><replicated dir="/srv/{name}"/></rfs><user/></service></safe>"""


def many_modules(_hosts: Hosts, _rounds: int) -> list[Row]:
    """(m) 32 idle modules on a pair: processor and memory of a node without its data planes."""
    with Lab.up("bench-many", bound=True) as lab:
        for host in plan.NODES:
            module_setup.await_node(lab, host)
        _set_up(lab)
        time.sleep(SETTLE_S)
        before = {host: _used(lab, host) for host in plan.NODES}
        time.sleep(WATCHED_S)
        after = {host: _used(lab, host) for host in plan.NODES}
    rows = []
    for host in plan.NODES:
        (own, memory), (planes, plane_memory) = after[host]
        (own_before, _), (planes_before, _) = before[host]
        share = (own - own_before) / WATCHED_S
        plane_share = (planes - planes_before) / WATCHED_S
        figures = {"percent": 100 * share, "MiB": memory / 2**20}
        rows += [
            Row(
                "m", f"{host}, {COUNT} modules: of one core", figures, share, "a core", CPU_TARGET
            ),
            Row(
                "m", f"{host}: memory", {"MiB": memory / 2**20}, memory / MEMORY_TARGET, "1 GiB", 1
            ),
            Row(
                "m",
                f"{host}: its {COUNT} data planes",
                {"percent": 100 * plane_share, "MiB": plane_memory / 2**20},
            ),
        ]
    return rows


def _set_up(lab: Lab) -> None:
    names = [f"m{number}" for number in range(1, COUNT + 1)]
    for host in plan.NODES:
        root = Path(f"/proc/{lab.pid(host)}/root")
        store = ModuleStore(status.layout_of(lab.pid(host)))
        source = root / "root/source"
        (source / "bin").mkdir(parents=True)
        (source / "conf").mkdir()
        for number, name in enumerate(names):
            (root / "srv" / name).mkdir()
            text = USERCONFIG.format(name=name, address=110 + number)
            (source / "conf/userconfig.xml").write_text(text)
            store.install(name, source)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda host: _start(lab, host, names), plan.NODES))
    for name in names:
        module_setup.await_ready(lab, name, timeout_s=READY_S)


def _start(lab: Lab, host: str, names: list[str]) -> None:
    """Configure every module here, and start it: the odd ones as primary on n1, the even on n2."""
    for number, name in enumerate(names):
        lab.exec(host, ["mirror", "config", "-m", name])
        first = plan.NODES[number % 2]
        if host == first:
            lab.exec(host, ["mirror", "prim", "-m", name])
        else:
            lab.exec(host, ["mirror", "start", "-m", name])


def _used(lab: Lab, host: str) -> tuple[tuple[float, int], tuple[float, int]]:
    """Seconds of processor and resident bytes: of the node's own processes, of its data planes."""
    own, planes = [0.0, 0], [0.0, 0]
    for entry in Path(f"/proc/{lab.pid(host)}/root/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        fields = rest.split()
        seconds = (int(fields[11]) + int(fields[12])) / _TICKS
        resident = int(fields[21]) * _PAGE
        kind = planes if name.startswith(_PLANE) or b"data_plane" in command else own
        if kind is own and not (name.startswith(_OWN) or b"mirror" in command):
            continue
        kind[0] += seconds
        kind[1] += resident
    return (own[0], int(own[1])), (planes[0], int(planes[1]))
