"""What each node holds, side by side: for a first start, a lost pair, a split brain."""

from pydantic import BaseModel, Field

from mirror.web.models.said import Said


class NewestFile(BaseModel):
    """A file, by its name in the replicated directory."""

    path: str
    bytes: int
    changed_us: int


class DirectoryFacts(BaseModel):
    """A replicated directory on one node."""

    path: str
    error: str = Field(description="Why nothing is seen; empty when something is")
    error_said: Said | None = Field(default=None, description="What `error` was made of")
    empty: bool
    files: int
    bytes: int
    complete: bool = Field(description="False: the time did not suffice, so it is at least this")
    newest: list[NewestFile] = Field(description="Changed last, newest first")


class ListedDirectory(BaseModel):
    """The files of a directory, to be compared with those of the other node."""

    path: str
    entries: list[tuple[str, int, int]] = Field(description="Path, bytes, changed_us; by path")
    all: bool = Field(description="False: there are more than are listed")


class RecordFacts(BaseModel):
    """What the durable record of a node says of its copy."""

    blank: bool = Field(description="This node never held data of the module")
    generation: str
    base: str
    term: int = Field(description="How many times a node of the pair had begun to serve")
    checkpoint: int
    may_serve: list[str]
    lived_on: bool = Field(description="It served alone since the two were last the same")
    was_primary: bool
    clean_stop: bool
    target_of: str = Field(description="Its reintegration from this node began and did not end")
    inconsistent: bool
    forced: bool
    history: list[str] = Field(description="Earlier generations, newest first")
    changed_us: int = Field(description="When the record was written; 0: there is none")
    error: str = Field(description="Why the record cannot be read; empty when it can")
    error_said: Said | None = Field(default=None, description="What `error` was made of")


class NodeData(BaseModel):
    """What one node holds of a module."""

    node: str
    reachable: bool
    observed: str = Field(description="Why it does not answer; empty when it does")
    observed_said: Said | None = Field(
        default=None, description="What `observed` was made of; null: only the sentence is known"
    )
    state: str
    ready: str
    record: RecordFacts | None
    directories: list[DirectoryFacts]
    listed: list[ListedDirectory] = Field(
        default_factory=list, description="Only when asked for with `listing=true`"
    )


class Verdict(BaseModel):
    """What the two nodes would decide when they meet, by the table of generations."""

    row: str
    source: str = Field(description="Node whose copy stays; empty: they refuse to choose")
    how: str = Field(description="nothing to do, partial, full comparison or refused")
    aside: bool = Field(description="What is replaced is kept aside first")
    split: bool
    why: str


class Difference(BaseModel):
    """A file that would be replaced or removed on the target."""

    path: str
    what: str = Field(description="`only there`: the target alone has it; `different`")
    source_bytes: int = Field(description="0 when the source has none")
    target_bytes: int
    source_changed_us: int
    target_changed_us: int


class Choice(BaseModel):
    """What would happen to the files of the target if this node were the source."""

    source: str
    target: str
    same_files: int = Field(description="Of the same name, size and time")
    different_files: int
    different_bytes: int = Field(description="Of the target, which would be replaced")
    only_target_files: int = Field(description="Which would leave the directory; kept aside")
    only_target_bytes: int
    only_source_files: int = Field(description="Which would be copied")
    only_source_bytes: int
    complete: bool = Field(
        description="False: not every file was compared, so it is at least this"
    )
    examples: list[Difference] = Field(description="The largest of the target's, some")


class StartFacts(BaseModel):
    """Which node has the good data: what both hold, and what each choice would replace."""

    module: str
    needed: bool = Field(description="A person must choose: no node can prove that it may serve")
    advice: str = Field(description="One sentence")
    advice_said: Said | None = Field(default=None, description="What it was made of")
    verdict: Verdict | None = Field(description="Null: one of the records is not known")
    nodes: list[NodeData]
    choices: list[Choice] = Field(description="Empty when one of the nodes does not answer")
