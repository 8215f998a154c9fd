"""Parted from each other with an etcd witness: the one that reaches it serves, and no other."""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from mirror.adapters.lab.client import Lab
from tests.lab.looking import (
    LEDGER,
    RETURN_S,
    SHIPPED,
    TAKEOVER_S,
    assert_equal,
    await_no_address,
    await_states,
    numbers_in,
    opened,
    told_state,
)
from tests.lab.writer import writing

pytestmark = [pytest.mark.lab, pytest.mark.slow]


def open_pair(run_name: str, _directory: Path) -> AbstractContextManager[Lab]:
    return opened(f"{run_name}-witness", SHIPPED, witness=True)


def test_all_networks_are_cut_with_a_witness(pair: Lab) -> None:
    with writing(pair, "n1", LEDGER) as writer:
        pair.cut("n1")
        await_states(pair, TAKEOVER_S, n2="ALONE")
        await_no_address(pair, "n1")
        assert "ALONE (Ready)" not in told_state(pair, "n1")
        said = writer.stop()
    assert set(said) <= numbers_in(pair, "n2")
    pair.heal("n1")
    await_states(pair, RETURN_S, n2="PRIM", n1="SECOND")
    assert_equal(pair)
