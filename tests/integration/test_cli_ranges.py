"""Entered ranges from the command line, against a real hub."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from periplus_hub.kit.db import Database

from tests.support.terminal import RangesTerminal as Terminal
from tests.support.terminal import ranges_terminal


@pytest.fixture
async def terminal(database_url: str, db: Database, tmp_path: Path) -> AsyncIterator[Terminal]:
    async with ranges_terminal(database_url, db, tmp_path) as found:
        yield found


async def test_a_range_is_entered_listed_and_removed(terminal: Terminal) -> None:
    assert (await terminal.type("ranges", "list")).stdout == "No range is entered.\n"
    told = ("--name", "production", "--owner", "network team", "--expires", "2099-01-31")
    refused = await terminal.type("ranges", "add", "10.20.0.0/16", "--domain", "vpc", "--use", "vpc", *told, code=1)
    assert "would expire at 2099-01-31" in refused.stderr
    await terminal.type("ranges", "add", "10.20.0.0/16", "--domain", "vpc", "--use", "on-premises", *told[:4])
    await terminal.type("ranges", "add", "10.20.0.0/16", "--domain", "office", "--use", "office")
    found = await terminal.listed()
    assert [(each["cidr"], each["rangeUse"], each["networkDomain"]["name"], each["rangeSource"]) for each in found] == [
        ("10.20.0.0/16", "on-premises", "vpc", "entered"),
        ("10.20.0.0/16", "office", "office", "entered"),
    ]
    again = await terminal.type("ranges", "add", "10.20.0.0/16", "--domain", "vpc", "--use", "vpc", code=1)
    assert "10.20.0.0/16 is entered in this network domain already" in again.stderr
    two = await terminal.type("ranges", "remove", "10.20.0.0/16", code=1)
    assert "2 entered ranges are called '10.20.0.0/16'" in two.stderr
    gone = await terminal.type("ranges", "remove", "10.20.0.0/16", "--domain", "vpc")
    assert gone.stdout == "10.20.0.0/16 is not entered in vpc any more\n"
    assert [each["networkDomain"]["name"] for each in await terminal.listed()] == ["office"]
    ended = await terminal.listed("--ended", "--domain", "vpc")
    assert [(each["cidr"], each["endedAt"] is None) for each in ended] == [("10.20.0.0/16", False)]


async def test_what_is_no_range_use_or_time_is_said_with_what_is(terminal: Terminal) -> None:
    add = ("ranges", "add", "10.20.0.0/16", "--domain", "vpc", "--use")
    assert "--use 'home' is none of vpc, subnet" in (await terminal.type(*add, "home", code=64)).stderr
    await terminal.type(*add, "VPC", "--expires", "tomorrow", code=64)
    late = await terminal.type(*add, "vpc", "--expires", "tomorrow", code=64)
    assert "--expires: 'tomorrow' is no time" in late.stderr
    assert "10.20.0.1/16" in (await terminal.type("ranges", "add", "10.20.0.1/16", *add[3:], "vpc", code=64)).stderr
    wide = await terminal.type("ranges", "add", "10.0.0.0/7", *add[3:], "vpc", code=1)
    assert "'10.0.0.0/7' is wider than /8" in wide.stderr


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("10.5.0.0", "this address alone is 10.5.0.0/32"),
        ("fd00::", "this address alone is fd00::/128"),
        ("10.5.0.0/255.255.0.0", "Do you mean 10.5.0.0/16?"),
        ("10.5.0.0/0.0.255.255", "Do you mean 10.5.0.0/16?"),
    ],
)
async def test_a_range_is_typed_with_its_length(terminal: Terminal, typed: str, meant: str) -> None:
    add = ("ranges", "add", typed, "--domain", "vpc", "--use", "vpc")
    assert meant in (await terminal.type(*add, code=64)).stderr
    assert await terminal.listed() == []


async def test_programs_are_told_what_was_entered_and_removed(terminal: Terminal) -> None:
    add = ("ranges", "add", "10.20.0.0/16", "--domain", "vpc", "--use", "On-Premises", "--owner", "network team")
    made = await terminal.documents(*add)
    assert (made["cidr"], made["rangeUse"], made["owner"], made["domainName"]) == (
        "10.20.0.0/16",
        "on-premises",
        "network team",
        "vpc",
    )
    assert [each["id"] for each in await terminal.listed("--within", "10.20.3.4")] == [made["id"]]
    gone = await terminal.documents("ranges", "remove", made["id"])
    assert (gone["id"], gone["endedAt"] is None) == (made["id"], False)


async def test_whose_range_an_address_lies_in_is_said(terminal: Terminal) -> None:
    add = ("ranges", "add", "--domain", "office", "--use", "office")
    await terminal.type(*add, "192.168.0.0/16", "--name", "Berlin", "--owner", "network team")
    await terminal.type(*add, "192.168.7.0/24")
    told = await terminal.type("address", "192.168.7.9", code=1)
    assert told.stdout.splitlines() == [
        "192.168.7.9 lies in 192.168.0.0/16, entered in office as office, Berlin: ask network team",
        "192.168.7.9 lies in 192.168.7.0/24, entered in office as office: whom to ask is not said",
    ]
    assert "not known" in told.stderr
    document = json.loads((await terminal.type("address", "192.168.7.9", "--json", code=1)).stdout)
    assert [(each["cidr"], each["rangeUse"], each["owner"]) for each in document["enteredRanges"]] == [
        ("192.168.0.0/16", "office", "network team"),
        ("192.168.7.0/24", "office", ""),
    ]
    elsewhere = await terminal.type("address", "192.168.7.9", "--domain", "vpc", code=1)
    assert elsewhere.stdout == ""
    before = await terminal.type("address", "192.168.7.9", "--at", "2020-01-01", code=1)
    assert before.stdout == "", "nobody had entered it then"


CSV = """cidr,domain,use,name,owner,note,expires_at
10.1.0.0/16,vpc,vpc,production,network team,"peered, since May",
10.2.0.0/16,vpc,planned-pod,shop,,,2030-01-31
fd00:2::/48,office,office,Berlin,,,
"""


async def test_what_is_exported_is_imported_as_the_same(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "ranges.csv"
    file.write_text(CSV, encoding="utf-8-sig")
    tried = await terminal.type("ranges", "import", str(file))
    assert "+ 10.1.0.0/16 in vpc\n" in tried.stdout
    assert "3 would be new, 0 would be changed, 0 are there just so" in tried.stdout
    assert await terminal.listed() == [], "nothing is entered without --apply"
    assert "3 are new" in (await terminal.type("ranges", "import", str(file), "--apply")).stdout
    assert {each["rangeSource"] for each in await terminal.listed()} == {"csv"}
    file.write_text((await terminal.type("ranges", "export")).stdout, encoding="utf-8")
    again = await terminal.type("ranges", "import", str(file), "--apply")
    assert again.stdout == "0 are new, 0 are changed, 3 are there just so\n"
    file.write_text(file.read_text(encoding="utf-8").replace("Berlin", "Bern"), encoding="utf-8")
    told = (await terminal.type("ranges", "import", str(file), "--apply")).stdout
    assert told == "~ fd00:2::/48 in office\n0 are new, 1 are changed, 2 are there just so\n"
    assert [each["name"] for each in await terminal.listed("--domain", "office")] == ["Bern"]


async def test_a_domain_is_not_deleted_with_its_ranges_unasked(terminal: Terminal) -> None:
    for cidr in ("10.20.0.0/16", "10.30.0.0/16"):
        await terminal.type("ranges", "add", cidr, "--domain", "vpc", "--use", "vpc")
    asked = await terminal.type("domains", "delete", "vpc", code=64)
    assert "delete vpc and its 2 entered ranges: this asks first" in asked.stderr
    assert len(await terminal.listed()) == 2
    assert (await terminal.type("domains", "delete", "vpc", "--yes")).stdout == (
        "deleted vpc; 2 entered ranges ended with it\n"
    )
    assert (await terminal.type("domains", "delete", "office")).stdout == "deleted office\n"


LONG = "x" * 60 + "ö"


def many(rows: int, last: str = "") -> str:
    """More than one question takes, with characters that are longer on their way."""
    lines = [f"10.{at >> 8}.{at & 255}.0/24,vpc,subnet,{LONG}" for at in range(rows)]
    lines += [f"fd00:{at:x}::/48,office,office,{LONG}" for at in range(rows)]
    return "\n".join(["Cidr,Domain,Use,Name", *lines, last])


async def test_thousands_of_ranges_are_entered_as_one(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "ranges.csv"
    file.write_text(many(2_000, "10.9.9.9/24,vpc,vpc,last"), encoding="utf-8")
    refused = await terminal.type("ranges", "import", str(file), "--apply", code=1)
    assert "ranges.csv:4002: '10.9.9.9/24' is refused (host_bits)" in refused.stderr
    assert await terminal.listed() == []
    file.write_text(many(2_000), encoding="utf-8")
    tried = await terminal.documents("ranges", "import", str(file))
    assert (tried["applied"], tried["added"], len(tried["changes"])) == (False, 4_000, 1_000)
    assert await terminal.listed() == []
    done = await terminal.type("ranges", "import", str(file), "--apply")
    assert "and 3,900 more\n4,000 are new, 0 are changed, 0 are there just so\n" in done.stdout
    assert {each["name"] for each in await terminal.listed("--domain", "office")} == {LONG}
    again = await terminal.documents("ranges", "import", str(file), "--apply")
    assert (again["added"], again["changed"], again["same"]) == (0, 0, 4_000)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            CSV.replace("10.2.0.0/16", "10.2.0.1/16").encode(),
            "' is refused (host_bits). Clear the bits behind the prefix length, or make the length longer.\n",
        ),
        (CSV.encode("utf-16"), "ranges.csv:1: this is UTF-16"),
        (CSV.replace("Berlin", "Köln").encode("latin-1"), "ranges.csv:4: byte 0xf6 is no UTF-8"),
        (CSV.encode() + b"10.3.0.0/16,vpc,vpc,,,,\n" * 2_000, "ranges.csv:6: 10.3.0.0/16 is in line 5 already"),
        (CSV.encode() + b"\n" * 8 * 1024 * 1024, "is larger than 8 MiB, the most that one import takes"),
    ],
)
async def test_a_file_with_a_fault_changes_nothing(
    terminal: Terminal, tmp_path: Path, content: bytes, told: str
) -> None:
    file = tmp_path / "ranges.csv"
    file.write_bytes(content)
    assert told in (await terminal.type("ranges", "import", str(file), "--apply", code=1)).stderr
    assert await terminal.listed() == []
