"""A sentence and what it was made of, for a page that says it in another language."""

from typing import Any

from pydantic import BaseModel, Field

from mirror.vocabulary.said import parts_of


class Said(BaseModel):
    """A sentence by its code."""

    code: str = Field(
        description="Stable: of an error, of a row of a table, or of another sentence",
        examples=["row.O04", "wait.rule", "MIR-601"],
    )
    facts: dict[str, Any] = Field(
        description="What it names: words, numbers, sentences like this one, or lists of these"
    )
    text: str = Field(description="In English")


def read(kept: str) -> Said | None:
    """Read what `kept` of vocabulary/said.py wrote; None for ""."""
    return Said.model_validate_json(kept) if kept else None


def told(sentence: str) -> Said | None:
    """Take a sentence apart; None when there is nothing but the sentence."""
    parts = parts_of(sentence)
    return Said.model_validate(parts) if parts else None
