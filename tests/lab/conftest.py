"""The pair that the tests of a file share; the file says in `open_pair` how it is made."""

from collections.abc import Iterator

import pytest

from mirror.adapters.lab.client import Lab
from tests.shared import Shared


@pytest.fixture(scope="module")
def _pairs(
    request: pytest.FixtureRequest, run_name: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shared[Lab]]:
    shared: Shared[Lab] = Shared(
        lambda: request.module.open_pair(run_name, tmp_path_factory.mktemp("pair"))
    )
    yield shared
    shared.close()


@pytest.fixture
def pair(_pairs: Shared[Lab], request: pytest.FixtureRequest) -> Iterator[Lab]:
    """As it was opened, or as the test before left it."""
    with _pairs.lent_to(request.node) as lab:
        yield lab
