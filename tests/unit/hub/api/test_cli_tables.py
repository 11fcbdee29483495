"""Tables of the command line at any width."""

import io

import pytest

from periplus_hub.api.cli.plain import Console, Text
from periplus_hub.api.cli.tables import Trimmed, print_table

LEFT_OUT = "not shown, the terminal is too narrow: "
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
    text, _, said = "\n".join(printed(width, terminal=True)).partition(LEFT_OUT[: min(len(LEFT_OUT), 10)])
    left_out = [each for each in COLUMNS if each in said]
    lines = text.splitlines()
    kept = [index for index, column in enumerate(COLUMNS) if column not in left_out]
    wanted = {word for row in ROWS for index in kept for word in row[index].plain.split()}
    assert {word for line in lines for word in line.split()} == wanted | {COLUMNS[index].upper() for index in kept}
    assert left_out == {20: ["where", "pods"]}.get(width, [])


def test_the_fleet_fits_80_columns_with_what_matters_most() -> None:
    columns = ("cluster", "state", "last heard", "domain", "where", "version", "cni", "nodes", "pods", "services")
    row = ("analytics-eemshaven", "incomplete", "2026-01-01 10:00 UTC", "shop-production", "aws eu-central-1")
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=True, color_system=None)
    print_table(columns, [tuple(map(Text, (*row, "v1.36.3", "aws-vpc-cni", "12", "3,400", "58")))], console, numbers=3)
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert {"CLUSTER", "STATE", "HEARD", "DOMAIN", "NODES"} <= set(lines[0].split()) | set(lines[1].split())
    assert lines[-1].startswith(LEFT_OUT)
    assert "cni" in lines[-1]


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
