"""Real sockets between network namespaces: needs root, and says so."""

import os
from collections.abc import Iterator

import pytest

from tests.network.namespaces import Namespace


@pytest.fixture(autouse=True)
def _root() -> None:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")


@pytest.fixture
def pair() -> Iterator[tuple[Namespace, Namespace]]:
    """Two hosts with no cable yet."""
    left, right = Namespace(), Namespace()
    yield left, right
    left.close()
    right.close()
