"""`make sim SEED=123`: the story of one seed; without a seed, a few hundred."""

import argparse
import sys

from tests.simulation.run import run_seed


def main() -> int:
    """Run seeds; print the story of the first that breaks a rule, or of the one asked for."""
    parser = argparse.ArgumentParser(prog="sim")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=300)
    arguments = parser.parse_args()
    if arguments.seed is not None:
        outcome = run_seed(arguments.seed)
        print("\n".join(outcome.story))
        print(outcome.broken or f"seed {outcome.seed}: every rule held")
        return bool(outcome.broken)
    acknowledged = 0
    for seed in range(arguments.first, arguments.first + arguments.count):
        outcome = run_seed(seed)
        acknowledged += outcome.acknowledged
        if outcome.broken:
            print("\n".join(outcome.story))
            print(f"seed {seed}: {outcome.broken}")
            return 1
    print(f"{arguments.count} seeds, {acknowledged} acknowledged writes, every rule held")
    return 0


sys.exit(main())
