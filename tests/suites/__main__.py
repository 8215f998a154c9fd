"""`make suites [ONLY="acl stress"]`: what passes on the plain disk must pass on the mount.

Runs each suite in a lab on PRIM: in a plain directory of its disk, then below the mount. Exit code
1 when a case that is ok on the plain disk is not on the mount and KNOWN does not say why, or when
the two copies differ afterwards.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from mirror.adapters.lab import module_setup, plan
from mirror.adapters.lab.client import Lab
from tests.lab.looking import MODULE, assert_equal
from tests.suites.sources import fetch_source

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / "suites"
PLAIN = Path("/var/tmp/suites")
SUITE_S_MAX = 3_600

_REMOTE = "tail takes every FUSE file system for a remote one, and polls"


@dataclass(frozen=True)
class Suite:
    """packages: of the distribution, installed; sources: their upstream sources, unpacked.

    known: cases that differ on a mount, and why.
    """

    packages: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    known: tuple[tuple[str, str], ...] = ()


SUITES = {
    "fuse3": Suite(sources=("fuse3",)),
    "acl": Suite(packages=("perl", "acl", "attr"), sources=("acl", "attr")),
    "stress": Suite(
        packages=("stress-ng",),
        known=(("fiemap", "the kernel has no FIEMAP for FUSE"),),
    ),
    "python": Suite(packages=("python3",)),
    "coreutils": Suite(
        packages=("gcc", "perl"),
        sources=("coreutils",),
        known=tuple(
            (f"tests/tail-2/inotify-{case}.sh", _REMOTE)
            for case in ("dir-recreate", "race", "race2", "rotate-resources")
        ),
    ),
}


def prepare(name: str) -> None:
    """Fetch and build. Raises: subprocess.CalledProcessError, OSError."""
    suite = SUITES[name]
    if suite.packages:
        install = ["apt-get", "install", "-y", "-q", *suite.packages]
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(install, check=True, env=quiet, stdout=subprocess.DEVNULL)
    BUILD.mkdir(parents=True, exist_ok=True)
    for source in suite.sources:
        fetch_source(source, BUILD)
    subprocess.run(["bash", HERE / f"{name}.sh", "prepare", BUILD], check=True)


def results(lab: Lab, name: str, directory: Path) -> dict[str, str]:
    """Run a suite on PRIM. Returns: case -> ok, skip or fail."""
    lab.exec("n1", ["mkdir", "-p", str(directory)])
    command = ["bash", str(HERE / f"{name}.sh"), "run", str(BUILD), str(directory)]
    said = lab.exec("n1", command, check=False, timeout_s=SUITE_S_MAX).stdout
    lab.exec("n1", ["rm", "-rf", str(directory)])
    pairs = (line.split(maxsplit=1) for line in said.splitlines() if " " in line)
    return {case: verdict for verdict, case in pairs if verdict in {"ok", "skip", "fail"}}


def judge(name: str, plain: dict[str, str], mounted: dict[str, str]) -> list[str]:
    """Print what differs. Returns: the cases that must not."""
    known = dict(SUITES[name].known)
    passed = [case for case, verdict in plain.items() if verdict == "ok"]
    lost = [case for case in passed if mounted.get(case) != "ok"]
    print(
        f"{name}: {len(plain)} cases, ok on the plain disk {len(passed)}, not so on the", end=" "
    )
    print(f"mount {len(lost)}")
    for case in lost:
        why = known.get(case, "NOT KNOWN WHY")
        print(f"  {case}: {mounted.get(case, 'not run')} on the mount: {why}")
    if not passed:
        return [f"{name} ran nothing"]
    return [case for case in lost if case not in known]


def main(names: list[str]) -> int:
    """Run these suites, or all."""
    unknown = sorted(set(names) - set(SUITES))
    if unknown:
        print(f"no suite {', '.join(unknown)}; there are {', '.join(SUITES)}", file=sys.stderr)
        return 2
    wanted = names or list(SUITES)
    for name in wanted:
        try:
            prepare(name)
        except (subprocess.CalledProcessError, OSError) as error:
            print(f"{name} not prepared: {error}; leave it out, or mend that", file=sys.stderr)
            return 2
    bad = []
    with Lab.up(f"suites-{os.getpid()}", bound=True) as lab:
        module_setup.set_up(lab, module_setup.find_module(MODULE))
        for name in wanted:
            plain = results(lab, name, PLAIN / name)
            mounted = results(lab, name, Path(plan.REPLICATED_DIRECTORY) / name)
            bad += judge(name, plain, mounted)
            try:
                assert_equal(lab)
            except AssertionError as error:
                bad.append(f"{name}: the copies differ: {error}")
    print(*bad, sep="\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
