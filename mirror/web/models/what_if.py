"""What a command would do, before it is given."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from mirror.web.models.said import Said
from mirror.web.models.security import Strict

Decided = Literal[
    "start",
    "stop",
    "restart",
    "stopstart",
    "swap",
    "prim",
    "second",
    "primforce",
    "forcestop",
]


class WhatIfAsked(Strict):
    """A command of those that the decision code answers; nothing is done."""

    verb: Decided
    arguments: dict[str, bool | str] = Field(
        default_factory=dict, max_length=8, description="As of the command"
    )
    nodes: list[Annotated[str, Field(max_length=64)]] = Field(
        default_factory=list,
        max_length=2,
        description="To whom it would be given, one after the other; none: to this node",
    )


class WhatIfRow(BaseModel):
    """A row of the tables of decisions."""

    row: str = Field(description="Its id, as in the module log", examples=["P04"])
    why: str
    said: Said | None = None


class WhatIfAct(BaseModel):
    """One thing that a node does."""

    what: str = Field(description="Its stable name", examples=["scripts", "drain"])
    scripts: list[str] = Field(description="Which scripts run, in order; of `scripts` only")
    text: str = Field(description="In words")


class WhatIfStep(BaseModel):
    """One decision of one node, and what it does by it."""

    node: str
    state: str = Field(description="Its state from then on")
    ready: str
    moved: bool = Field(description="It was in another state before")
    rows: list[WhatIfRow]
    does: list[WhatIfAct]
    text: str = Field(description="All of it in words")


class WhatIfNode(BaseModel):
    """Where a node stands before and after."""

    node: str
    state_before: str = Field(description="UNKNOWN: nothing is heard of it; counts as no power")
    ready_before: str
    state: str
    ready: str
    reason: str
    reason_said: Said | None = None
    safety: str


class WhatIf(BaseModel):
    """What the decision code of the node says would happen."""

    module: str
    verb: str
    steps: list[WhatIfStep]
    nodes: list[WhatIfNode]
    interrupts: bool = Field(description="The application stops where it runs, or for a moment")
    discards: bool = Field(description="It can discard data: `confirm` is needed")
    warnings: list[str] = Field(description="Rules that would not hold, in words")
    warnings_said: list[Said] = Field(description="The same, and what each was made of")
    rests: bool = Field(description="False: it does not come to rest within minutes")
