"""The edge of `periplus`: everything it prints passes here, and shows of foreign texts what can be seen.

Only this module, `rich_text` for rich and `progress` write to a terminal; a gate in `tests/meta` holds that.
"""

import os
import sys
from typing import Any, Final

import typer

from periplus_contract.text import json_text, visible

_COLOURS: Final = {"error": "red"}
_CLEARED: Final = "\x1b[H\x1b[2J"


def tell(text: str = "", *, err: bool = False, bold: bool = False) -> None:
    """A line on standard output, or on standard error."""
    line = visible(text)
    _write(typer.style(line, bold=True) if bold else line, err=err)


def say(text: str) -> None:
    """A line on standard error."""
    tell(text, err=True)


def say_labelled(label: str, text: str) -> None:
    """A line on standard error that begins with what it is."""
    _write(f"{typer.style(label, fg=_COLOURS.get(label), bold=True)} {visible(text)}", err=True)


def say_more(total: int, shown: int, words: str = "more are not shown; see --first") -> None:
    """How many there are beside those that are shown, if there are any."""
    if total > shown:
        say_labelled("note", f"{total - shown:,} {words}")


def tell_json(value: Any) -> None:  # noqa: ANN401 - JSON
    """One document on standard output."""
    _write(json_text(value, indent=2), err=False)


def tell_json_line(value: Any) -> None:  # noqa: ANN401 - JSON
    """One document on a line of standard output, of several."""
    _write(json_text(value), err=False)


def start_anew() -> None:
    """Clear the terminal where a person looks; elsewhere an empty line stands between."""
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        typer.echo(_CLEARED, nl=False)
    else:
        tell()


def tell_text(text: str) -> None:
    """A text of several lines on standard output; every line shows what can be seen."""
    for line in text.splitlines():
        tell(line)


def ask(question: str) -> bool:
    """A yes or no from who sits there; no is what a bare Enter says."""
    return bool(typer.confirm(visible(question), err=True))


def _write(line: str, *, err: bool) -> None:
    typer.echo(line, err=err, color=_colour())


def _colour() -> bool | None:
    """Whether to colour, as rich decides it; None: where it goes to a terminal."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return True if os.environ.get("FORCE_COLOR") else None
