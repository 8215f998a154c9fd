"""Stories of two nodes, told by the production engine: a person reads the diff (`make golden`)."""

from pathlib import Path

import pytest

from tests.golden_file import check_golden
from tests.simulation.transcript import retell

STORIES = sorted((Path(__file__).parents[1] / "transcripts").glob("*.txt"))


def test_there_are_stories() -> None:
    assert len(STORIES) >= 5


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_the_story_goes_as_told(path: Path) -> None:
    check_golden(path, retell(path.read_text()))
