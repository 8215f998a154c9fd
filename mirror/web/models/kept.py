"""Versions kept aside, and what each side changed alone: for a split brain and after it."""

from pydantic import BaseModel, ConfigDict, Field

from mirror.web.models.data import RecordFacts, Verdict
from mirror.web.models.said import Said
from mirror.web.models.security import Strict

IDS_MAX = 5000


class KeptVersion(BaseModel):
    """One version of a file that was kept before it was replaced or deleted."""

    model_config = ConfigDict(extra="allow")

    id: str
    folder: str
    node: str = Field(description="On which node it lies")
    directory: str
    path: str
    size_bytes: int
    mtime_us: int
    kept_us: int
    side: str = Field(description="Whose version it is")
    what: str = Field(description="replaced, deleted or restored over")


class KeptFolder(BaseModel):
    """What one reintegration kept."""

    model_config = ConfigDict(extra="allow")

    folder: str
    node: str
    directory: str
    files: int
    bytes: int


class KeptVersions(BaseModel):
    """What both nodes kept, as far as this one knows."""

    model_config = ConfigDict(extra="allow")

    module: str
    node: str
    folders: list[KeptFolder]
    files: list[KeptVersion]
    complete: bool


class ChosenVersions(Strict):
    """Which versions. Either some, or all."""

    ids: list[str] = Field(default_factory=list, max_length=IDS_MAX)
    all: bool = Field(default=False, description="Every one; of one path, the newest is restored")
    confirm: str = Field(
        default="", max_length=32, description="The module's name, to remove: it is for good"
    )


class RestoredVersion(BaseModel):
    """A version that was written back, or was not."""

    model_config = ConfigDict(extra="allow")

    id: str
    path: str
    observed: str = Field(default="", description="Why not; empty when it was")
    observed_said: Said | None = Field(default=None, description="What `observed` was made of")


class Restored(BaseModel):
    """What came of it, version by version."""

    module: str
    restored: list[RestoredVersion]
    failed: list[RestoredVersion]


class RemovedVersions(BaseModel):
    """What room it gave."""

    model_config = ConfigDict(extra="allow")

    module: str
    removed: int
    freed_bytes: int


class ChangedFile(BaseModel):
    """A file that a node changed since the pair parted."""

    model_config = ConfigDict(extra="allow")

    directory: str
    path: str
    what: str = Field(description="data, names or attributes")
    size_bytes: int
    mtime_us: int
    exists: bool


class ChangedFiles(BaseModel):
    """What this node changed since the pair parted: what another source would replace."""

    module: str
    node: str
    since_us: int = Field(description="When it became alone, by its own log; 0: not known")
    complete: bool
    files: list[ChangedFile]


class SplitSide(BaseModel):
    """One node in a disagreement."""

    node: str
    reachable: bool
    observed: str = Field(description="Why its list is not known; empty when it is")
    observed_said: Said | None = Field(
        default=None, description="What `observed` was made of; null: only the sentence is known"
    )
    state: str
    ready: str
    reason: str
    record: RecordFacts | None
    changed: ChangedFiles | None


class Split(BaseModel):
    """Both sides of a disagreement, side by side."""

    module: str
    split: bool = Field(description="The nodes disagree now: both went on alone")
    since_us: int = Field(description="When the first of them went on alone; 0: not known")
    sentence: str
    verdict: Verdict | None = Field(description="Which copy would stay if nobody chose")
    nodes: list[SplitSide]
    both: list[str] = Field(description="Paths that both changed: the ones that conflict")
