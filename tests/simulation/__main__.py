"""`make sim SEED=123`: the story of one seed; without a seed, a few hundred. HOURS=10: as many.

A seed is one life of a pair: a first start, 14 faults, while clients write a hundred times a
second; then all is mended, and both must come together again. Seeds below 10,000 have heartbeats
of the fast profile: half a minute, with 0.05 to 4 s between two faults; an hour of them is one of
storm, 1,570 faults. Of those above, which HOURS runs, one of six is such a life, one has the
standard profile and four have SafeKit's: what follows from a timeout takes as much longer there,
in half of the pauses between faults too, and clients write where something happens. An hour of
that mixture is some 90 faults. What they are, and how often each, is faults.py; odd seeds have the
etcd witness, one of seven a fencing agent. The same seeds give the same runs, however many JOBS
share them.
"""

import argparse
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection

from tests.simulation.run import FAULT_COUNT, Outcome, run_seed
from tests.simulation.timing import MIXED_FROM

TOLD_EVERY = 500


def main() -> int:
    """Run seeds; print the story of the first that breaks a rule, or of the one asked for."""
    parser = argparse.ArgumentParser(
        prog="sim", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int)
    parser.add_argument("--first", type=int)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--hours", type=float, help="of simulated time, whatever --count says")
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the seeds")
    arguments = parser.parse_args()
    if arguments.first is None:
        arguments.first = MIXED_FROM if arguments.hours else 1
    if arguments.seed is not None:
        outcome = run_seed(arguments.seed)
        print("\n".join(outcome.story))
        print(outcome.broken or f"seed {outcome.seed}: every rule held")
        return bool(outcome.broken)
    acknowledged, simulated_s, done = 0, 0.0, 0
    with _outcomes(arguments) as outcomes:
        for outcome in outcomes:
            acknowledged += outcome.acknowledged
            simulated_s += outcome.simulated_s
            done += 1
            if outcome.broken:
                print("\n".join(outcome.story))
                print(f"seed {outcome.seed}: {outcome.broken}")
                break
            if arguments.hours and simulated_s >= arguments.hours * 3600:
                break
            if done % TOLD_EVERY == 0:
                print(_told(done, arguments.first, acknowledged, simulated_s), flush=True)
    print(_told(done, arguments.first, acknowledged, simulated_s))
    verdict = "broken" if outcome.broken else "every rule held"
    print(f"{_processor_s():.0f} s of processor; {verdict}")
    return bool(outcome.broken)


def _told(done: int, first: int, acknowledged: int, simulated_s: float) -> str:
    hours = simulated_s / 3600
    return (
        f"seeds {first} to {first + done - 1}: {hours:.1f} simulated hours,"
        f" {done * FAULT_COUNT} faults ({done * FAULT_COUNT / hours:.0f} an hour),"
        f" {acknowledged} acknowledged writes"
    )


@contextmanager
def _outcomes(arguments: argparse.Namespace) -> Iterator[Iterator[Outcome]]:
    """Give the outcomes in the order of their seeds, whichever process ran them."""
    first: int = arguments.first
    seeds = count(first) if arguments.hours else range(first, first + arguments.count)
    if arguments.jobs == 1:
        yield map(run_seed, seeds)
        return
    pipes = [Pipe(duplex=False) for _ in range(arguments.jobs)]
    workers = [
        Process(target=_work, args=(sender, first + number, arguments.jobs), daemon=True)
        for number, (_, sender) in enumerate(pipes)
    ]
    for worker in workers:
        worker.start()
    try:
        yield (pipes[(seed - first) % arguments.jobs][0].recv() for seed in seeds)
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def _work(sender: Connection, first: int, step: int) -> None:
    """Run seeds until ended; a pipe that is full makes it wait."""
    for seed in count(first, step):
        outcome = run_seed(seed)
        sender.send(outcome if outcome.broken else replace(outcome, story=()))


def _processor_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    sys.exit(main())
