"""Commands and logs."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mirror.web.models.said import Said
from mirror.web.models.security import Strict

Verb = Literal[
    "start",
    "stop",
    "restart",
    "stopstart",
    "swap",
    "prim",
    "second",
    "primforce",
    "forcestop",
    "errd",
    "checker",
    "failover",
    "rfsverify",
    "rfsdiff",
    "rfssync",
    "set",
    "incloop",
    "checkloop",
    "resetloop",
    "shutdown",
]


class Command(Strict):
    """A command to one module, in the words of the command line."""

    verb: Verb
    arguments: dict[str, bool | str] = Field(
        default_factory=dict,
        max_length=8,
        description='As the command line has them: {"nosync": true} for swap, {"fullsync": true}'
        ' for prim and second, {"action": "on"} for errd',
    )
    confirm: str = Field(
        default="",
        max_length=32,
        description="The module's name, when the command can discard data",
    )


class CommandDone(BaseModel):
    """What the node answered."""

    model_config = ConfigDict(extra="allow")

    module: str
    verb: str
    said: str = Field(description="In words; empty when there is nothing to say")
    parts: Said | None = Field(default=None, description="`said`, by its code")


class CommandHelp(BaseModel):
    """A command there is."""

    verb: str
    arguments: list[str] = Field(description="Arguments it knows")
    role: str = Field(description="The role it takes")
    interrupts: bool = Field(description="It can interrupt the service")
    discards_with: list[str] = Field(
        description="Arguments with which it can discard data, so that `confirm` is needed;"
        ' ["*"] with any'
    )
    help: str


class CommandList(BaseModel):
    """Every command."""

    commands: list[CommandHelp]


class PeerCommand(Strict):
    """A command line of `mirror`, without the word itself."""

    arguments: list[Annotated[str, Field(max_length=4096)]] = Field(min_length=1, max_length=64)


class PeerCommandDone(BaseModel):
    """What the command said, and its exit code."""

    exit_code: int
    output: str
    said: str = Field(description="Its error output")


class LogLine(BaseModel):
    """One line of a module log."""

    model_config = ConfigDict(extra="allow")

    id: int = Field(default=0, description="Its number, rising; 0 when it has none")
    time_us: int
    level: str = Field(description="C E U S shown by default; I W D only in the verbose log")
    source: str
    text: str
    fields: dict[str, Any] = Field(default_factory=dict, description="row, cause, generation ...")


class Log(BaseModel):
    """Lines of a module log, oldest first."""

    module: str
    node: str
    entries: list[LogLine]
    last_id: int = Field(description="For `since` next time")


class Output(BaseModel):
    """A file with what a script of the module said."""

    name: str
    bytes: int
    changed_us: int


class OutputList(BaseModel):
    """Outputs of the scripts, newest first."""

    module: str
    outputs: list[Output]


class OutputText(BaseModel):
    """A part of an output."""

    name: str
    offset: int = Field(description="Where this part begins, in bytes")
    next_offset: int = Field(description="Where to go on")
    bytes: int = Field(description="How long the file is now")
    text: str


class Period(BaseModel):
    """One state of a node, from when to when."""

    state: str = Field(description="UNKNOWN: the node had died, and said nothing meanwhile")
    ready: str
    from_us: int
    until_us: int | None = Field(description="Null: it lasts")
    row: str = ""


class Timeline(BaseModel):
    """What a node's log tells of its states, oldest first, and how long the module served."""

    module: str
    node: str
    from_us: int = Field(description="What was before this is not in the log any more")
    periods: list[Period]
    remote: list[Period] = Field(
        default_factory=list, description="The states of the other node, as this one heard them"
    )
    served_us: int = Field(description="Sum of the time in PRIM or ALONE, Ready, on this node")
