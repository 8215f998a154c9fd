"""Switches entries of a user's crontab off and on, for what must run on the primary only.

An entry that is off is a comment that begins with a mark, so that exactly what was switched off
comes back, and a comment of the user's own never does.
"""

import subprocess

from mirror.errors import FileNotReadable

CRONTAB_TIMEOUT_S = 20.0


def switch(text: str, *, mark: str, command: str | None, on: bool) -> tuple[str, int]:
    """Rewrite a crontab; return it and how many entries changed. Pure.

    command: entries that contain this text, None for all of them.
    """
    prefix = f"# {mark}: "
    lines, changed = [], 0
    for line in text.splitlines():
        concerns = command is None or command in line
        if on and line.startswith(prefix) and concerns:
            line, changed = line.removeprefix(prefix), changed + 1  # noqa: PLW2901 - rewritten
        elif not on and concerns and _is_entry(line):
            line, changed = prefix + line, changed + 1  # noqa: PLW2901 - rewritten
        lines.append(line)
    return "".join(f"{line}\n" for line in lines), changed


def _is_entry(line: str) -> bool:
    """Whether a line makes cron run something: no comment, no blank, no VARIABLE=value."""
    words = line.split()
    return bool(words) and not words[0].startswith("#") and "=" not in words[0]


def switch_user(user: str, *, mark: str, command: str | None, on: bool) -> int:
    """Switch the entries of a user; return how many changed. Raises: FileNotReadable."""
    held = _crontab(user, "-l")
    text, changed = switch(held, mark=mark, command=command, on=on)
    if changed:
        _crontab(user, "-", text)
    return changed


def _crontab(user: str, action: str, text: str | None = None) -> str:
    """Run crontab(1). A user without a crontab has an empty one."""
    what = f"crontab of {user}"
    try:
        done = subprocess.run(
            ["crontab", "-u", user, action],
            input=text,
            capture_output=True,
            text=True,
            timeout=CRONTAB_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FileNotReadable(file=what, observed=str(error)) from error
    if done.returncode and "no crontab" not in done.stderr:
        raise FileNotReadable(file=what, observed=done.stderr.strip() or "crontab failed")
    return done.stdout if not done.returncode else ""
