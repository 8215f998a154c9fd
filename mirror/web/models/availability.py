"""States of both nodes over time, outages, availability."""

from pydantic import BaseModel, Field

from mirror.web.models.control import Period


class NodePeriods(BaseModel):
    """The states of a node, by the clock of the node that answers."""

    node: str
    reachable: bool = Field(
        description="False: its own part is not known, so figures may be worse"
    )
    observed: str
    clock_difference_ms: float | None = Field(description="Which was taken off; null: not known")
    from_us: int = Field(description="What was before this is not in its log any more")
    periods: list[Period]
    heard: list[Period] = Field(
        default_factory=list,
        description="Its states as the other node heard them: exact where its own log broke off",
    )


class Outage(BaseModel):
    """A time in which no node served."""

    from_us: int
    until_us: int
    ms: int
    node_before: str = Field(description="Which served before")
    node_after: str = Field(description="Which served after; empty: it lasts")
    planned: bool = Field(description="Every node that is known was stopped at one moment of it")


class Availability(BaseModel):
    """How much of the time the service was there. Planned stops count neither way."""

    module: str
    from_us: int = Field(description="When it first served, as far as the logs go back")
    until_us: int
    served_us: int
    availability: float | None = Field(description="0 to 1; null: it never served")
    nines: float | None = Field(description="Null: no outage at all, or it never served")
    minutes_a_year: float | None = Field(description="Of outage, at this rate")
    outages: list[Outage] = Field(description="Newest first")
    last_outage_ms: int | None = Field(description="Of the last one not planned; null: none")
    nodes: list[NodePeriods]
