"""What is wrong in a configuration file, taken apart for a page: line, element, attribute, hint.

The sentences are written in mirror/config, in one shape: `<rfs>: attribute "nbri": unknown; did
you mean "nbrei"?; allowed: ...`. Pure.
"""

import re
from pathlib import PurePath

from pydantic import BaseModel, Field

from mirror.config.collector import Notice
from mirror.errors import Refusal
from mirror.web.models.said import Said, told

_ELEMENT = re.compile(r"<([a-z_]+)[ >]")
_ATTRIBUTE = re.compile(r'attribute "([^"]+)"')


class FieldProblem(BaseModel):
    """One thing wrong, where it is. A field of a body, or a line of a file; the rest is empty."""

    field: str = Field(default="", description="Name of the field of the body")
    file: str = Field(default="", description="Name of the file", examples=["userconfig.xml"])
    line: int = Field(default=0, description="Line of the file, from 1; 0 when none fits")
    element: str = Field(default="", description="Element of the XML", examples=["rfs"])
    attribute: str = Field(default="", description="Attribute of the element", examples=["nbrei"])
    sentence: str = Field(description="What is wrong")
    hint: str = Field(default="", description="What to do about it")
    said: Said | None = Field(default=None, description="What all of it was made of")


def from_refusal(refusal: Refusal) -> FieldProblem:
    """Take a refusal apart."""
    return _take_apart(refusal.file, refusal.line, refusal.sentence)


def from_notice(notice: Notice) -> FieldProblem:
    """Take a notice apart."""
    return _take_apart(notice.file, notice.line, notice.sentence)


def _take_apart(file: str, line: int, whole: str) -> FieldProblem:
    element, attribute = _ELEMENT.search(whole), _ATTRIBUTE.search(whole)
    sentence, _, hint = whole.partition("; ")
    return FieldProblem(
        file=PurePath(file).name,
        line=line,
        element=element[1] if element else "",
        attribute=attribute[1] if attribute else "",
        sentence=sentence,
        hint=hint,
        said=told(whole),
    )
