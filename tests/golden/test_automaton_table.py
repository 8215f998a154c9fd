"""The tables as people read them are the tables that run."""

from pathlib import Path

from mirror.core.render import render
from tests.golden_file import check_golden


def test_the_rendered_tables_are_current() -> None:
    check_golden(Path(__file__).with_name("automaton.md"), render())
