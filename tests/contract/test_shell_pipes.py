"""No shell script with pipefail asks `grep -q` at the end of a pipe: whoever writes into the pipe
dies of SIGPIPE when grep has seen enough, and the answer is then no."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def scripts_with_pipefail() -> list[Path]:
    files = [path for path in (ROOT / ".ci").iterdir() if path.is_file()]
    files.append(ROOT / "webconsole/build")
    return [path for path in files if "pipefail" in path.read_text()]


def test_there_are_such_scripts() -> None:
    assert ROOT / ".ci/setup" in scripts_with_pipefail()


@pytest.mark.parametrize("script", scripts_with_pipefail(), ids=lambda path: path.name)
def test_no_pipe_ends_in_a_reader_that_stops_early(script: Path) -> None:
    hasty = [line for line in script.read_text().splitlines() if "| grep -q" in line]
    assert hasty == []
