"""`make search`: the whole small world, with and without the witness."""

import argparse
import sys

from tests.search.explore import Bound, explore


def main() -> int:
    parser = argparse.ArgumentParser(prog="search")
    for name, default in (
        ("crashes", 1),
        ("cuts", 1),
        ("freezes", 1),
        ("writes", 3),
        ("prims", 2),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--states", type=int, default=0, help="give up beyond so many")
    given = vars(parser.parse_args())
    code = 0
    for witness in (True, False):
        found = explore(Bound(witness=witness, **given))
        ended = "no new state" if found.finished else "not finished"
        print(
            f"witness={witness}: {found.states} states, {found.steps} steps, {ended},"
            f" {found.seconds:.0f} s of CPU"
        )
        if found.broken:
            print("\n".join((*found.story, found.broken)))
            code = 1
    return code


sys.exit(main())
