"""`make search`: small worlds, each walked whole, with and without the witness."""

import argparse
import resource
import sys
from dataclasses import replace

from tests.search.explore import Bound, explore

KINDS = ("crashes", "cuts", "freezes", "prims")


def main() -> int:
    parser = argparse.ArgumentParser(prog="search")
    for name in (*KINDS, "faults"):
        parser.add_argument(f"--{name}", type=int, default=2)
    parser.add_argument("--states", type=int, default=0, help="give up beyond so many")
    bound = Bound(**vars(parser.parse_args()))
    code = 0
    for paired in (True, False):
        for witness in (True, False):
            found = explore(replace(bound, paired=paired, witness=witness))
            begin = "PRIM and SECOND" if paired else "two blank hosts"
            ended = "no new state" if found.finished else "not finished"
            memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            print(
                f"from {begin}, witness={witness}: {found.states} states, {found.steps} steps,"
                f" {ended}, {found.seconds:.0f} s of CPU, {memory_mb} MB at most",
                flush=True,
            )
            if found.broken:
                print("\n".join((*found.story, found.broken)))
                code = 1
    return code


sys.exit(main())
