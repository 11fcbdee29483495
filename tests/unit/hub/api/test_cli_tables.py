"""Tables of the command line at any width."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.api.cli.rich_text import Console, Text
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
    wanted = {word for row in ROWS for cell in row for word in cell.plain.split()} | set(map(str.upper, COLUMNS))
    assert {word for line in printed(width, terminal=True) for word in line.split()} == wanted


def test_what_is_wider_than_the_terminal_is_a_list() -> None:
    assert [line.rstrip() for line in printed(20, terminal=True)] == [
        *("NAME   analytics-eemshaven", "WHERE  gcp", "       europe-west4"),
        *("NOTE   made with its", "       cluster", "PODS   17", ""),
        *("NAME   lab", "WHERE  –", "NOTE", "PODS   ?"),
    ]


WORDS = st.one_of(st.text("abc-", min_size=1, max_size=110), st.uuids().map(lambda each: f"Cluster:{each}"))
CELLS = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS, st.integers(0, 10**9).map("{:,}".format)), min_size=1, max_size=4))
def test_every_table_fits_80_columns_and_breaks_nothing_that_is_copied(rows: list[tuple[str, ...]]) -> None:
    heads, indent = ["ID", "OWNER", "NOTE", "BYTES"], len("OWNER  ")
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=True, color_system=None)
    print_table([head.lower() for head in heads], [tuple(map(Text, row)) for row in rows], console, numbers=1)
    lines = stream.getvalue().splitlines()
    is_list = lines[0].split() != heads
    wide = [line for line in lines if len(line.rstrip()) > 80]
    assert [line for line in wide if not is_list or len(line[indent:].split()) > 1] == []
    told = [word for row in rows for cell in row for word in cell.split()] + heads * (len(rows) if is_list else 1)
    assert sorted(word for line in lines for word in line.split()) == sorted(told)


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


@pytest.mark.parametrize(("width", "printed"), [(8, "NAME lab RTT in us 900"), (80, "NAME RTT in us lab 900")])
def test_a_unit_keeps_its_letters(width: int, printed: str) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=True, color_system=None)
    print_table(("name", "rtt in us"), [(Text("lab"), Text("900"))], console, numbers=1)
    assert " ".join(stream.getvalue().split()) == printed
