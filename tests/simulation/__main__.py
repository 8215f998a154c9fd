"""`make sim SEED=123`: the story of one seed; without a seed, a few hundred. HOURS=10: as many."""

import argparse
import sys

from tests.simulation.run import FAULT_COUNT, run_seed

TOLD_EVERY = 500


def main() -> int:
    """Run seeds; print the story of the first that breaks a rule, or of the one asked for."""
    parser = argparse.ArgumentParser(prog="sim")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--hours", type=float, help="of simulated time, whatever --count says")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        outcome = run_seed(arguments.seed)
        print("\n".join(outcome.story))
        print(outcome.broken or f"seed {outcome.seed}: every rule held")
        return bool(outcome.broken)
    acknowledged, simulated_s, seed = 0, 0.0, arguments.first
    while _goes_on(arguments, seed, simulated_s):
        outcome = run_seed(seed)
        acknowledged += outcome.acknowledged
        simulated_s += outcome.simulated_s
        seed += 1
        if outcome.broken:
            print("\n".join(outcome.story))
            print(f"seed {outcome.seed}: {outcome.broken}")
            return 1
        if (seed - arguments.first) % TOLD_EVERY == 0 and arguments.hours:
            print(f"{seed - arguments.first} seeds, {simulated_s / 3600:.1f} h", flush=True)
    print(
        f"{seed - arguments.first} seeds, {(seed - arguments.first) * FAULT_COUNT} faults,"
        f" {simulated_s / 3600:.1f} simulated hours, {acknowledged} acknowledged writes,"
        " every rule held"
    )
    return 0


def _goes_on(arguments: argparse.Namespace, seed: int, simulated_s: float) -> bool:
    hours: float | None = arguments.hours
    last: int = arguments.first + arguments.count
    return seed < last if hours is None else simulated_s < hours * 3600


sys.exit(main())
