"""A few random partitions with the etcd witness; `python -m tests.soak.partitions` has many."""

import pytest

from tests.soak import partitions

pytestmark = [pytest.mark.lab, pytest.mark.slow]


def test_two_nodes_never_acknowledge_at_once(run_name: str) -> None:
    assert partitions.run(f"{run_name}-parted", seed=3, count=5) == 0
