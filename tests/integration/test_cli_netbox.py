"""Prefixes of a NetBox as entered ranges, from the command line."""

import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from periplus_hub.api.cli.netbox import outbound, read_prefixes
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Refusal

from tests.support.netbox import TOKEN, NetBox, netbox, prefix
from tests.support.terminal import RangesTerminal as Terminal
from tests.support.terminal import ranges_terminal

HTTP = outbound(ssl.create_default_context())


@pytest.fixture
def box() -> Iterator[NetBox]:
    with netbox() as ready:
        yield ready


@pytest.fixture
async def terminal(database_url: str, db: Database, tmp_path: Path) -> AsyncIterator[Terminal]:
    async with ranges_terminal(database_url, db, tmp_path) as found:
        found.env["PERIPLUS_NETBOX_TOKEN"] = TOKEN
        yield found


async def test_every_page_is_read_and_no_other_address_is_asked(box: NetBox) -> None:
    box.prefixes = [prefix(at, f"10.{at}.0.0/16", status="active" if at % 2 else "deprecated") for at in range(5)]
    found = await read_prefixes(HTTP, box.url, TOKEN, [])
    assert [(each.number, each.cidr) for each in found] == [(at, f"10.{at}.0.0/16") for at in range(5)]
    assert [path.partition("offset=")[2] for path in box.asked] == ["0", "2", "4"]
    assert [each.number for each in await read_prefixes(HTTP, box.url, TOKEN, ["active"])] == [1, 3]
    box.prefixes = []
    assert await read_prefixes(HTTP, box.url, TOKEN, []) == []


@pytest.mark.parametrize(
    ("instead", "told"),
    [
        ((403, b'{"detail": "no"}', {}), "does not let this token read prefixes (403)"),
        ((302, b"", {"Location": "https://sso.example.org/login?next=secret"}), "is elsewhere: https://sso.example"),
        ((404, b"<html>", {}), "is not NetBox's API"),
        ((200, b"<html>login</html>", {}), "is not NetBox's API"),
        ((200, b"[]", {}), "is not NetBox's API"),
        ((200, b'{"count": 1, "results": [{"id": 1}]}', {}), "a prefix without id or prefix"),
        ((200, b'{"count": 3, "results": []}', {}), "changed while they were read"),
        ((200, b'{"count": 3000000, "results": []}', {}), "has 3,000,000 prefixes"),
        ((503, b"", {}), "answers 503"),
        ((200, b"x" * (5 * 1024 * 1024), {}), "answers with more than"),
    ],
)
async def test_an_answer_that_is_none_is_said_without_the_token(
    box: NetBox, instead: tuple[int, bytes, dict[str, str]], told: str
) -> None:
    box.instead = instead
    with pytest.raises(Refusal) as refused:
        await read_prefixes(HTTP, box.url, TOKEN, [])
    assert told in refused.value.message
    assert TOKEN not in refused.value.message + refused.value.remedy
    assert "secret" not in refused.value.message


async def test_a_netbox_that_does_not_answer_is_said(box: NetBox) -> None:
    box.is_silent = True
    with pytest.raises(Refusal, match="did not answer within"):
        await read_prefixes(outbound(ssl.create_default_context(), timeout_s=0.2), box.url, TOKEN, [])


async def test_a_netbox_outside_is_only_asked_over_tls() -> None:
    with pytest.raises(Refusal, match="not encrypted"):
        await read_prefixes(HTTP, "http://198.41.0.4", TOKEN, [])


async def test_prefixes_are_entered_changed_and_removed_as_netbox_has_them(terminal: Terminal, box: NetBox) -> None:
    box.prefixes = [
        prefix(1, "10.0.0.0/8", vrf="prod", status="container", description="all of prod"),
        prefix(2, "10.1.0.0/16", vrf="prod", tenant={"name": "network team"}),
        prefix(3, "192.168.0.0/24", role={"slug": "office"}),
        prefix(4, "10.0.0.0/7", vrf="prod"),
        prefix(5, "10.9.0.0/16", vrf="lab"),
    ]
    command = ("ranges", "import-netbox", box.url, "--vrf", "prod=vpc", "--no-vrf", "office")
    tried = await terminal.type(*command, code=1)
    assert "3 would be new" in tried.stdout
    assert "10.0.0.0/7: '10.0.0.0/7' is wider than /8" in tried.stderr
    assert "1 prefixes of VRF 'lab': give --vrf 'lab=DOMAIN'" in tried.stderr
    assert await terminal.listed() == []
    assert f"1 prefix of {box.url} cannot be entered" in tried.stderr
    assert "3 are new" in (await terminal.type(*command, "--apply", code=1)).stdout
    found = {each["cidr"]: each for each in await terminal.listed()}
    assert {cidr: (each["rangeUse"], each["networkDomain"]["name"]) for cidr, each in found.items()} == {
        "10.0.0.0/8": ("vpc", "vpc"),
        "10.1.0.0/16": ("subnet", "vpc"),
        "192.168.0.0/24": ("office", "office"),
    }
    assert (found["10.1.0.0/16"]["owner"], found["10.0.0.0/8"]["name"]) == ("network team", "all of prod")
    assert {each["origin"] for each in found.values()} == {box.url}
    box.prefixes = [each for each in box.prefixes if each["id"] != 4]
    again = await terminal.type(*command, "--apply")
    assert again.stdout == "0 are new, 0 are changed, 3 are there just so\n"
    box.prefixes = box.prefixes[1:2]
    told = await terminal.type(*command, "--apply")
    assert "- 10.0.0.0/8 in vpc\n- 192.168.0.0/24 in office\n2 are not in NetBox any more, and stay" in told.stdout
    assert "2 are removed" in (await terminal.type(*command, "--apply", "--remove-vanished")).stdout
    assert [each["cidr"] for each in await terminal.listed()] == ["10.1.0.0/16"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "nothing says which network domain prefixes are in"),
        (("--vrf", "prod"), "--vrf 'prod' is not VRF=DOMAIN"),
        (("--no-vrf", "vpc", "--use", "home"), "--use 'home' is none of"),
    ],
)
async def test_what_is_asked_wrongly_is_said_before_netbox_is_asked(
    terminal: Terminal, box: NetBox, arguments: tuple[str, ...], told: str
) -> None:
    assert told in (await terminal.type("ranges", "import-netbox", box.url, *arguments, code=64)).stderr
    assert box.asked == []


async def test_without_a_token_nobody_is_asked(terminal: Terminal, box: NetBox, tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    command = ("ranges", "import-netbox", box.url, "--no-vrf", "vpc", "--netbox-token-file", missing)
    assert "none cannot be read" in (await terminal.type(*command, code=1)).stderr
    assert box.asked == []
