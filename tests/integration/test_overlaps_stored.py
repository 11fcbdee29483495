"""From a spoke's ipam batch to the groups people read."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from periplus_hub.addresses.ipam import tables as ipam_tables
from periplus_hub.addresses.ipam.config import IpamConfig
from periplus_hub.addresses.overlaps import repository_groups, service_members
from periplus_hub.addresses.overlaps.jobs import OverlapsJob
from periplus_hub.addresses.overlaps.model import GroupFilter, Severity
from periplus_hub.addresses.overlaps.repository_register import register_status
from periplus_hub.addresses.overlaps.service_members import GroupRange, MembersAsk
from periplus_hub.fleet.model import Mode, ordered_pair
from periplus_hub.fleet.service import connect, disconnect, revoke
from periplus_hub.kit.windows import Window

from tests.support.batches import START
from tests.support.overlap_fleet import Fleet, allocation

POD = ("pod", "10.244.0.0/16")


@pytest.fixture
async def fleet(db: Any, tenant: Any) -> AsyncIterator[Fleet]:
    opened = Fleet.open(db, tenant)
    yield opened
    opened.door.intake.close()


async def stored(fleet: Fleet) -> list[tuple[str, str]]:
    async with fleet.db.read(fleet.scope) as c:
        table = ipam_tables.allocations
        rows = await c.rows(select(table.c.kind, table.c.cidr).order_by(table.c.first_key, table.c.last_key.desc()))
    return [(row.kind, str(row.cidr)) for row in rows]


async def test_two_clusters_with_one_default_are_a_latent_group(fleet: Fleet) -> None:
    await fleet.cluster("a", POD)
    await fleet.cluster("b", POD, ("service", "10.96.0.0/12"))
    await fleet.settle()
    (group,) = await fleet.groups()
    assert (group.cidr, group.severity, group.clusters, group.members, group.pairs) == (
        "10.244.0.0/16",
        Severity.LATENT,
        2,
        2,
        1,
    )
    assert fleet.published[-1]["revision"] > 0


async def test_only_what_differs_is_touched_and_since_is_kept(fleet: Fleet) -> None:
    await fleet.cluster("a", POD, ("node", "192.168.0.1/32"))
    table = ipam_tables.allocations
    async with fleet.db.read(fleet.scope) as c:
        before = {row.cidr: (row.since, row.xmin) for row in await c.rows(_rows_with_version(table))}
    await fleet.report("a", POD, ("node", "192.168.0.2/32"))
    async with fleet.db.read(fleet.scope) as c:
        after = {row.cidr: (row.since, row.xmin) for row in await c.rows(_rows_with_version(table))}
    assert sorted(map(str, after)) == ["10.244.0.0/16", "192.168.0.2/32"]
    kept = before.keys() & after.keys()
    assert [before[key] for key in kept] == [after[key] for key in kept]


def _rows_with_version(table: Any) -> Any:
    from sqlalchemy import literal_column  # noqa: PLC0415 - only here

    return select(table.c.cidr, table.c.since, literal_column("allocations.xmin::text").label("xmin"))


async def test_the_same_set_again_is_no_revision(fleet: Fleet) -> None:
    await fleet.cluster("a", POD)
    first = await fleet.settle()
    await fleet.report("a", POD)
    assert await fleet.settle() == first


async def test_while_nothing_changes_it_is_said_every_minute_that_the_groups_are_right(fleet: Fleet) -> None:
    async def known_at() -> int:
        async with fleet.db.read(fleet.scope) as c:
            at = (await register_status(c, fleet.scope)).at
        assert at is not None
        return round((at - START).total_seconds())

    await fleet.cluster("a", POD)
    seen = []
    for second in (0, 1, 59, 60, 61, 119, 120, 600):
        await fleet.settle(second)
        seen.append(await known_at())
    assert seen == [0, 0, 0, 60, 60, 60, 120, 600]


@pytest.mark.promise("late-sets-change-nothing")
async def test_pools_only_says_unchanged_and_a_late_set_is_not_applied(fleet: Fleet) -> None:
    await fleet.cluster("a", POD)
    member, spoke = fleet.members["a"]
    late = spoke.ipam({"pools": [], "allocations": [allocation("pod", "10.1.0.0/16")]})
    newer = spoke.ipam({"pools": [], "allocations": [allocation("pod", "10.2.0.0/16")]})
    await member.send(newer)
    await member.send(late)
    await fleet.send("a", {})
    assert await stored(fleet) == [("pod", "10.2.0.0/16")]


@pytest.mark.promise("late-sets-change-nothing")
async def test_an_older_set_still_counts_when_only_pools_overtook_it(fleet: Fleet) -> None:
    await fleet.cluster("a", POD)
    member, spoke = fleet.members["a"]
    older = spoke.ipam({"pools": [], "allocations": [allocation("pod", "10.1.0.0/16")]})
    await member.send(spoke.ipam({"pools": []}))
    await member.send(older)
    assert await stored(fleet) == [("pod", "10.1.0.0/16")]


@pytest.mark.promise("the-rest-goes-on")
async def test_impossible_cidrs_are_set_aside_and_the_rest_is_kept(fleet: Fleet) -> None:
    await fleet.cluster("a")
    bad = ("10.0.0.1/8", "0.0.0.0/0", "::ffff:10.0.0.0/104", "ten/8", "10.0.0.0/33")
    bad += ("0.0.0.0/1", "10.0.0.0/7", "fd00::/8", "2000::/3", "fd00::/15")
    bad += ("127.0.0.0/16", "169.254.1.0/24", "224.0.0.0/4", "::1/128", "fe80::/64", "ff02::/16")
    answer = await fleet.report("a", POD, *(("pod", cidr) for cidr in bad), ("planned", "10.3.0.0/16"))
    assert answer.rejected == {
        "host_bits": 1,
        "default_route": 1,
        "ipv4_mapped": 1,
        "bad_cidr": 2,
        "too_wide": 5,
        "bad_kind": 1,
        "no_range_of_a_cluster": 6,
    }
    assert await stored(fleet) == [POD]


async def test_the_widest_ranges_that_somebody_may_use_are_kept(fleet: Fleet) -> None:
    await fleet.cluster("a")
    widest = (("pod", "10.0.0.0/8"), ("pod", "fd00::/16"))
    assert (await fleet.report("a", *widest)).rejected == {}
    assert await stored(fleet) == list(widest)


async def test_of_each_kind_so_many_ranges_are_kept_and_the_others_set_aside(db: Any, tenant: Any) -> None:
    fleet = Fleet.open(db, tenant, IpamConfig(max_ranges_of_a_kind=2))
    pods = [("pod", f"10.{number}.0.0/16") for number in (3, 1, 4, 2, 2)]
    await fleet.cluster("a")
    answer = await fleet.report("a", *pods, ("node", "192.168.0.1/32"), ("node", "192.168.0.2/32"))
    assert answer.rejected == {"too_many_ranges": 2}
    kept = [("pod", "10.1.0.0/16"), ("pod", "10.2.0.0/16"), ("node", "192.168.0.1/32"), ("node", "192.168.0.2/32")]
    assert await stored(fleet) == kept
    assert (await fleet.report("a", *reversed(pods))).rejected == {"too_many_ranges": 2}
    assert await stored(fleet) == kept[:2], "whatever order they come in"
    fleet.door.intake.close()


async def test_several_sources_of_one_range_are_one_row_of_the_most_trusted(fleet: Fleet) -> None:
    await fleet.cluster("a")
    sources = ("observed pods", "kubeadm-config", "ippools.crd.projectcalico.org", "nodes.spec.podCIDRs")
    rows = [allocation(*POD, source=source) for source in sources]
    await fleet.send("a", {"allocations": rows})
    found = await fleet.ask("{allocations{nodes{source}}}")
    assert found["allocations"]["nodes"] == [{"source": "ippools.crd.projectcalico.org"}]


@pytest.mark.promise("overlaps-keep-their-age")
async def test_a_group_keeps_identity_and_since_while_its_root_overlaps(fleet: Fleet) -> None:
    await fleet.cluster("a", POD)
    await fleet.cluster("b", POD)
    await fleet.settle()
    (before,) = await fleet.groups()
    await fleet.cluster("c", POD)
    await fleet.settle(60)
    (after,) = await fleet.groups()
    assert (after.id, after.since, after.clusters) == (before.id, before.since, 3)
    assert after.changed_at == START + timedelta(seconds=60)


@pytest.mark.promise("overlaps-keep-their-age")
async def test_a_new_outline_inherits_since_and_others_keep_theirs(fleet: Fleet) -> None:
    await fleet.cluster("a", POD, ("pod", "10.10.0.0/16"))
    await fleet.cluster("b", POD)
    await fleet.settle()
    await fleet.cluster("c", ("pod", "10.10.0.0/16"))
    await fleet.settle(60)
    before = {group.cidr: (group.id, group.since, group.changed_at) for group in await fleet.groups()}
    await fleet.report("b", ("pod", "10.240.0.0/12"))
    await fleet.settle(120)
    other = "10.10.0.0/16"
    after = {group.cidr: (group.since, group.clusters) for group in await fleet.groups()}
    assert after == {"10.240.0.0/12": (START, 2), other: (before[other][1], 2)}
    await fleet.report("b", POD)
    await fleet.settle(180)
    again = {group.cidr: (group.id, group.since, group.changed_at) for group in await fleet.groups()}
    assert (again[other], again[POD[1]][1]) == (before[other], START)


async def test_an_overlap_that_ends_is_gone(fleet: Fleet) -> None:
    await fleet.cluster("a", POD)
    await fleet.cluster("b", POD)
    await fleet.settle()
    await fleet.report("b", ("pod", "10.245.0.0/16"))
    await fleet.settle()
    assert await fleet.groups() == []


@pytest.mark.promise("overlaps-are-exact")
async def test_another_leader_goes_on_from_what_is_stored(fleet: Fleet) -> None:
    await fleet.cluster("a", POD)
    await fleet.cluster("b", POD)
    await fleet.settle()
    (before,) = await fleet.groups()
    taken_over = OverlapsJob(fleet.db)
    await fleet.cluster("c", POD)
    await taken_over.refresh(fleet.scope.tenant_id, START + timedelta(seconds=60))
    await fleet.report("c", ("pod", "10.9.0.0/16"))
    await fleet.settle(120)
    (after,) = await fleet.groups()
    assert (after.id, after.since, after.clusters) == (before.id, before.since, 2)


@pytest.mark.promise("tenants-are-apart")
async def test_another_tenant_sees_nothing(fleet: Fleet, other_tenant: Any) -> None:
    await fleet.cluster("a", POD)
    await fleet.cluster("b", POD)
    await fleet.settle()
    (group,) = await fleet.groups()
    asked = repository_groups.GroupAsk(GroupFilter(), START)
    async with fleet.db.read(fleet.scope) as c:
        assert await repository_groups.group_rows(c, other_tenant, [group.id], START) == {}
        pages = await repository_groups.clusters_of_groups(c, other_tenant, [group.id], Window(10), asked)
        assert pages[group.id].rows == []
        ask = (GroupRange(group.cidr, accepted=False), Window(10), MembersAsk())
        found = await service_members.members(c, other_tenant, [ask[0]], *ask[1:])
        assert (found[ask[0]].page.rows, found[ask[0]].total) == ([], 0)
        assert (await register_status(c, other_tenant)).latest == 0


async def test_the_register_is_not_current_while_a_revoked_cluster_is_still_in_it(fleet: Fleet) -> None:
    async def current() -> bool:
        found: bool = (await fleet.ask("{ overlapRegister { current } }"))["overlapRegister"]["current"]
        return found

    await fleet.cluster("a", POD)
    await fleet.cluster("b", POD)
    assert not await current()
    await fleet.settle()
    assert await current()
    async with fleet.db.write(fleet.scope) as c:
        await revoke(c, fleet.scope, fleet.db.clock, fleet.registration("b"))
    assert not await current()
    await fleet.settle(60)
    assert (await current(), await fleet.groups()) == (True, [])


@pytest.mark.promise("overlaps-are-exact")
async def test_a_leader_that_comes_back_does_not_trust_what_it_remembers(fleet: Fleet) -> None:
    await fleet.cluster("a", POD)
    await fleet.cluster("b", POD)
    await fleet.settle()
    async with fleet.db.write(fleet.scope) as c:
        homes = [await fleet.domain_of(c, fleet.registration(name)) for name in "ab"]
        await connect(c, fleet.scope, ordered_pair(*homes), Mode.FLAT, now=START)
    await OverlapsJob(fleet.db).refresh(fleet.scope.tenant_id, START)
    assert [group.severity for group in await fleet.groups()] == [Severity.CONFLICT]
    async with fleet.db.write(fleet.scope) as c:
        await disconnect(c, fleet.scope, ordered_pair(*homes), now=START)
    await fleet.settle(60)
    assert [group.severity for group in await fleet.groups()] == [Severity.LATENT]
