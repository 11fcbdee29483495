"""`periplus pools` against a real hub."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from periplus_hub.access.scope import system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.kit.db import Database

from tests.support.batches import node, upsert
from tests.support.batches import pod as pod_row
from tests.support.overlap_fleet import Fleet, pool
from tests.support.terminal import Terminal, asking


@pytest.fixture
async def fleet(db: Database) -> AsyncIterator[Fleet]:
    opened = Fleet.open(db, system_scope(await ensure_default_tenant(db), "test"))
    await opened.cluster("a")
    yield opened
    opened.door.intake.close()


@pytest.fixture
async def terminal(database_url: str, fleet: Fleet, tmp_path: Path) -> AsyncIterator[Terminal]:
    async with asking(database_url, tmp_path) as env:
        yield Terminal(env | {"COLUMNS": "80"})


async def test_the_fullest_pools_come_first_and_doubts_are_said(terminal: Terminal, fleet: Fleet) -> None:
    assert (await terminal.type("pools")).stdout == "No pools.\n"
    nothing = await terminal.type("pools", "--full", "0.9", code=1)
    assert "nothing is known to be so full, but not known whole: a and no pool is known" in nothing.stderr
    told = [
        pool("quiet", capacity="200", used="1", free="199"),
        pool("nearly", capacity="100000", used="99999", free="1"),
        pool("odd", capacity="10", used="8", free="8"),
        pool("n2", scope="node", node="n2", cidrs=["10.0.2.0/24"], capacity="256", free="256"),
        pool("of-node", scope="node", node="n1", family=6, cidrs=["fd00::/64"], capacity=str(2**64), free=str(2**63)),
    ]
    await fleet.send("a", {"pools": told})
    lines = (await terminal.type("pools")).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["POOL", "nearly", "of-node", "quiet", "n2", "odd"]
    assert lines[1].split() == ["nearly", "a", "cluster", "addresses", "99", "%", "1", "100000"]
    assert lines[2].split()[:5] == ["of-node", "on", "n1", "IPv6", "a"]
    assert lines[2].split()[-4:] == ["50", "%", "9.22e+18", "1.84e+19"]
    assert lines[4].split()[:2] == ["n2", "a"], "the name of its node is not said twice"
    assert max(map(len, lines)) <= 80
    full = await terminal.type("pools", "--full", "0.9")
    assert [line.split()[0] for line in full.stdout.splitlines()] == ["POOL", "nearly"]
    assert "it is not known how full 1 pool is and not known whole: a" in full.stderr
    odd = (await terminal.type("pools", "--cluster", "a")).stderr
    assert "what is told of odd of a contradicts itself: its parts are 16 addresses, of 10" in odd
    found, _ = await terminal.documents("pools", "--scope", "node")
    assert (found["free"], found["limitedBy"], found["fill"]) == (2**63, "addresses", "ample")


async def test_of_a_cluster_that_is_not_known_whole_nothing_full_is_no_news(terminal: Terminal, fleet: Fleet) -> None:
    """However it is named."""
    await fleet.send("a", {"pools": [pool("quiet", capacity="200", used="1", free="199")]})
    identity = str(fleet.registration("a"))
    for named in ("a", identity, identity.upper(), f"Cluster:{identity}"):
        nothing = await terminal.type("pools", "--cluster", named, "--full", "0.9", code=1)
        assert "nothing is known to be so full, but not known whole: a" in nothing.stderr


async def test_nodes_namespaces_and_teams_are_listed(terminal: Terminal, fleet: Fleet) -> None:
    member, spoke = fleet.members["a"]
    pods = [pod_row(str(at), f"10.0.0.{at}", node="busy") for at in range(9)]
    machines = [node("busy", name="busy", pods_allocatable=9), node("idle", name="idle", pods_allocatable=9)]
    spaces = [upsert("1", name="shop", labels=["team=web"])]
    await member.send(spoke.snapshot({"nodes": machines, "pods": pods, "namespaces": spaces}))
    lines = (await terminal.type("pools", "--by", "node", "--full", "0.9")).stdout.splitlines()
    assert [line.split() for line in lines[1:]] == [["busy", "a", "pods", "100", "%", "9", "9", "unknown"]]

    async def of_the_pools(*told: dict[str, Any]) -> list[str]:
        await fleet.send("a", {"pools": told})
        (_, line) = (await terminal.type("pools", "--by", "namespace")).stdout.splitlines()
        assert line.split()[:5] == ["shop", "a", "9", "9", "0"]
        return line.split()[5:]

    assert await of_the_pools() == ["unknown"]
    assert await of_the_pools(pool("p", capacity="1000")) == ["under", "1", "%"]
    assert await of_the_pools(pool("p", capacity="90")) == ["10", "%"]
    (team,) = await terminal.documents("pools", "--by", "team")
    assert (team["name"], team["pods"], team["ipv4Addresses"], team["taken"]) == ("web", 9, 9, None)


@pytest.mark.parametrize("wrong", [("--by", "team", "--full", "0.5"), ("--by", "node", "--scope", "lb")])
async def test_what_cannot_be_asked_is_a_usage_error(terminal: Terminal, wrong: tuple[str, ...]) -> None:
    assert (await terminal.type("pools", *wrong, code=64)).stderr
