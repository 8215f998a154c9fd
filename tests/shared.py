"""What the tests of a file share: one that failed leaves it to nobody."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Generic, TypeVar

import pytest

FAILED = pytest.StashKey[bool]()
T = TypeVar("T")


class Shared(Generic[T]):
    """Made when it is first wanted, and anew after a test that failed: one failure is one."""

    def __init__(self, make: Callable[[], AbstractContextManager[T]]) -> None:
        self._make = make
        self._opened = ExitStack()
        self._made: list[T] = []

    @contextmanager
    def lent_to(self, test: pytest.Item) -> Iterator[T]:
        """Give it to a test."""
        if not self._made:
            self._made.append(self._opened.enter_context(self._make()))
        yield self._made[0]
        if test.stash.get(FAILED, False):
            self.close()

    def close(self) -> None:
        """Take it away, if it was made."""
        self._made.clear()
        self._opened.close()
