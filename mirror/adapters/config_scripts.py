"""Runs the scripts that belong to configuring a module: confcheck, config, postconfig, deconfig.

They are run by `mirror config`, a process that may block, never by the control plane. Their output
goes to the module's userlogs, as that of all scripts does.
"""

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mirror.adapters import clock

CONFIG_SCRIPT_TIMEOUT_S = 300.0
OUTPUT_LINES_SHOWN = 5
EXIT_NOT_STARTED = 126


@dataclass(frozen=True, slots=True)
class ScriptResult:
    """How a script ended. exit_code: None when it was ended for lasting too long."""

    exit_code: int | None
    log: Path
    last_lines: tuple[str, ...]

    @property
    def succeeded(self) -> bool:
        """True when it ended by itself with 0."""
        return self.exit_code == 0

    @property
    def observed(self) -> str:
        """What happened, for a sentence."""
        how = "it lasted too long" if self.exit_code is None else f"exit code {self.exit_code}"
        return how + (f", it said: {self.last_lines[-1]}" if self.last_lines else "")


def run_config_script(
    script: Path,
    environment: Mapping[str, str],
    working: Path,
    *,
    timeout_s: float = CONFIG_SCRIPT_TIMEOUT_S,
) -> ScriptResult | None:
    """Run one script and wait for it; None when the module has no such script.

    working: where the log is written; created when missing. The whole process group is killed when
    timeout_s passes, so that nothing a script started is left.
    """
    if not script.is_file():
        return None
    working.mkdir(parents=True, exist_ok=True)
    log = working / f"userlog_{clock.wall_file_stamp(clock.wall_us())}_{script.name}.ulog"
    # As those of all scripts: what a script says may be a secret of the application.
    log.touch(0o640)
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                [str(script)],
                env=dict(environment),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            # Not executable, or its first line names no interpreter: as a shell, 126.
            return ScriptResult(EXIT_NOT_STARTED, log, (error.strerror or str(error),))
        try:
            exit_code: int | None = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            exit_code = None
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return ScriptResult(exit_code, log, tuple(lines[-OUTPUT_LINES_SHOWN:]))
