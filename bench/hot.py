"""Hot pure functions: what one call costs, without any disk or network."""

import json
import subprocess
import sys
from pathlib import Path

from bench.hosts import Hosts
from bench.row import Row

FUNCTIONS = Path(__file__).with_name("hot_functions.py")
SECONDS_EACH = 0.3


def hot(hosts: Hosts, _rounds: int) -> list[Row]:
    """(p) Hot pure functions, one call each: hashes, codec, decisions, heartbeats."""
    figures = hosts.directory / "hot.json"
    command = (sys.executable, "-m", "pytest", "-q", str(FUNCTIONS), "--benchmark-enable")
    options = (f"--benchmark-max-time={SECONDS_EACH}", f"--benchmark-json={figures}")
    subprocess.run([*command, *options], cwd=FUNCTIONS.parents[1], check=True, capture_output=True)
    rows, hashed = [], {}
    for each in json.loads(figures.read_text())["benchmarks"]:
        what = each["name"].removeprefix("test_").replace("_", " ")
        median_us = each["stats"]["median"] * 1e6
        rows.append(Row("p", what, {"us": median_us, "iqr_us": each["stats"]["iqr"] * 1e6}))
        hashed[each["param"]] = median_us
    ours, theirs = hashed["native"], hashed["xxhash"]
    rows.append(Row("p", "hash of 64 kib: native", {"us": ours}, ours / theirs, "xxhash"))
    return rows
