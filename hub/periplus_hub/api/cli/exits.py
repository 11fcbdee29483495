"""Exit codes of `periplus`, documented in docs/reference/cli.md and kept stable."""

from enum import IntEnum
from typing import NoReturn

import typer
from rich.console import Console

errors = Console(stderr=True, highlight=False, soft_wrap=True)


class Exit(IntEnum):
    """What a script may rely on."""

    OK = 0
    """Done."""
    FAILED = 1
    """The work could not be done; the message says why and what to do."""
    THRESHOLD = 2
    """`--fail-on` found an overlap at or above its severity."""
    USAGE = 64
    """Unknown option or bad value."""
    INTERRUPTED = 130
    """Ended by Ctrl-C or SIGTERM."""


def fail(message: str, remedy: str = "", code: Exit = Exit.FAILED) -> NoReturn:
    """Say what failed and what to do, on standard error, and leave."""
    errors.print(f"[bold red]error[/] {_plain(message)}")
    if remedy:
        errors.print(f"[bold]remedy[/] {_plain(remedy)}")
    raise typer.Exit(int(code))


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
