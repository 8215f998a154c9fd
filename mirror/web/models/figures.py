"""Figures of replication: of now, and over time."""

from pydantic import BaseModel, Field


class Figures(BaseModel):
    """What replication does now. Rates are over the last second."""

    writes_s: float = Field(description="Changes acknowledged a second")
    bytes_s: float = Field(description="Bytes sent to the other node a second")
    latency_us: float = Field(description="Mean wait for the other node's answer; 0: no change")
    waiting: int = Field(description="Changes held back at this moment")
    pending_places: int = Field(description="Places that the other node has not, by the index")
    recent_places: int = Field(description="Places that may not be on both disks yet")
    unsynced_ms: int = Field(description="Since the last checkpoint: the lag of the disks")
    lag_ms: int | None = Field(
        default=None,
        description='With capture="watch": age of the oldest change that the other node lacks',
    )
    promise: str = Field(description="What an application may rely on, in a sentence")
    age_ms: int = Field(description="How old these figures are")


class Sample(BaseModel):
    """One point of the graphs."""

    time_us: int
    writes_s: float
    bytes_s: float
    latency_us: float
    waiting: int
    pending_places: int


class History(BaseModel):
    """Samples, oldest first. Memory of the console: a restart forgets it."""

    module: str
    node: str
    step_ms: int = Field(description="Between two samples: 1000 for the last 15 minutes, or 15000")
    samples: list[Sample]


class Processes(BaseModel):
    """The processes that errd watches, a line each."""

    module: str
    processes: list[str]
