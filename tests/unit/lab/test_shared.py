"""What tests share is the same for all, until one of them fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from tests.shared import FAILED, Shared


def test_one_that_failed_leaves_it_to_nobody() -> None:
    made: list[int] = []
    gone: list[int] = []

    @contextmanager
    def make() -> Iterator[int]:
        made.append(len(made))
        yield made[-1]
        gone.append(made[-1])

    def use(*, fails: bool) -> int:
        test: Any = SimpleNamespace(stash=pytest.Stash())
        with shared.lent_to(test) as one:
            test.stash[FAILED] = fails  # as tests/conftest.py notes it
        return one

    shared = Shared(make)
    assert made == []
    assert [use(fails=False), use(fails=False), use(fails=True)] == [0, 0, 0]
    assert gone == [0]
    assert [use(fails=False), use(fails=False)] == [1, 1]
    shared.close()
    shared.close()
    assert gone == [0, 1]
