"""Measure mirror on this machine: python -m bench [--full] [--only LETTERS] [--json FILE].

Needs root. Without --full it takes minutes: the long measures are left out, trees and files are
small. Each measure prints its table when it is done; the JSON has every figure. What the
letters mean: bench/measures.py.
"""

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

from bench.hosts import opened
from bench.measures import LONG, MEASURES, ROUNDS
from bench.row import Row


def show(row: Row) -> str:
    """One line: what, its figures, how it compares."""
    figures = "  ".join(f"{key} {value:,.1f}" for key, value in row.figures.items())
    text = f"{row.measure}  {row.what:<44} {figures}"
    if row.ratio is not None:
        text += f"  = {row.ratio:{'.2f' if row.ratio >= 1 / 3 else '.4f'}} x {row.of}"
    if row.ratio is not None and row.target is not None:
        text += f" ({'within' if row.ratio <= row.target else 'ABOVE'} {row.target:g})"
    return text


def main() -> int:
    """Run the measures that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="every measure, at its full size")
    parser.add_argument("--only", default="", help="letters of measures")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("bench: needs root, for namespaces, mounts and loop devices", file=sys.stderr)
        return 1
    rows: list[Row] = []
    print(f"{platform.system()} {platform.release()}, {os.cpu_count()} processors")
    usual = "".join(letter for letter in MEASURES if options.full or letter not in LONG)
    with opened(full=options.full) as hosts:
        for letter in options.only or usual:
            print(f"\n{letter}: {(MEASURES[letter].__doc__ or '').partition(') ')[2]}", flush=True)
            measured = MEASURES[letter](hosts, options.rounds)
            print("\n".join(show(row) for row in measured), flush=True)
            rows += measured
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
