"""Allocators held against themselves and against pods: from what spokes send to what detectors say."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from periplus_hub.access.scope import Scope
from periplus_hub.addresses.ipam.model import PoolCheck
from periplus_hub.addresses.ipam.repository_pool_checks import SETTLED, check_pools
from periplus_hub.addresses.ipam.repository_pool_history import remember_pools
from periplus_hub.addresses.ipam.repository_pool_leaks import leaking_pools
from periplus_hub.findings.model import FindingDraft
from periplus_hub.findings.service_detect import drafts_by_detector
from periplus_hub.findings.service_facts import FactLoader
from periplus_hub.fleet.tables import registrations
from periplus_hub.kit.db import Database

from tests.integration.test_knowledge import sources
from tests.support.batches import node, upsert
from tests.support.batches import pod as pod_row
from tests.support.clock import START
from tests.support.overlap_fleet import Fleet, allocation, pool

OLD = START - SETTLED
RANGE = "10.0.0.0/16"


@pytest.fixture
async def fleet(db: Database, tenant: Scope) -> AsyncIterator[Fleet]:
    opened = Fleet.open(db, tenant)
    await opened.cluster("a")
    yield opened
    opened.door.intake.close()


def claim(cidr: str, node: str = "", **columns: Any) -> dict[str, Any]:
    return allocation("pod", cidr, node=node, **columns)


def exact(name: str, used: int, *, cidr: str = RANGE, **columns: Any) -> dict[str, Any]:
    return pool(name, quality="exact", cidrs=[cidr], used=str(used), **columns)


async def told(
    fleet: Fleet,
    *,
    pods: Sequence[dict[str, Any]] = (),
    pools: Sequence[dict[str, Any]] = (),
    claims: Sequence[dict[str, Any]] = (),
    unread: str = "",
) -> None:
    member, spoke = fleet.members["a"]
    read = [row for row in sources() if row["uid"] != unread]
    read += [upsert(unread, state="failed", reason="failed")] if unread else []
    content = {"sources": read, "pods": pods, "nodes": [node("n", name="n")]}
    await member.send(spoke.snapshot(content))
    await fleet.send("a", {"pools": pools, "allocations": claims})


async def checked(fleet: Fleet) -> PoolCheck:
    async with fleet.db.read(fleet.scope) as c:
        return (await check_pools(c, fleet.scope, [fleet.registration("a")], START))[fleet.registration("a")]


async def test_claims_of_an_allocator_that_lie_in_no_pool_of_it_are_found(fleet: Fleet) -> None:
    claims = [
        claim("10.0.1.0/24", "in-the-pool"),
        claim("10.1.1.0/24", "of-no-pool"),
        claim("10.2.0.0/16", provider="tells-no-pools"),
        claim("10.3.1.0/24", "n", provider="tells-sizes-alone"),
        claim("10.4.0.0/16", provider="has-parts"),
        claim("10.5.0.1/32", quality="seen"),
        claim("10.6.0.0/16", provider="has-parts"),
        claim("fd00:1::/64", "other-family"),
    ]
    pools = [
        pool("p"),
        pool("of-no-pool", scope="node", node="of-no-pool", cidrs=["10.1.1.0/24"]),
        pool("sizes", provider="tells-sizes-alone", quality="nominal", cidrs=["10.3.0.0/24"]),
        pool("part", provider="has-parts", scope="namespace", cidrs=["10.4.7.0/24"]),
    ]
    await told(fleet, pools=pools, claims=claims)
    assert (await checked(fleet)).blocks_outside == ("10.1.1.0/24", "10.6.0.0/16")
    pools.append(pool("q", cidrs=["10.1.0.0/17"]))
    await told(fleet, pools=pools, claims=claims)
    assert (await checked(fleet)).blocks_outside == ("10.6.0.0/16",)
    pools.append(pool("ranges are not told", provider="has-parts", cidrs=[]))
    await told(fleet, pools=pools, claims=claims)
    assert (await checked(fleet)).blocks_outside == ()


async def test_pods_outside_of_all_ranges_are_found(fleet: Fleet) -> None:
    young = OLD + timedelta(seconds=1)
    claims = [claim(RANGE), claim("10.7.0.0/24", "n"), claim("10.8.0.9/32", quality="seen"), claim("fd00::/64")]
    claims += [claim(cidr, quality="seen", source="observed") for cidr in ("10.9.1.4/32", "fd00:9::1/128")]
    pods = [
        pod_row("inside", "10.0.3.4", OLD, ipv6="fd00::5"),
        pod_row("in-a-block", "10.7.0.3", OLD),
        pod_row("seen", "10.8.0.9", OLD),
        pod_row("young", "10.9.0.1", young),
        pod_row("done", "10.9.0.2", OLD, phase="Failed"),
        pod_row("host", "10.9.0.3", OLD, host_network=True),
        pod_row("none", None, OLD),
    ]
    await told(fleet, pods=pods, claims=claims)
    assert await checked(fleet) == PoolCheck()
    pods += [pod_row("stray", "10.9.1.4", OLD, namespace="lab"), pod_row("six", "10.0.3.5", OLD, ipv6="fd00:9::1")]
    await told(fleet, pods=pods, claims=claims)
    found = await checked(fleet)
    assert (found.pods_outside, found.namespaces_outside) == (2, ("lab", "shop"))
    assert found.networks_outside == ("10.9.1.0/24", "fd00:9::/64")
    await told(fleet, pods=pods, claims=[claim("10.7.0.0/24", "n"), claim("10.8.0.9/32", quality="seen")])
    assert (await checked(fleet)).pods_outside == 0, "which range pods may use is not known"


async def test_pods_that_have_more_of_a_pool_than_is_in_use_there_are_found(fleet: Fleet) -> None:
    pods = [pod_row(str(at), f"10.0.0.{at}", OLD, node="n") for at in range(3)]
    pods += [pod_row("twice", "10.0.0.1", OLD, node="n"), pod_row("young", "10.0.0.9", START, node="n")]
    claims = [claim(RANGE)]

    async def short(*pools: dict[str, Any], **others: Any) -> tuple[str, ...]:
        await told(fleet, **{"pods": pods, "pools": pools, "claims": claims, **others})
        return (await checked(fleet)).short_pools

    assert await short(exact("enough", 3)) == ()
    assert await short(exact("short", 2)) == ("short",)
    free = exact("free", 0, capacity="100", free="98") | {"used": None}
    assert await short(free) == ("free",), "98 of 100 are free, and pods have 3"
    assert await short(free | {"free": "97"}) == ()
    assert await short(exact("cools", 3, capacity="100", free="90", cooling="7")) == ()
    assert await short(pool("counted-from-pods", used="2")) == ()
    assert await short(exact("untold", 2) | {"used": None}) == ()
    of_node = {"scope": "node", "node": "n", "cidr": "10.0.0.0/24"}
    assert await short(exact("p", 2, **of_node), exact("p", 3)) == ("p on n",)
    assert await short(exact("p", 3, **of_node), exact("q", 1, **{**of_node, "node": "other"})) == ()
    assert await short(exact("one", 2), exact("other", 2, cidr="10.0.0.0/24")) == (), "nobody knows whose they have"
    others = [*claims, claim("10.0.0.0/20", provider="another")]
    assert await short(exact("short", 2), claims=others) == (), "the other one may have given them"
    gone = [pod_row(str(at), f"10.0.0.{at}", OLD, phase="Succeeded") for at in range(3)]
    assert await short(exact("short", 2), pods=gone) == ()


async def said(fleet: Fleet, loader: FactLoader, detector: str, at: datetime = START) -> list[str] | None:
    """The titles of drafts, and what is undecided."""
    async with fleet.db.write(fleet.scope) as c:
        await c.execute(update(registrations).values(last_seen_at=at))
    async with fleet.db.read(fleet.scope) as c:
        found = (await drafts_by_detector(c, fleet.scope, at, loader))[detector]
    if found is None:
        return None
    return [each.title if isinstance(each, FindingDraft) else "undecided" for each in found]


@pytest.mark.promise("no-false-all-clear")
async def test_only_clusters_that_were_read_whole_are_checked_and_again_after_a_while(fleet: Fleet) -> None:
    against, orphaned = "allocator-against-pods", "orphaned-ranges"
    pods, loader = [pod_row("stray", "10.9.0.1", OLD)], FactLoader()
    assert await said(fleet, loader, against) == ["undecided"]
    await told(fleet, pods=pods, claims=[claim(RANGE), claim("10.1.0.0/24", "n")], pools=[pool("p")])
    assert await said(fleet, loader, against) == ["a: pods have addresses that the allocator does not count"]
    assert await said(fleet, loader, orphaned) == ["a: ranges are held that lie in no pool"]
    await told(fleet, pods=pods, claims=[claim(RANGE)], pools=[pool("p")], unread="ipam/pod-range")
    assert await said(fleet, FactLoader(), against) == ["a: pods have addresses that the allocator does not count"]
    await told(fleet, claims=[claim(RANGE)], pools=[pool("p")])
    assert await said(fleet, loader, against) != [], "it was looked at a moment ago"
    assert await said(fleet, loader, against, START + timedelta(minutes=10)) == []
    for unread in ("pods", "nodes", "apps/daemonsets", "ipam/calico"):
        await told(fleet, claims=[claim(RANGE)], pools=[pool("p")], unread=unread)
        assert await said(fleet, loader, orphaned) == ["undecided"]
    await told(fleet, claims=[claim(RANGE)], pools=[pool("p"), pool("set aside", used="-1")])
    assert await said(fleet, loader, orphaned) == ["undecided"]


async def remembered(fleet: Fleet, *leaked: tuple[int, str | None], name: str = "p") -> None:
    row = {"provider": "kubernetes", "name": name, "family": 4, "scope": "cluster", "contradictions": []}
    async with fleet.db.write(fleet.scope) as c:
        for hours_ago, number in leaked:
            told = [row | {"capacity": "1000", "free": "9", "leaked": number}]
            await remember_pools(c, fleet.scope, fleet.registration("a"), told, START - timedelta(hours=hours_ago))


async def leaks(fleet: Fleet) -> list[tuple[str, int | None]]:
    async with fleet.db.read(fleet.scope) as c:
        return [(each.name, each.growth) for each in (await leaking_pools(c, fleet.scope, 9)).pools]


async def test_a_leak_grows_where_a_day_never_had_as_few_as_the_days_before(fleet: Fleet) -> None:
    await fleet.send("a", {"pools": [pool("p", capacity="1000", leaked="60"), pool("never", leaked="0")]})
    assert await leaks(fleet) == [("p", None)], "nothing is known of its past"
    await remembered(fleet, *((hour, "50") for hour in range(1, 24)))
    assert await leaks(fleet) == [("p", None)]
    await remembered(fleet, (30, "40"), (50, "20"), (51, "900"), (24 * 8, "70"))
    assert await leaks(fleet) == [("p", 30)], "what comes and goes does not count, nor what is older than a week"
    await remembered(fleet, (40, "50"), (30, "50"))
    assert await leaks(fleet) == [], "the day before had as many"
    await remembered(fleet, (30, "40"))
    await fleet.send("a", {"pools": [pool("p", capacity="1000", used="1")]})
    assert await leaks(fleet) == [("p", None)], "it is not told any more"
    await fleet.send("a", {"pools": [pool("p", capacity="1000", leaked="0")]})
    assert await leaks(fleet) == [], "they were given back"


async def test_a_leak_is_not_known_of_a_day_of_which_little_was_heard(fleet: Fleet) -> None:
    await fleet.send("a", {"pools": [pool("p", capacity="1000", leaked="60")]})
    await remembered(fleet, *((hour, "60") for hour in range(1, 11)), (30, "40"))
    assert await leaks(fleet) == [("p", None)]
    await remembered(fleet, (11, None), (12, "60"))
    assert await leaks(fleet) == [("p", 20)]


async def test_of_a_silent_cluster_stays_true_what_was_when_it_was_last_heard(fleet: Fleet) -> None:
    old = START - timedelta(days=9)
    await fleet.send("a", {"pools": [pool("p", capacity="1000", leaked="60", observed_at=old)]})
    await remembered(fleet, *((9 * 24 + hour, "60") for hour in range(24)), (10 * 24 + 5, "40"))
    assert await leaks(fleet) == [("p", 20)]


async def test_a_leak_is_told_by_its_detector(fleet: Fleet) -> None:
    await fleet.send("a", {"pools": [pool("p", capacity="1000", leaked="60")]})
    await remembered(fleet, *((hour, "60") for hour in range(1, 24)), (30, "40"))
    loader = FactLoader()
    assert await said(fleet, loader, "leaking-pools") == ["a: more and more addresses of pool p are leaked"]
