"""What a lab is made of: hosts, networks, names and addresses, as values.

Two labs never meet: each has its own network namespaces, so both may use the same addresses; what
the kernel shares between them (control groups) carries the lab's id.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, Self

Role = Literal["node", "client", "witness"]

NODES = ("n1", "n2")
CLIENT = "client"
WITNESS = "witness"

# The first network is called `default` in cluster.xml, as SafeKit's first one is.
LANS = ("lan1", "lan2")
CLUSTER_LAN_NAMES = {"lan1": "default", "lan2": "lan2"}

VIRTUAL_IP = "10.77.1.100"
_HOST_NUMBER = {"n1": 1, "n2": 2, CLIENT: 10, WITNESS: 20}
_HOST_LANS: dict[str, tuple[str, ...]] = {
    "n1": LANS,
    "n2": LANS,
    CLIENT: LANS[:1],  # as users are: they see one network
    WITNESS: LANS,
}

SAFE = "/opt/mirror"
SAFEVAR = "/var/lib/mirror"
# A short directory with `mirror` alone in it: the whole environment of the project's interpreter
# on the PATH would shadow the system's python3 for the scripts of modules.
COMMANDS = "/opt/lab/bin"
PATH = f"{COMMANDS}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# In the lab's directory: what becomes SAFEVAR/cluster of each node.
CLUSTER_FILES = "cluster"
# In a host's directory: where a disk that can fail shows its image.
FAULTY = "faulty"
REPLICATED_DIRECTORY = "/srv/mirror"


def environment() -> dict[str, str]:
    """Environment of every process of a host, as a service manager would set it."""
    return {
        "PATH": PATH,
        "SAFE": SAFE,
        "SAFEVAR": SAFEVAR,
        "HOME": "/root",
        "USER": "root",
        "LOGNAME": "root",
        "SHELL": "/bin/sh",
        "LANG": "C.UTF-8",
    }


@dataclass(frozen=True, slots=True)
class Port:
    """One end of a cable: a host's interface on a network."""

    lan: str
    interface: str
    switch_side: str
    address: str
    mac: str


@dataclass(frozen=True, slots=True)
class HostPlan:
    """One host. command: what its PID 1 keeps running, empty for nothing."""

    name: str
    role: Role
    command: tuple[str, ...]
    ports: tuple[Port, ...]

    def address(self, lan: str) -> str:
        """Address on that network; KeyError when the host has no cable there."""
        return {port.lan: port.address for port in self.ports}[lan]


@dataclass(frozen=True, slots=True)
class LabPlan:
    """A whole lab.

    lab_id: unique on this machine; name: what users call it.
    directory: holds the disks and the logs; removed at the end unless `kept`.
    disk_bytes: size of each disk, sparse. fs: "ext4" or "xfs".
    fixed_ports: ask for the consoles' usual ports, 9010 and 9011; otherwise any free ones.
    faulty_disks: disks are served by a program that can be told to fail.
    """

    lab_id: str
    name: str
    directory: str
    kept: bool
    fs: str
    disk_bytes: int
    fixed_ports: bool
    faulty_disks: bool
    hosts: tuple[HostPlan, ...] = field(default=())

    def host(self, name: str) -> HostPlan:
        """The host of that name; KeyError when the lab has none."""
        return {host.name: host for host in self.hosts}[name]

    def label(self, host: str) -> str:
        """Name of a host's disk among all loop devices of this machine."""
        return f"mirror-lab-{self.lab_id}-{host}"

    def to_json(self) -> str:
        """As one line, for the keeper."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The value that to_json wrote."""
        data = json.loads(text)
        hosts = tuple(
            HostPlan(
                name=host["name"],
                role=host["role"],
                command=tuple(host["command"]),
                ports=tuple(Port(**port) for port in host["ports"]),
            )
            for host in data.pop("hosts")
        )
        return cls(**data, hosts=hosts)


def plan_hosts(*, witness: bool, node_command: tuple[str, ...]) -> tuple[HostPlan, ...]:
    """Two nodes and a client, and a witness if asked."""
    hosts = [_plan_host(name, "node", node_command) for name in NODES]
    hosts.append(_plan_host(CLIENT, "client", ()))
    if witness:
        hosts.append(_plan_host(WITNESS, "witness", _etcd_command()))
    return tuple(hosts)


def _plan_host(name: str, role: Role, command: tuple[str, ...]) -> HostPlan:
    number = _HOST_NUMBER[name]
    ports = tuple(
        Port(
            lan=lan,
            interface=f"eth{index}",
            switch_side=f"{name}.{lan}",
            address=f"10.77.{LANS.index(lan) + 1}.{number}",
            # Locally administered and the same at each boot, as a card's is: neighbours remember.
            mac=f"02:6d:69:72:{LANS.index(lan) + 1:02x}:{number:02x}",
        )
        for index, lan in enumerate(_HOST_LANS[name])
    )
    return HostPlan(name=name, role=role, command=command, ports=ports)


def witness_endpoint(lan: str = LANS[0]) -> str:
    """URL of the witness's etcd on that network."""
    return f"http://10.77.{LANS.index(lan) + 1}.{_HOST_NUMBER[WITNESS]}:2379"


def _etcd_command() -> tuple[str, ...]:
    clients = ",".join(witness_endpoint(lan) for lan in LANS)
    return (
        "etcd",
        "--name=witness",
        "--data-dir=/var/lib/etcd",
        f"--listen-client-urls=http://127.0.0.1:2379,{clients}",
        f"--advertise-client-urls={clients}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--initial-advertise-peer-urls=http://127.0.0.1:2380",
        "--initial-cluster=witness=http://127.0.0.1:2380",
    )


def registry_directory() -> Path:
    """Where running labs are found by name; each has a directory with its keeper's socket."""
    return Path("/run/mirror-lab")
