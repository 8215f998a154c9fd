"""States of modules and nodes, as pages and machines see them."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mirror.web.models.figures import Figures
from mirror.web.models.said import Said


class DiskSpace(BaseModel):
    """How full a disk is."""

    directory: str = Field(description="The replicated directory that lies on it")
    used_bytes: int
    total_bytes: int
    full_at_us: int | None = Field(
        description="When it will be full at the rate of late; null: not soon, or not known"
    )
    time_us: int = Field(description="When this was so")


class NodeSide(BaseModel):
    """A module on one node. Further figures of the control plane are passed on as they are."""

    model_config = ConfigDict(extra="allow")

    node: str = Field(default="", description="Name of the node")
    state: str = Field(
        default="UNKNOWN",
        description="STOP, WAIT, ALONE, UP, PRIM, SECOND, UNKNOWN (no answer) or NOT_CONFIGURED",
    )
    ready: str = Field(default="", description="NotReady, Transient, Ready, or empty")
    since_us: int = Field(
        default=0, description="Since when it is in this state; 0: not known. Only of `local`"
    )
    mute_since_us: int = Field(
        default=0,
        description="When its control plane was heard last, while only its data plane answers;"
        " 0: what is said is of now. Only of `remote`",
    )
    disk: DiskSpace | None = Field(
        default=None, description="The fullest disk of its directories. Only of `local`"
    )


class ModuleState(BaseModel):
    """One module. What the control plane measures beyond this is passed on as it is."""

    model_config = ConfigDict(extra="allow")

    module: str
    id: int = Field(description="Its number, from which its ports follow; 0 when it has none")
    installed: bool = Field(description="It has files that can be edited")
    configured: bool = Field(description="A configuration is in force")
    state: str = Field(description="Here, as `local.state`")
    ready: str = Field(description="Here, as `local.ready`")
    local: NodeSide = Field(description="On this node")
    remote: NodeSide | None = Field(description="On the other node, as this one hears it")
    safety: str = Field(description='"Is the data safe?" in one sentence, true at this second')
    reason: str = Field(description="Why it is in this state")
    reason_said: Said | None = Field(
        default=None, description="What `reason` was made of; null: only the sentence is known"
    )
    safety_said: Said | None = Field(
        default=None, description="What `safety` was made of; null: only the sentence is known"
    )
    row: str = Field(description="Row of the table that decided")
    action: str = Field(description="What to do now; empty: nothing")
    progress: dict[str, Any] | None = Field(
        description="Reintegration: phase, bytes_done, bytes_total, files_done, files_total,"
        " rate_bytes_s, eta_ms; null when none is under way"
    )
    detail: str = Field(description="The state by its name inside, finer than `state`")
    replication: dict[str, Any] = Field(
        description="Rates, latency, lag, as the data plane measures them, and `age_ms`"
    )
    figures: Figures | None = Field(
        default=None, description="Rates of replication here; null: no data plane runs here"
    )
    heartbeats: Any = Field(description="By network: whether heard, jitter, as measured")
    generation: str = Field(description="Identity of the state of the data here")
    may_serve: list[str] = Field(description="Nodes that hold everything acknowledged")
    directories: list[str] = Field(description="Replicated directories")
    virtual_ips: list[str] = Field(description="Virtual addresses")
    boot: str = Field(description="Start at boot: on, off, auto or ignore")


class ControlPlaneSeen(BaseModel):
    """Whether the control plane of the node answers the console."""

    reachable: bool
    observed: str = Field(description="Why it does not answer; empty when it does")
    observed_said: Said | None = Field(
        default=None, description="What `observed` was made of; null: only the sentence is known"
    )


class NodeState(BaseModel):
    """All modules of one node."""

    node: str = Field(description='Name of the node; "this" before it has one')
    time_us: int = Field(description="Microseconds since 1970 when this was so: the age to show")
    reachable: bool = Field(description="False: the console of that node does not answer")
    observed: str = Field(description="Why it does not answer; empty when it does")
    observed_said: Said | None = Field(
        default=None, description="What `observed` was made of; null: only the sentence is known"
    )
    version: str = Field(description="Of mirror on that node")
    control_plane: ControlPlaneSeen
    modules: dict[str, ModuleState]


class ResourceChange(BaseModel):
    """A value that a resource had, and since when."""

    value: str
    time_us: int


class ResourceValue(BaseModel):
    """One resource."""

    model_config = ConfigDict(extra="allow")

    value: str
    time_us: int = Field(default=0, description="When it was set; 0 when that is not known")
    history: list[ResourceChange] = Field(default_factory=list, description="Oldest first")


class Resources(BaseModel):
    """Resources of a module, by name."""

    module: str
    resources: dict[str, ResourceValue]
