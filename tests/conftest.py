"""What every test may use. The run gets a name and a directory of its own: tests/reaper.py."""

from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.reaper import Run, reap_the_dead
from tests.shared import FAILED

_run_key = pytest.StashKey[Run]()

# How fast an example is made and tried says something of the machine only. What is looked for is
# the same in every run; `--hypothesis-profile=default` looks for something else each time.
settings.register_profile(
    "mirror", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("mirror")


def pytest_configure(config: pytest.Config) -> None:
    """Clean up after killed runs, then put all temporary files under this run's name."""
    dead = reap_the_dead()
    run = Run()
    config.stash[_run_key] = run
    # Wherever somebody wants them: what a killed run leaves is found by the run's name.
    top = config.option.basetemp
    if top is not None:
        Path(top).mkdir(parents=True, exist_ok=True)
    config.option.basetemp = run.directory if top is None else Path(top) / run.name
    if dead:
        print(f"cleaned up after test runs that did not end: {' '.join(dead)}")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind but the directory of the run."""
    if (run := config.stash.get(_run_key, None)) is not None:
        run.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what failed: tests/shared.py."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(scope="session")
def run_name(request: pytest.FixtureRequest) -> str:
    """Name of this run, 8 characters: the start of every namespace, interface, group it makes."""
    return request.config.stash[_run_key].name
