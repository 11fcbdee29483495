"""Ranges as CSV: every fault has its line, and what is written is read as the same."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_contract.text import visible
from periplus_hub.addresses.ranges.engine.csv_text import MAX_ROWS, MAX_TROUBLES, read_csv, write_csv
from periplus_hub.addresses.ranges.model import RangeUse, Wish

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VPC, OFFICE = UUID(int=1), UUID(int=2)
DOMAINS = {"vpc": VPC, "office": OFFICE}
HEADING = "cidr,domain,use,name,owner,note,expires_at\n"


def troubles(text: str) -> list[tuple[int, str]]:
    read = read_csv(text, DOMAINS, NOW)
    assert bool(read.troubles) or read.wishes is not None
    return [(each.line, each.message) for each in read.troubles]


def test_columns_may_be_missing_or_in_another_order() -> None:
    read = read_csv('use,note,cidr,domain\r\nvpc,"a, b",10.0.0.0/16,vpc\r\n\r\n', DOMAINS, NOW)
    assert read.troubles == []
    assert read.wishes == [Wish(domain_id=VPC, cidr="10.0.0.0/16", use=RangeUse.VPC, note="a, b")]


def test_columns_and_uses_are_taken_in_any_case() -> None:
    read = read_csv("CIDR,Domain,Use,Expires_At\n10.0.0.0/16,vpc,On-Premises,\n", DOMAINS, NOW)
    assert read.troubles == []
    assert read.wishes == [Wish(domain_id=VPC, cidr="10.0.0.0/16", use=RangeUse.ON_PREMISES)]
    assert troubles("CIDR,domain,use,cidr\n") == [(1, "the column 'cidr' is there twice")]


def test_families_are_mixed_and_each_is_looked_at_by_its_own_rules() -> None:
    lines = ["10.0.0.0/16,vpc,vpc", "fd00:1::/48,vpc,vpc", "fd00:1::1/48,vpc,vpc", "::ffff:10.0.0.0/112,vpc,vpc"]
    found = troubles("cidr,domain,use\n" + "\n".join(lines))
    assert [line for line, _ in found] == [4, 5]
    assert "host_bits" in found[0][1]
    assert "ipv4_mapped" in found[1][1]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("10.0.0.1/16,vpc,vpc,,,,", "host_bits"),
        ("10.0.0.0,vpc,vpc,,,,", "bad_cidr"),
        ("10.0.0.0/64,vpc,vpc,,,,", "an IPv4 address and a length of IPv6"),
        ("10.0.0.0/16 fd00::/48,vpc,vpc,,,,", "is not one range"),
        ("10.0.0.0/7,vpc,vpc,,,,", "wider than /8"),
        ("10.0.0.0/16,cloud,vpc,,,,", "there is no network domain 'cloud'"),
        ("10.0.0.0/16,vpc,home,,,,", "'home' is no use of a range"),
        ("10.0.0.0/16,vpc,vpc,,,,tomorrow", "'tomorrow' is no time"),
        ("10.0.0.0/16,vpc,vpc,,,,2025-12-31", "would expire at 2025-12-31"),
        ("10.0.0.0/16,vpc,vpc,,,,2026-06-01T00:00:00", "is no time"),
        ("10.0.0.0/16,vpc,vpc,,", "there are 5 cells under 7 columns"),
        ("10.0.0.0/16,vpc,vpc,a\u202eb,,,", "holds what cannot be seen"),
        ('10.0.0.0/16,vpc,vpc,"a"b,,,', "this is no CSV"),
        ("10.8.0.0/16,office,vpc,,,,", "10.8.0.0/16 is in line 2 already"),
    ],
)
def test_a_fault_is_named_with_its_line(line: str, told: str) -> None:
    ((where, message),) = troubles(f"{HEADING}10.8.0.0/16,office,vpc,,,,\n\n{line}\n")
    assert where == 4
    assert told in message


def test_a_line_in_quotes_over_several_lines_counts_as_those() -> None:
    assert [line for line, _ in troubles(f'{HEADING}10.8.0.0/16,vpc,vpc,"a\nb",,,\n10.9.0.1/16,vpc,vpc,,,,\n')] == [
        2,
        4,
    ]


@pytest.mark.parametrize(
    ("heading", "told"),
    [
        ("", "there is no line"),
        ("cidr,domain\n", "the column 'use' is missing"),
        ("cidr,domain,use,colour\n", "there is no column 'colour'"),
        ("cidr,domain,use,use\n", "the column 'use' is there twice"),
        ("cidr;domain;use\n", "there is no column 'cidr;domain;use'"),
        ("cidr,domain,use,\n", "there is no column an empty one"),
    ],
)
def test_a_heading_that_is_none_is_the_only_fault(heading: str, told: str) -> None:
    ((line, message),) = troubles(f"{heading}" + ("nonsense\n" if heading else ""))
    assert line == 1
    assert told in message


def test_faults_and_ranges_have_an_end() -> None:
    assert len(troubles(HEADING + "x,vpc,vpc,,,,\n" * 1_000)) == MAX_TROUBLES
    rows = "".join(f"10.{at >> 8 & 255}.{at & 255}.0/24,vpc,vpc,,,,\n" for at in range(MAX_ROWS + 1))
    assert troubles(HEADING + rows) == [(MAX_ROWS + 2, f"there are more than {MAX_ROWS:,} ranges")]


SEEN = st.text(max_size=50).filter(lambda text: visible(text) == text and text == text.strip())
ROW = st.tuples(st.integers(0, 255), SEEN, SEEN, SEEN)


@given(st.lists(ROW, unique_by=lambda row: row[0], max_size=20))
def test_what_is_written_is_read_as_the_same(rows: list[tuple[int, str, str, str]]) -> None:
    cells = [(f"10.{at}.0.0/16", "vpc", "partner", *texts, "2026-06-01T00:00:00+00:00") for at, *texts in rows]
    read = read_csv(write_csv(cells), DOMAINS, NOW)
    assert read.troubles == []
    assert [(each.cidr, "vpc", each.use.value, each.name, each.owner, each.note) for each in read.wishes] == [
        cell[:6] for cell in cells
    ]
    assert {each.expires_at for each in read.wishes} <= {datetime(2026, 6, 1, tzinfo=UTC)}
