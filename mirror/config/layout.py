"""Where everything is: the two roots SAFE and SAFEVAR, every path beneath them, every port.

Paths only: nothing here opens, creates or looks at a file. Both roots come from the environment,
so that the lab can run two nodes on one machine.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SAFE_DEFAULT = "/opt/mirror"
SAFEVAR_DEFAULT = "/var/lib/mirror"

MODULE_ID_MIN = 1
MODULE_ID_MAX = 32  # as SafeKit's documented maximum of modules in a cluster

CLUSTER_UDP_PORT = 4800
CONSOLE_HTTP_PORT = 9010
CONSOLE_HTTPS_PORT = 9453
HEARTBEAT_UDP_PORT = 8888  # of all modules: they share their packets
DATA_TCP_PORT_FIRST = 5600
DATA_TCP_PORT_STEP = 4


@dataclass(frozen=True, slots=True)
class ModulePorts:
    """Ports of one module, the same on both nodes; 0: it uses none."""

    heartbeat_udp: int
    data_tcp: int


def ports_of(module_id: int, heart_port: int | None = None) -> ModulePorts:
    """Ports for a module id of MODULE_ID_MIN to MODULE_ID_MAX: SafeKit's, but for heartbeats.

    heart_port: what `<heart port>` says; config/ports.py reads it.
    """
    assert MODULE_ID_MIN <= module_id <= MODULE_ID_MAX, module_id
    return ModulePorts(
        heartbeat_udp=heart_port or HEARTBEAT_UDP_PORT,
        data_tcp=DATA_TCP_PORT_FIRST + (module_id - 1) * DATA_TCP_PORT_STEP,
    )


@dataclass(frozen=True, slots=True)
class ModuleLayout:
    """Paths of one module. `edited` is what people change, `applied` what `config` checked."""

    name: str
    edited: Path
    applied: Path
    working: Path
    data_socket: Path

    @property
    def edited_userconfig(self) -> Path:
        """The file people edit."""
        return self.edited / "conf" / "userconfig.xml"

    @property
    def applied_userconfig(self) -> Path:
        """The file the node runs with; it exists exactly when the module is configured."""
        return self.applied / "conf" / "userconfig.xml"

    @property
    def applied_bin(self) -> Path:
        """Scripts the node runs; SAFEUSERBIN in their environment."""
        return self.applied / "bin"

    @property
    def applied_conf(self) -> Path:
        """SAFEUSERCONF in the environment of the scripts."""
        return self.applied / "conf"

    @property
    def record(self) -> Path:
        """The durable record of generations (design 8)."""
        return self.working / "record.json"

    @property
    def index(self) -> Path:
        """Directory of the dirty index."""
        return self.working / "index"

    @property
    def log_database(self) -> Path:
        """The module log (SQLite)."""
        return self.working / "log.db"

    @property
    def data_plane_config(self) -> Path:
        """What the data plane process is started with."""
        return self.working / "data-plane.json"

    @property
    def state(self) -> Path:
        """Small files that must survive a restart of the control plane."""
        return self.working / "state"


@dataclass(frozen=True, slots=True)
class Layout:
    """All paths of one node. safe: programs and configuration; safevar: what changes."""

    safe: Path
    safevar: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Layout":
        """Read SAFE and SAFEVAR; an empty or missing variable gives the default."""
        variables = os.environ if environment is None else environment
        return cls(
            safe=Path(variables.get("SAFE") or SAFE_DEFAULT),
            safevar=Path(variables.get("SAFEVAR") or SAFEVAR_DEFAULT),
        )

    @property
    def command(self) -> Path:
        """The command line under SafeKit's name, for scripts that say $SAFE/safekit."""
        return self.safe / "safekit"

    @property
    def safebin(self) -> Path:
        """SAFEBIN in the environment of the scripts."""
        return self.safe / "private" / "bin"

    @property
    def modules(self) -> Path:
        """Parent of the edited configurations."""
        return self.safe / "modules"

    @property
    def applied_modules(self) -> Path:
        """Parent of the applied configurations."""
        return self.safe / "private" / "modules"

    @property
    def application_modules(self) -> Path:
        """Packages (.safe): generic, demo, published, other, backup."""
        return self.safe / "Application_Modules"

    @property
    def last_configurations(self) -> Path:
        """The last three configurations of each module, as packages."""
        return self.modules / "lastconfig"

    @property
    def module_ids(self) -> Path:
        """Which module has which id (JSON)."""
        return self.safevar / "modules" / "ids.json"

    @property
    def cluster(self) -> Path:
        """Directory of what concerns the cluster."""
        return self.safevar / "cluster"

    @property
    def cluster_config(self) -> Path:
        """The cluster.xml in use."""
        return self.cluster / "cluster.xml"

    @property
    def node_identity(self) -> Path:
        """Who this node is: {"name": "n1"}."""
        return self.cluster / "node.json"

    @property
    def pki(self) -> Path:
        """Directory of ca.crt, node.crt and node.key."""
        return self.cluster / "pki"

    @property
    def certificate_authority(self) -> Path:
        """Certificate of the cluster's authority."""
        return self.pki / "ca.crt"

    @property
    def node_certificate(self) -> Path:
        """Certificate of this node."""
        return self.pki / "node.crt"

    @property
    def node_key(self) -> Path:
        """Private key of this node; mode 0600, never in a snapshot."""
        return self.pki / "node.key"

    @property
    def run(self) -> Path:
        """Directory of the local sockets."""
        return self.safevar / "run"

    @property
    def control_socket(self) -> Path:
        """Where the control plane listens for the command line."""
        return self.run / "control.sock"

    @property
    def snapshots(self) -> Path:
        """Parent of unpacked snapshots."""
        return self.safevar / "snapshot" / "modules"

    def module(self, name: str) -> ModuleLayout:
        """Paths of a module, installed or not. name: already checked (config/names.py)."""
        assert name
        assert "/" not in name
        return ModuleLayout(
            name=name,
            edited=self.modules / name,
            applied=self.applied_modules / name,
            working=self.safevar / "modules" / name,
            data_socket=self.run / f"{name}.data.sock",
        )
