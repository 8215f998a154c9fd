"""The cluster, its nodes, this host."""

from pydantic import BaseModel, Field

from mirror.web.models.configuration import XML_LETTERS_MAX, Xml
from mirror.web.models.said import Said
from mirror.web.models.security import Strict
from mirror.web.refusals import FieldProblem


class CertificateView(BaseModel):
    """A certificate, without its key."""

    node: str = Field(description="On which node it is")
    what: str = Field(description="authority or node")
    subject: str
    not_before_us: int
    not_after_us: int | None = Field(description="Null: it never ends")
    days_left: int | None = Field(description="Null: it never ends")
    fingerprint: str = Field(description="SHA-256")
    serial: str


class NodeView(BaseModel):
    """A node, as it describes itself."""

    node: str = Field(description='Its name; "this" before it has one')
    host: str
    system: str
    version: str = Field(description="Of mirror")
    time_us: int = Field(description="Its clock, microseconds since 1970")
    urls: list[str] = Field(description="Where a browser finds its console")
    signature: str = Field(description="Of its cluster.xml; the same on both nodes, or mend it")
    certificates: list[CertificateView] = Field(default_factory=list)


class LanAddress(BaseModel):
    """Where a node is on a network."""

    lan: str
    address: str


class ClusterNode(BaseModel):
    """A node of the cluster, as this one sees it."""

    name: str
    this: bool
    addresses: list[LanAddress]
    reachable: bool = Field(description="Its console answers")
    observed: str = Field(description="Why it does not; empty when it does")
    observed_said: Said | None = Field(
        default=None, description="What `observed` was made of; null: only the sentence is known"
    )
    seen: str = Field(description="What the control plane here says of it; empty: nothing")
    clock_difference_ms: float | None = Field(
        description="Its clock against this one's, without the way; null: not known"
    )
    about: NodeView | None = Field(description="Null: it does not answer")


class LanView(BaseModel):
    """A network."""

    name: str
    command: bool = Field(description="Commands to all nodes travel on it")


class Editing(BaseModel):
    """Who edits cluster.xml now."""

    name: str
    origin: str
    left_s: int = Field(description="Until it ends by itself, unless it is renewed")


class ClusterView(BaseModel):
    """The cluster."""

    editing: Editing | None = Field(description="Who edits cluster.xml; null: nobody")

    configured: bool = Field(description="There is a cluster.xml, and this node has its name")
    node: str = Field(description='This node; "this" before it has a name')
    lans: list[LanView]
    nodes: list[ClusterNode]
    same_configuration: bool | None = Field(
        description="The other node has the same cluster.xml; null: not known"
    )
    secured: bool = Field(description="This node has a certificate of the cluster")
    makes_certificates: bool = Field(description="Tokens can be made here")
    certificates: list[CertificateView] = Field(description="Of this node and of the other one")


class ClusterXml(BaseModel):
    """cluster.xml."""

    xml: str = Field(description="Empty when there is none yet")
    etag: str
    signature: str


class CheckedCluster(BaseModel):
    """What a check of cluster.xml found."""

    valid: bool
    errors: list[FieldProblem]
    notices: list[FieldProblem]
    nodes: list[str]
    lans: list[str]


class CheckCluster(Strict):
    """A cluster.xml to check."""

    xml: str = Xml


class EditKey(Strict):
    """The key of the lock: empty to take it, what was given to renew it or to give it back."""

    key: str = Field(default="", max_length=64)
    only_here: bool = Field(default=False, description="Not on the other node")


class EditLockView(BaseModel):
    """The lock is held."""

    key: str = Field(description="Renews it within two minutes, saves, gives it back")
    until_us: int


class SaveCluster(Strict):
    """A cluster.xml to put in force."""

    xml: str = Xml
    etag: str = Field(default="", max_length=64, description="Of what was read; empty: overwrite")
    key: str = Field(default="", max_length=64, description="Of the lock, when one was taken")
    nodes: list[str] = Field(
        default_factory=list,
        max_length=2,
        description="Names of nodes; empty: this one only",
    )


class InitCluster(Strict):
    """The first node of a new cluster."""

    node: str = Field(min_length=1, max_length=64, description="Which node of the file this is")
    xml: str = Field(max_length=XML_LETTERS_MAX, description="The whole cluster.xml")


class MakeJoinToken(Strict):
    """A token for a node that is to join; on a node of no cluster: for one to take it in."""

    node: str = Field(
        default="", max_length=64, description="Its name in cluster.xml; empty: the other node"
    )
    address: str = Field(
        default="",
        max_length=253,
        description="Before it joined: of this node, where the other one reaches it; empty: any",
    )


class JoinTokenView(BaseModel):
    """The token of this node, if there is one."""

    node: str = Field(description="For which node; empty: for this one, or there is none")
    token: str = Field(description="Shown to who may make one, while it waits")
    waiting: bool
    joined_from: str = Field(description="Address of the node that used it")
    failed: str = Field(description="Why it ended")


class JoinCluster(Strict):
    """A token of the other node."""

    token: str = Field(min_length=1, max_length=1000)
    node: str = Field(
        default="",
        max_length=64,
        description="Whom the token of a new node makes of it; empty: the other node",
    )
    replace: bool = Field(default=False, description="Leave the cluster this node is in")


class RenewCertificate(Strict):
    """A new key for this node."""

    authority: bool = Field(
        default=False,
        description="Make a new authority here, the node with its key being lost",
    )
    confirm: str = Field(
        default="",
        max_length=64,
        description="The other node's name, for a new authority: it must join anew",
    )


class Renewed(BaseModel):
    """A new certificate of this node."""

    node: str
    signed_by: str = Field(description="The node that holds the authority's key")


class CertificateRequest(Strict):
    """A request (PEM) of the other node."""

    request: str = Field(min_length=1, max_length=8192)


class SignedCertificate(BaseModel):
    """The certificate (PEM)."""

    certificate: str


class Joined(BaseModel):
    """What this node, or the one that it took in, is called in its cluster."""

    node: str


class DirectoryView(BaseModel):
    """Names of directories beneath one."""

    path: str
    parent: str
    names: list[str] = Field(description="Of directories only")
    more: bool = Field(description="There are more than are shown")
    filesystem: str
    bytes_total: int
    bytes_free: int
    empty: bool
    warnings: list[str] = Field(description="What speaks against replicating it")
    warnings_said: list[Said] = Field(description="The same, with what each is made of")
    error: str = Field(description="Why nothing is shown; empty when something is")
    error_said: Said | None = Field(default=None, description="What `error` was made of")


class InterfaceView(BaseModel):
    """A network interface of this host."""

    name: str
    networks: list[str] = Field(examples=[["10.0.0.0/24"]])
    addresses: list[str] = Field(description="Its own", examples=[["10.0.0.11"]])


class InterfaceList(BaseModel):
    """The networks of this host."""

    interfaces: list[InterfaceView]


class AddressView(BaseModel):
    """Whether an address can be a virtual one."""

    given: str
    addresses: list[str] = Field(description="What the name stands for, or the address itself")
    interface: str = Field(description="Where it would be held; empty: on no network of this host")
    answers: bool | None = Field(
        description="Something answers there already; null: that could not be found out"
    )
    sentence: str
    said: Said | None = Field(default=None, description="What `sentence` was made of")


class Finding(BaseModel):
    """What one check of the doctor found."""

    what: str
    level: str = Field(description="ok, warning or problem")
    observed: str
    remedy: str


class Findings(BaseModel):
    """What the doctor found on this node."""

    findings: list[Finding]
