"""How network domains, acceptances and plans decide what an overlap is."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from periplus_hub.access.scope import Role, role_scope
from periplus_hub.addresses.overlaps import repository_groups, service_acceptances, service_explanations
from periplus_hub.addresses.overlaps.model import Relation, Severity
from periplus_hub.addresses.overlaps.service_pairs import PairAsk, pair_pages, pair_views
from periplus_hub.fleet.model import Mode, State, ordered_pair
from periplus_hub.fleet.repository import all_registrations
from periplus_hub.fleet.service import connect, disconnect, move_clusters, revoke
from periplus_hub.kit.cursors import encode_cursor
from periplus_hub.kit.db import count_statements
from periplus_hub.kit.errors import Conflict, Forbidden, Invalid, NotFound
from periplus_hub.kit.windows import Window

from tests.support.batches import START
from tests.support.overlap_fleet import Fleet, joined

BETWEEN = """query($a: ID!, $b: ID!, $after: String) { overlapsBetween(clusterA: $a, clusterB: $b) {
  total overlaps(first: 2, after: $after) {
    nodes { a { cidr } b { cidr } } pageInfo { hasNextPage endCursor } totalCount
  }
} }"""
POD = ("pod", "10.244.0.0/16")
SERVICE = ("service", "10.96.0.0/12")
DAY = timedelta(days=1)


@pytest.fixture
async def fleet(db: Any, tenant: Any) -> AsyncIterator[Fleet]:
    opened = Fleet.open(db, tenant)
    yield opened
    opened.door.intake.close()


@pytest.fixture
async def two(fleet: Fleet) -> Fleet:
    """Two isolated clusters with the same pod and service range."""
    await fleet.cluster("a", POD, SERVICE)
    await fleet.cluster("b", POD, SERVICE)
    await fleet.settle()
    return fleet


async def domains(fleet: Fleet) -> tuple[Any, Any]:
    async with fleet.db.read(fleet.scope) as c:
        found = {each.id: each.domain_id for each in await all_registrations(c, fleet.scope, [State.ACTIVE])}
    return found[fleet.registration("a")], found[fleet.registration("b")]


async def severities(fleet: Fleet, seconds: float = 0) -> dict[str, Severity]:
    await fleet.settle(seconds)
    return {group.cidr: group.severity for group in await fleet.groups(seconds)}


@pytest.mark.parametrize(
    ("mode", "pod", "service_range"),
    [
        (Mode.FLAT, Severity.CONFLICT, Severity.BLOCKS_FEDERATION),
        (Mode.PLANNED, Severity.BLOCKS_FEDERATION, Severity.BLOCKS_FEDERATION),
        (Mode.NAT, Severity.INTENDED, Severity.INTENDED),
    ],
)
async def test_a_connection_decides_and_its_end_undoes(
    two: Fleet, mode: Mode, pod: Severity, service_range: Severity
) -> None:
    pair = ordered_pair(*await domains(two))
    async with two.db.write(two.scope) as c:
        await connect(c, two.scope, pair, mode, now=START)
    assert await severities(two) == {POD[1]: pod, SERVICE[1]: service_range}
    async with two.db.write(two.scope) as c:
        await disconnect(c, two.scope, pair, now=START)
    assert await severities(two) == {POD[1]: Severity.LATENT, SERVICE[1]: Severity.LATENT}


async def test_moving_into_one_domain_is_a_conflict_of_the_same_group(two: Fleet) -> None:
    before = {group.cidr: group.id for group in await two.groups()}
    home, _ = await domains(two)
    before_it = await two.settle()
    async with two.db.write(two.scope) as c:
        await move_clusters(c, two.scope, home, [two.registration("b")], now=START)
    assert await two.settle() > before_it
    assert await severities(two) == {POD[1]: Severity.CONFLICT, SERVICE[1]: Severity.BLOCKS_FEDERATION}
    assert {group.cidr: group.id for group in await two.groups()} == before


async def test_a_revoked_cluster_overlaps_with_nobody(two: Fleet) -> None:
    async with two.db.write(two.scope) as c:
        await revoke(c, two.scope, two.db.clock, two.registration("b"))
    assert await severities(two) == {}


async def test_a_cluster_can_collide_with_itself(fleet: Fleet) -> None:
    await fleet.cluster("a", ("service", "10.0.0.0/16"), ("node", "10.0.3.4/32"), ("pod", "10.1.0.0/16"))
    assert await severities(fleet) == {"10.0.0.0/16": Severity.CONFLICT}
    (group,) = await fleet.groups()
    assert (group.clusters, group.pairs) == (1, 1)
    async with fleet.db.read(fleet.scope) as c:
        explanation = (await service_explanations.explain_groups(c, fleet.scope, [group]))[group.id]
    assert "kube-proxy" in explanation.breaks[0]


async def test_a_join_is_answered_without_touching_what_is_stored(two: Fleet) -> None:
    await two.cluster("c", ("pod", "10.244.7.0/24"))
    await two.settle()
    stored = await two.groups()
    async with two.db.read(two.scope) as c:
        report = await joined(c, two.scope)
        only = await joined(c, two.scope, two.registration("a"), two.registration("c"))
    assert {group.severity for group in report.groups} == {Severity.BLOCKS_FEDERATION}
    assert [(group.cidr, group.clusters) for group in report.groups] == [(POD[1], 3), (SERVICE[1], 2)]
    assert [(group.cidr, group.clusters) for group in only.groups] == [(POD[1], 2)]
    (group,) = only.groups
    assert {share.registration_id for share in group.shares} == {two.registration("a"), two.registration("c")}
    assert await two.groups() == stored


async def test_the_clusters_of_a_join_come_worst_first_and_then_by_name(fleet: Fleet) -> None:
    for name in ("d", "b", "a", "c"):
        await fleet.cluster(name, POD)
    await fleet.settle()
    document = (
        "query($after: String) { overlapGroups(ifAllJoined: true) { nodes {"
        " clusters(first: 3, after: $after) { nodes { clusterName cluster { name } } pageInfo { endCursor } } } } }"
    )
    pages, after = [], None
    for _ in range(2):
        (group,) = (await fleet.ask(document, after=after))["overlapGroups"]["nodes"]
        pages.append([node["clusterName"] for node in group["clusters"]["nodes"]])
        after = group["clusters"]["pageInfo"]["endCursor"]
    assert pages == [["a", "b", "c"], ["d"]]


async def test_two_clusters_are_compared_on_demand(two: Fleet) -> None:
    a, b = two.registration("a"), two.registration("b")
    await two.report("a", POD, ("pod", "10.244.1.0/24"), ("node", "10.100.0.1/32"))
    ask = PairAsk(a, b, START)
    async with two.db.read(two.scope) as c:
        view = (await pair_views(c, two.scope, [ask]))[ask]
        page = (await pair_pages(c, two.scope, [(ask, view)], Window(10), ()))[ask, view]
    assert view.relation is Relation.ISOLATED
    assert view.counts[Severity.LATENT] == sum(view.counts.values()) == 3
    assert {(row.a.cidr, row.b.cidr, str(row.pair.cidr)) for row in page.rows} == {
        (POD[1], POD[1], POD[1]),
        ("10.244.1.0/24", POD[1], "10.244.1.0/24"),
        ("10.100.0.1/32", SERVICE[1], "10.100.0.1/32"),
    }
    assert all(row.explanation.why and row.explanation.breaks for row in page.rows)
    async with two.db.read(two.scope) as c:
        with pytest.raises(Invalid):
            await pair_views(c, two.scope, [PairAsk(a, a, START)])


async def test_the_pairs_of_two_clusters_are_paged_and_counted_whole(two: Fleet) -> None:
    ends = {"a": two.id_of("a"), "b": two.id_of("b")}
    await two.report("a", POD, *(("pod", f"10.244.{number}.0/24") for number in range(5)))
    await two.report("b", POD, ("node", "10.244.3.9/32"))
    seen, after, more = [], None, True
    while more:
        found = (await two.ask(BETWEEN, **ends, after=after))["overlapsBetween"]
        page = found["overlaps"]
        assert (found["total"], page["totalCount"], len(page["nodes"]) <= 2) == ("8", 8, True)
        seen += [(node["a"]["cidr"], node["b"]["cidr"]) for node in page["nodes"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert len(set(seen)) == len(seen) == 8
    foreign = await two.knock(BETWEEN, **ends, after=encode_cursor((1, 2), "overlap_pairs"))
    assert foreign.codes == ["invalid"]


async def test_an_acceptance_holds_until_it_ends(two: Fleet) -> None:
    async with two.db.write(two.scope) as c:
        accepted = await service_acceptances.accept_overlap(
            c, two.scope, POD[1], "behind a gateway", START + DAY, START
        )
    (group,) = await two.groups(severities=(Severity.INTENDED,))
    assert (group.cidr, group.acceptance_id) == (POD[1], accepted.id)
    async with two.db.read(two.scope) as c:
        assert (await repository_groups.severity_counts(c, two.scope, START))[Severity.INTENDED] == 1
    assert await two.groups(DAY.total_seconds(), severities=(Severity.INTENDED,)) == []


async def test_an_acceptance_can_be_withdrawn_once(two: Fleet) -> None:
    async with two.db.write(two.scope) as c:
        accepted = await service_acceptances.accept_overlap(
            c, two.scope, POD[1], "behind a gateway", START + DAY, START
        )
    async with two.db.write(two.scope) as c:
        withdrawn = await service_acceptances.withdraw_acceptance(c, two.scope, accepted.id, START)
    assert withdrawn.withdrawn_at == START
    assert await two.groups(severities=(Severity.INTENDED,)) == []
    async with two.db.write(two.scope) as c:
        with pytest.raises(Conflict):
            await service_acceptances.withdraw_acceptance(c, two.scope, accepted.id, START)


async def test_acceptances_are_checked(two: Fleet, other_tenant: Any) -> None:
    viewer = role_scope(two.scope.tenant_id, "eve", Role.VIEWER)
    later = START + DAY
    cases = [
        (viewer, POD[1], "because", later, Forbidden),
        (two.scope, POD[1], " ", later, Invalid),
        (two.scope, POD[1], "because", START, Invalid),
        (two.scope, POD[1], "because", START + 1000 * DAY, Invalid),
        (two.scope, "10.9.0.0/16", "because", later, NotFound),
        (two.scope, "10.9.0.1/16", "because", later, Invalid),
        (other_tenant, POD[1], "because", later, NotFound),
    ]
    for scope, cidr, reason, expires_at, refusal in cases:
        async with two.db.write(two.scope) as c:
            with pytest.raises(refusal):
                await service_acceptances.accept_overlap(c, scope, cidr, reason, expires_at, START)


async def test_groups_are_found_by_cluster_domain_family_and_range(two: Fleet) -> None:
    await two.cluster("c", ("pod", "fd00:1::/64"), ("service", "10.96.0.0/16"))
    await two.cluster("d", ("pod", "fd00:1::/64"))
    await two.settle()
    home, _ = await domains(two)
    a, c_, d = (two.registration(name) for name in "acd")

    async def found(**filters: Any) -> set[str]:
        return {group.cidr for group in await two.groups(**filters)}

    assert await found() == {POD[1], SERVICE[1], "fd00:1::/64"}
    assert await found(family=6) == {"fd00:1::/64"}
    assert await found(registration_ids=(a, c_)) == {SERVICE[1]}
    assert await found(registration_ids=(d,)) == {"fd00:1::/64"}
    assert await found(domain_ids=(home,)) == {POD[1], SERVICE[1]}
    assert await found(within="10.244.3.0/24") == {POD[1]}
    assert await found(within="10.0.0.0/8") == {POD[1], SERVICE[1]}


async def test_pages_of_groups_follow_the_worst(two: Fleet) -> None:
    document = (
        "query($after:String){overlapGroups(first:1 after:$after){edges{cursor node{cidr}} pageInfo{hasNextPage}}}"
    )
    seen, after, more = [], None, True
    while more:
        page = (await two.ask(document, after=after))["overlapGroups"]
        seen += [edge["node"]["cidr"] for edge in page["edges"]]
        after, more = page["edges"][-1]["cursor"], page["pageInfo"]["hasNextPage"]
    assert seen == [SERVICE[1], POD[1]]


async def test_turning_pages_reads_the_allocations_once_until_something_changes(two: Fleet) -> None:
    async def reads() -> int:
        with count_statements() as counted:
            async with two.db.read(two.scope) as c:
                await joined(c, two.scope)
        return counted.total

    first, again = await reads(), await reads()
    assert again < first
    await two.report("b", POD)
    assert await reads() == first
    assert await reads() == again
    async with two.db.write(two.scope) as c:
        await revoke(c, two.scope, two.db.clock, two.registration("a"))
    async with two.db.read(two.scope) as c:
        assert (await joined(c, two.scope)).groups == ()
