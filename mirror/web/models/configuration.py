"""Modules, their configuration and their files."""

from typing import Any

from pydantic import BaseModel, Field

from mirror.web.models.security import Strict
from mirror.web.refusals import FieldProblem

XML_LETTERS_MAX = 1024 * 1024
Xml = Field(max_length=XML_LETTERS_MAX, description="The whole text of the file")


class ModuleView(BaseModel):
    """A module of this node, as its files are."""

    module: str
    id: int
    installed: bool
    configured: bool
    differs: bool = Field(description="What is edited is not what is in force")
    edited: str | None = Field(description="Signature of what is edited; null: nothing is")
    applied: str | None = Field(description="Signature of what is in force; null: nothing is")
    heartbeat_udp: int = Field(
        description="What `<heart port>` says, else 8888; 0 without an id, and for a light module"
    )
    data_tcp: int = Field(description="0 without an id, and for a light module")
    ready_probe: bool = Field(description="Other hosts may ask for ready.txt")


class ModuleList(BaseModel):
    """Every module of this node."""

    modules: list[ModuleView]


class PackageView(BaseModel):
    """Something that can be installed."""

    name: str
    kind: str = Field(description="shipped, or the folder of Application_Modules it is in")
    readme: str = Field(description="What its README says; empty without one")


class PackageList(BaseModel):
    """What can be installed on this node."""

    packages: list[PackageView]


class InstallModule(Strict):
    """A module to install from a package of this node."""

    module: str = Field(min_length=1, max_length=32, description="The name it gets")
    package: str = Field(min_length=1, max_length=64, description="A name of `GET /packages`")
    id: int | None = Field(
        default=None, ge=1, le=32, description="The id wanted: the same on both nodes"
    )
    replace: bool = Field(default=False, description="Also when it is installed already")


class ModuleSettings(Strict):
    """Settings of a module that this node's console keeps."""

    ready_probe: bool = Field(description="Other hosts may ask for ready.txt, without signing in")


class Userconfig(BaseModel):
    """userconfig.xml as it is edited."""

    module: str
    xml: str
    etag: str = Field(description="Give it back when saving: nobody else's work is overwritten")
    edited: str | None
    applied: str | None
    differs: bool


class SaveUserconfig(Strict):
    """userconfig.xml to save."""

    xml: str = Xml
    etag: str = Field(
        default="", max_length=64, description="Of the text that was read; empty: overwrite"
    )


class CheckUserconfig(Strict):
    """A userconfig.xml to check as it is typed."""

    xml: str = Xml


class Checked(BaseModel):
    """What a check found."""

    valid: bool
    errors: list[FieldProblem] = Field(description="What must be corrected, by line")
    notices: list[FieldProblem] = Field(description="What is accepted, and should be known")
    values: dict[str, Any] | None = Field(
        description="The configuration as it is understood, defaults filled in; null when invalid"
    )


class Apply(Strict):
    """Where to put a configuration in force."""

    nodes: list[str] = Field(
        default_factory=list,
        max_length=2,
        description="Names of nodes; empty: this one only. The other node gets the same files",
    )


class NodeResult(BaseModel):
    """What came of it on one node."""

    node: str
    done: bool
    status: int = Field(description="HTTP status of that node's answer; 0: it did not answer")
    sentence: str = Field(description="What was done, or the sentence of the error")
    code: str = Field(description="Code of the error; empty when done")
    facts: dict[str, Any] = Field(default_factory=dict, description="What the sentence names")
    errors: list[FieldProblem] = Field(description="What must be corrected, by line")
    notices: list[str] = Field(description="What is accepted, and should be known")


class Results(BaseModel):
    """What came of it on each node."""

    done: bool = Field(description="On every node asked")
    results: list[NodeResult]


class FileView(BaseModel):
    """One file of a module."""

    path: str = Field(examples=["bin/start_prim"])
    bytes: int
    changed_us: int
    executable: bool


class FileList(BaseModel):
    """The edited files of a module."""

    module: str
    files: list[FileView]


class FileContent(BaseModel):
    """One file with its content."""

    file: FileView
    content: str
    etag: str
    binary: bool = Field(description="It is no text: `content` is empty, and it is not saved")


class SaveFile(Strict):
    """A file to save."""

    content: str = Field(max_length=XML_LETTERS_MAX)
    etag: str = Field(default="", max_length=64, description="Of what was read; empty: overwrite")


class Kept(BaseModel):
    """One of the last configurations that were in force."""

    name: str = Field(examples=["web.000002.safe"])
    time_us: int
    signature: str


class KeptList(BaseModel):
    """The last configurations, newest first."""

    module: str
    kept: list[Kept]


class FileDifference(BaseModel):
    """How one file differs."""

    path: str
    change: str = Field(description="added, removed or changed")
    diff: str = Field(description="Unified diff; empty when it is no text")


class Differences(BaseModel):
    """How two configurations differ."""

    module: str
    before: str
    after: str
    files: list[FileDifference]


class AttributeHelp(BaseModel):
    """An attribute of userconfig.xml or cluster.xml."""

    name: str
    allowed: str = Field(description="What may stand in it, in words")
    choices: list[str] = Field(description="The words it takes, when it takes only these")
    default: str | None
    required: bool
    no_effect: str = Field(description="Why it has none; empty when it has")
    later: dict[str, str] = Field(description="Values that come later, and why")


class ElementHelp(BaseModel):
    """An element."""

    name: str
    attributes: list[AttributeHelp]
    children: list[str] = Field(description="Elements that stand in it once")
    repeated: list[str] = Field(description="Elements that may stand in it often")


class Elements(BaseModel):
    """All elements of a configuration file, for forms and for editors."""

    root: str
    elements: list[ElementHelp]
