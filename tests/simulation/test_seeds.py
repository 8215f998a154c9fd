"""Some hundreds of runs of the simulated world: in none of them may a rule be broken."""

from pathlib import Path

import pytest

from tests.simulation.run import run_seed

SEEDS = Path(__file__).with_name("seeds.txt")
FAILED_ONCE = [
    int(line.split()[0])
    for line in SEEDS.read_text().splitlines()
    if line.strip() and not line.startswith("#")
]


@pytest.mark.parametrize("seed", FAILED_ONCE)
def test_a_seed_that_failed_once_holds(seed: int) -> None:
    outcome = run_seed(seed)
    assert not outcome.broken, "\n".join((*outcome.story, outcome.broken))


@pytest.mark.parametrize("first", range(1000, 1200, 20))
def test_every_rule_holds_whatever_happens(first: int) -> None:
    acknowledged = 0
    for seed in range(first, first + 20):
        outcome = run_seed(seed)
        acknowledged += outcome.acknowledged
        assert not outcome.broken, "\n".join((*outcome.story, f"seed {seed}: {outcome.broken}"))
    assert acknowledged > 1000  # the clients were really served
