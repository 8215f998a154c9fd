"""Real sockets between network namespaces: needs root, and says so."""

import gc
import os
import warnings
from collections.abc import Iterator

import pytest

from tests.network.namespaces import Namespace


@pytest.fixture(autouse=True)
def _root() -> None:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")


@pytest.fixture(scope="module", autouse=True)
def _half_open_connections() -> Iterator[None]:
    """Collect them here: a warning of theirs must not fail a later test of something else.

    asyncio closes a connection whose opening was cancelled in a turn of its loop that a loop which
    ends does not take any more.
    """
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def pair() -> Iterator[tuple[Namespace, Namespace]]:
    """Two hosts with no cable yet."""
    left, right = Namespace(), Namespace()
    yield left, right
    left.close()
    right.close()
