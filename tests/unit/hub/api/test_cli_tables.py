"""Tables of the command line at any width."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from periplus_hub.api.cli.tables import Trimmed, print_table

COLUMNS = ("name", "where", "note", "pods")
ROWS = [
    tuple(map(Text, ("analytics-eemshaven", "gcp europe-west4", "made with its cluster", "17"))),
    tuple(map(Text, ("lab", "–", "", "?"))),
]


def printed(width: int, *, terminal: bool) -> list[str]:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=terminal, color_system=None)
    print_table(COLUMNS, ROWS, console, numbers=1)
    assert console.width == width
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("width", [20, 50, 60, 80, 120])
def test_no_word_is_ever_broken(width: int) -> None:
    words = {word for line in printed(width, terminal=True) for word in line.split()}
    wanted = {word for row in ROWS for cell in row for word in cell.plain.split()}
    assert words == wanted | {column.upper() for column in COLUMNS}


def test_cells_wrap_where_that_makes_the_table_fit() -> None:
    assert max(map(len, printed(60, terminal=True))) <= 60
    assert len(printed(60, terminal=True)) > 3


@pytest.mark.parametrize("width", [20, 80])
def test_a_pipe_gets_one_line_a_row(width: int) -> None:
    assert len(printed(width, terminal=False)) == 3


def test_numbers_are_aligned_right() -> None:
    _, first, second = printed(80, terminal=False)
    assert first.rstrip().endswith("17")
    assert second.rstrip().index("?") == first.rstrip().index("17") + 1


def test_a_file_gets_no_trailing_blanks() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    print_table(COLUMNS, ROWS, Console(file=Trimmed(stream), width=80), numbers=0)
    stream.seek(0)
    lines = stream.read().splitlines()
    assert lines == [line.rstrip() for line in lines]
    assert lines[1].split()[0] == "analytics-eemshaven"
