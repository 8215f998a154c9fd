"""Run a seed, or what a log says, on a directory. See the package."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from mirror.adapters.compare import digest_tree
from tests.workload.hand import ProcessHand
from tests.workload.worker import Worker, Wrong, replay


def main() -> int:
    """Exit code 1: the directory did not behave as the model says."""
    parser = argparse.ArgumentParser(prog="workload")
    parser.add_argument("directory", type=Path, help="an empty directory")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--replay", type=Path, metavar="LOG")
    arguments = parser.parse_args()
    with ProcessHand(arguments.directory) as hand:
        if arguments.replay is not None:
            for operation, outcome, logged in replay(arguments.replay, hand):
                mark = "" if outcome == logged else f"   LOGGED {logged}"
                print(json.dumps(operation), outcome, mark)
            return 0
        log = Path(tempfile.gettempdir()) / f"workload-{arguments.seed}.log"
        worker = Worker(arguments.seed, log)
        try:
            worker.run(hand, arguments.count)
            worker.verify(list(digest_tree(arguments.directory)), "at the end")
        except Wrong as wrong:
            print(wrong)
            return 1
    print(f"seed {arguments.seed}: {worker.done} operations, all as the model says")
    return 0


sys.exit(main())
