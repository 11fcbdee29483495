"""Tables without broken words, whatever the width, and lines without trailing blanks where a file takes them."""

import io
import re
import sys
from collections.abc import Sequence
from typing import Final, TextIO, cast

from rich.cells import cell_len
from rich.containers import Lines
from rich.table import Table

from periplus_hub.api.cli.rich_text import Console, Text

_GAP: Final = 2
_WORD: Final = re.compile(r"(\S+)\s*")
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
    enough each row is a list of its cells. Where no person looks, a row is a line, as grep likes it.
    """
    texts = [[column, *(row[index].plain for row in rows)] for index, column in enumerate(columns)]
    width = console.width if console.is_terminal else None
    kept = list(range(len(columns))) if width is None else _kept(texts, width)
    if width is not None and _least_width([texts[index] for index in kept]) > width:
        _print_lists(columns, rows, console)
        return
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, _GAP, 0, 0))
    widths = _widths([texts[index] for index in kept], width)
    for index, each in zip(kept, widths, strict=True):
        left = index < len(columns) - numbers
        column = _heading(columns[index])
        table.add_column(column, justify="left" if left else "right", width=each, overflow="fold")
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
        print_text(Text(f"not shown, the terminal is too narrow: {', '.join(left_out)}", style="dim"), console)


def _print_lists(columns: Sequence[str], rows: Sequence[Sequence[Text]], console: Console) -> None:
    """What is as wide as it must be: one cell a line, rows apart."""
    indent = max(map(cell_len, columns)) + _GAP
    for number, row in enumerate(rows):
        if number:
            console.print()
        for column, cell in zip(columns, row, strict=True):
            print_labelled(Text(f"{_heading(column):<{indent}}", style="dim"), cell, console)


def _heading(column: str) -> str:
    """In capital letters, but for a unit behind "in", whose letters mean something: US would be no microseconds."""
    name, divider, unit = column.partition(" in ")
    return f"{name.upper()}{divider}{unit}"


def print_text(text: Text, console: Console) -> None:
    """A text that wraps between words."""
    print_labelled(Text(), text, console)


def print_labelled(label: Text, text: Text, console: Console) -> None:
    """A text that wraps beside its label, between words: one that is too wide, like an id, stays whole to be copied."""
    indent = label.cell_len
    for number, line in enumerate(_lines(text, console.width - indent)):
        line.rstrip()
        console.print(Text.assemble(label if number == 0 else " " * indent, line), soft_wrap=True)


def _lines(text: Text, width: int) -> Lines:
    """Rich's own wrapping breaks what is too wide, or cuts it off."""
    starts, used = [], 0
    for word in _WORD.finditer(text.plain):
        if used and used + cell_len(word[1]) > width:
            starts.append(word.start())
            used = 0
        used += cell_len(word[0])
    return text.divide(starts)


def _kept(texts: list[list[str]], most: int) -> list[int]:
    """The columns that fit without breaking a word; those that nothing can be left out for as well."""
    kept = list(range(len(texts)))
    for spare in _SPARE:
        if _least_width([texts[index] for index in kept]) <= most:
            break
        kept = [index for index in kept if texts[index][0] != spare]
    return kept


def _least_width(texts: list[list[str]]) -> int:
    """Of the whole table."""
    return sum(_least(column, first=index == 0) for index, column in enumerate(texts)) + _GAP * (len(texts) - 1)


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
