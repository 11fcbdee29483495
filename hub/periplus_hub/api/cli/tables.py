"""Tables without broken words, whatever the width, and lines without trailing blanks where a file takes them."""

import io
import re
import sys
from collections.abc import Sequence
from typing import Final, TextIO, cast

from rich.cells import cell_len
from rich.table import Table

from periplus_hub.api.cli.plain import Console, Text

_GAP: Final = 2
_BLANKS: Final = re.compile(r"[ \t]+(?=\n)")


class Trimmed(io.TextIOBase):
    """A stream whose lines end with their last word: cells are filled up to their width, of no use in a file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]  # read-only here, as in the streams themselves
        """The stream's own."""
        return self._stream.encoding

    def write(self, text: str) -> int:
        """Whole lines, as a console prints them."""
        self._stream.write(_BLANKS.sub("", text))
        return len(text)

    def flush(self) -> None:
        """Of the stream."""
        self._stream.flush()


def standard_output() -> Console:
    """Where people read."""
    return Console(highlight=False, file=None if sys.stdout.isatty() else cast("TextIO", Trimmed(sys.stdout)))


_SPARE: Final = ("cni", "version", "where", "services", "pods", "nodes")
"""Columns that a narrow terminal can do without, the first to go first: `clusters show` and --json have them."""


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Text]], console: Console, *, numbers: int = 0) -> None:
    """Rows under headings; the last `numbers` columns are aligned right.

    On a narrow terminal cells wrap between words, then columns are left out, which is said below; where that is not
    enough the terminal wraps lines. Where no person looks, a row is a line, as grep likes it.
    """
    texts = [[column, *(row[index].plain for row in rows)] for index, column in enumerate(columns)]
    kept = _kept(texts, console.width) if console.is_terminal else list(range(len(columns)))
    widths = _widths([texts[index] for index in kept], console.width if console.is_terminal else None)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, _GAP, 0, 0))
    for index, width in zip(kept, widths, strict=True):
        left = index < len(columns) - numbers
        column = columns[index].upper()
        table.add_column(column, justify="left" if left else "right", width=width, overflow="fold")
    for row in rows:
        table.add_row(*(row[index] for index in kept))
    usual = console.width
    console.width = max(usual, sum(widths) + _GAP * len(widths))
    try:
        console.print(table)
    finally:
        console.width = usual
    left_out = [column for index, column in enumerate(columns) if index not in kept]
    if left_out:
        console.print(Text(f"not shown, the terminal is too narrow: {', '.join(left_out)}", style="dim"))


def _kept(texts: list[list[str]], most: int) -> list[int]:
    """The columns that fit without breaking a word; those that nothing can be left out for as well."""
    kept = list(range(len(texts)))
    for spare in _SPARE:
        least = [_least(texts[index], first=index == 0) for index in kept]
        if sum(least) + _GAP * (len(kept) - 1) <= most:
            break
        kept = [index for index in kept if texts[index][0] != spare]
    return kept


def _least(column: list[str], *, first: bool) -> int:
    """The first column stays on one line; others may wrap between words."""
    words = column if first else [word for text in column for word in [*text.split(), ""]]
    return max(map(cell_len, words))


def when(time: str | None, never: str = "never") -> str:
    """A time of the hub's as a person reads it, to the minute."""
    return never if time is None else f"{time[:10]} {time[11:16]} UTC"


def _widths(texts: list[list[str]], most: int | None) -> list[int]:
    """Each column's longest word, the first column's longest text; then what is left of `most`, from left to right."""
    wholes = [max(map(cell_len, column)) for column in texts]
    if most is None:
        return wholes
    widths = [_least(column, first=index == 0) for index, column in enumerate(texts)]
    spare = most - sum(widths) - _GAP * (len(widths) - 1)
    for index, whole in enumerate(wholes):
        more = max(0, min(whole - widths[index], spare))
        widths[index] += more
        spare -= more
    return widths
