"""Configuration scripts: real ones, with their output, their end, and what they leave behind."""

from pathlib import Path

from mirror.adapters.config_scripts import run_config_script


def make(directory: Path, text: str) -> Path:
    script = directory / "postconfig"
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(0o755)
    return script


def test_output_and_exit_code(tmp_path: Path) -> None:
    script = make(tmp_path, 'echo "$WORD"; echo last >&2; exit 7')
    result = run_config_script(script, {"WORD": "first"}, tmp_path / "var")
    assert result is not None
    assert (result.succeeded, result.observed) == (False, "exit code 7, it said: last")
    assert result.log.read_text() == "first\nlast\n"
    assert result.log.name.startswith("userlog_")
    assert result.log.name.endswith("_postconfig.ulog")
    assert result.log.stat().st_mode & 0o007 == 0, "as what other scripts say"


def test_a_missing_script_is_nothing(tmp_path: Path) -> None:
    assert run_config_script(tmp_path / "none", {}, tmp_path) is None


def test_one_that_lasts_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    script = make(
        tmp_path, f'mkfifo "{fifo}"; (read -r word < "{fifo}") & read -r word < "{fifo}"'
    )
    result = run_config_script(script, {"PATH": "/usr/bin:/bin"}, tmp_path, timeout_s=0.3)
    assert result is not None
    assert (result.exit_code, result.observed) == (None, "it lasted too long")
