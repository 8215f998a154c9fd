"""Draws tables and colours, on a terminal only."""

import sys

from rich.console import Console, RenderableType

PIPE_WIDTH = 200  # a line is never cut in a pipe


def show(renderable: RenderableType) -> None:
    """Print on standard output; plain text when it is no terminal."""
    terminal = sys.stdout.isatty()
    Console(
        file=sys.stdout,
        highlight=False,
        soft_wrap=not terminal,
        width=None if terminal else PIPE_WIDTH,
    ).print(renderable)
