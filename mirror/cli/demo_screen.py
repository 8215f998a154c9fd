"""What the demo shows: steps as they happen, one line that moves, the timeline at the end.

On a terminal with colours; elsewhere the same words as plain lines.
"""

import sys
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from mirror.cli.demo_timeline import Moment

# Without a terminal a moving line would be thousands of lines.
_PLAIN_INTERVAL_S = 2.0


class Screen:
    """Standard output of the demo. A context manager: the moving line is gone at its end."""

    def __init__(self) -> None:
        """Use standard output."""
        self._terminal = sys.stdout.isatty()
        self._console = Console(
            file=sys.stdout,
            highlight=False,
            soft_wrap=not self._terminal,
            width=None if self._terminal else 200,
        )
        self._status: Status | None = None
        self._last_plain = ("", 0.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._rest()

    def step(self, text: str) -> None:
        """Begin a chapter."""
        self._rest()
        self._console.print(f"\n[bold]{escape(text)}[/bold]")

    def say(self, text: str) -> None:
        """Tell a fact."""
        self._rest()
        self._console.print(f"  {escape(text)}")

    def alarm(self, text: str) -> None:
        """Tell what is wrong."""
        self._rest()
        self._console.print(f"  [bold red]{escape(text)}[/bold red]")

    def moving(self, text: str) -> None:
        """Show where something stands; the next call replaces it."""
        if self._terminal:
            if self._status is None:
                self._status = self._console.status("")
                self._status.start()
            self._status.update(escape(text))
            return
        shown, shown_at = self._last_plain
        now = time.monotonic()
        if text != shown and now - shown_at >= _PLAIN_INTERVAL_S:
            self._last_plain = (text, now)
            self._console.print(f"  ... {escape(text)}")

    def timeline(self, title: str, start_us: int, moments: Iterable[Moment]) -> None:
        """Show moments with their distance from the start."""
        self.step(title)
        for moment in moments:
            after_ms = (moment.wall_us - start_us) / 1000
            self._console.print(f"  [cyan]{after_ms:>8,.0f} ms[/cyan]  {escape(moment.what)}")

    def last_line(self, text: str) -> None:
        """Say the result: the last line, without any decoration."""
        self._rest()
        sys.stdout.write(f"\n{text}\n")
        sys.stdout.flush()

    def _rest(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
