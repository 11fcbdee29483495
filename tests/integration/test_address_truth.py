"""What a cluster claims, what it only uses, whom it is in the way of, and what it does wrong with itself."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from periplus_hub.fleet.service import isolate_clusters, move_clusters

from tests.support.batches import START
from tests.support.overlap_fleet import Fleet, allocation

GROUPS = """query($joined: Boolean! = false, $first: Int! = 50, $after: String) {
  overlapGroups(ifAllJoined: $joined) { nodes {
    cidr severity why breaks remedies clusterCount memberCount pairCount
    clusters { nodes { clusterName severity kinds memberCount } }
    members(first: $first, after: $after) {
      nodes { clusterName kind cidr node source quality claim reach severity } totalCount
      pageInfo { hasNextPage endCursor }
    }
  } }
}"""
ALLOCATIONS = "{ allocations { nodes { id cidr kind node quality claim reach source name } } }"
AGAIN = "query($id: ID!) { node(id: $id) { ... on Allocation { cidr node } } }"
SET_REACH = """mutation($ids: [ID!]!, $reach: Reach!, $reason: String!) {
  setReach(clusters: $ids, kind: POD, reach: $reach, reason: $reason) {
    __typename ... on CorrectedReach { clusters { reachCorrections { kind reach reason } } }
    ... on Problem { message remedy }
  }
}"""
CLEAR_REACH = """mutation($ids: [ID!]!) {
  clearReach(clusters: $ids, kind: POD) { __typename ... on Problem { message remedy } }
}"""
SET_OF_DOMAIN = """mutation($id: ID!, $reach: Reach!) {
  setReach(domains: [$id], kind: POD, reach: $reach, reason: "all of them are overlays") {
    __typename ... on CorrectedReach { domains { reachCorrections { kind reach } } clusters { id } }
    ... on Problem { message remedy }
  }
}"""
CLEAR_OF_DOMAIN = """mutation($id: ID!) {
  clearReach(domains: [$id], kind: POD) { __typename ... on Problem { message remedy } }
}"""
OF_WHOM = "{ allocations { nodes { reach reachCorrected cluster { name } } } }"
CORRECTED = "{ allocations { nodes { reach reachCorrected } } }"
BETWEEN = """query($a: ID!, $b: ID!, $after: String) { overlapsBetween(clusterA: $a, clusterB: $b) {
  severity total overlaps(first: 1, after: $after) {
    nodes { severity why a { cidr node } b { cidr node } } pageInfo { hasNextPage endCursor }
  }
} }"""


@pytest.fixture
async def fleet(db: Any, tenant: Any) -> AsyncIterator[Fleet]:
    opened = Fleet.open(db, tenant)
    yield opened
    opened.door.intake.close()


async def holds(fleet: Fleet, name: str, *rows: dict[str, Any]) -> None:
    """A cluster whose complete set this is."""
    if name not in fleet.members:
        await fleet.cluster(name)
    await fleet.send(name, {"allocations": list(rows)})


async def one_network(fleet: Fleet, *names: str) -> None:
    async with fleet.db.write(fleet.scope) as c:
        home = await fleet.domain_of(c, fleet.registration(names[0]))
        await move_clusters(c, fleet.scope, home, [fleet.registration(name) for name in names[1:]], now=START)


async def groups(fleet: Fleet, seconds: float = 0, **variables: Any) -> dict[str, Any]:
    await fleet.settle(seconds)
    return {each["cidr"]: each for each in (await fleet.ask(GROUPS, **variables))["overlapGroups"]["nodes"]}


def node(address: str, name: str) -> dict[str, Any]:
    return allocation("node", f"{address}/32", node=name, name=name, source="nodes")


def pods(cidr: str, **columns: Any) -> dict[str, Any]:
    return allocation("pod", cidr, **columns)


async def test_three_machines_with_one_address_are_three_rows_and_a_conflict(fleet: Fleet) -> None:
    await holds(fleet, "lab", *(node("10.0.2.15", f"lab-{number}") for number in (1, 2, 3)), node("10.0.2.16", "lab-4"))
    group = (await groups(fleet))["10.0.2.15/32"]
    assert (group["severity"], group["clusterCount"], group["memberCount"], group["pairCount"]) == (
        "CONFLICT",
        "1",
        "3",
        "3",
    )
    assert "report the same address" in group["why"]
    assert "--node-ip" in group["remedies"][0]
    members = group["members"]["nodes"]
    assert {each["node"] for each in members} == {"lab-1", "lab-2", "lab-3"}
    assert {each["severity"] for each in members} == {"CONFLICT"}
    rows = (await fleet.ask(ALLOCATIONS))["allocations"]["nodes"]
    assert [each["node"] for each in rows] == ["lab-1", "lab-2", "lab-3", "lab-4"]
    for each in rows:
        again = (await fleet.ask(AGAIN, id=each["id"]))["node"]
        assert again == {"cidr": each["cidr"], "node": each["node"]}


async def test_members_that_differ_only_in_their_node_are_paged_one_by_one(fleet: Fleet) -> None:
    await holds(fleet, "lab", *(node("10.0.2.15", f"lab-{number}") for number in range(5)))
    found, after = [], None
    for _ in range(9):
        page = (await groups(fleet, first=2, after=after))["10.0.2.15/32"]["members"]
        assert page["totalCount"] == 5
        found += [each["node"] for each in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert sorted(found) == [f"lab-{number}" for number in range(5)]


async def test_a_machine_that_gets_an_address_of_its_own_ends_the_conflict(fleet: Fleet) -> None:
    await holds(fleet, "lab", node("10.0.2.15", "lab-1"), node("10.0.2.15", "lab-2"))
    assert len(await groups(fleet)) == 1
    await holds(fleet, "lab", node("10.0.2.15", "lab-1"), node("10.0.2.16", "lab-2"))
    assert await groups(fleet, 60) == {}


async def test_one_block_on_two_nodes_is_a_conflict_and_a_block_in_the_clusters_pool_is_none(fleet: Fleet) -> None:
    pool = pods("10.244.0.0/16", source="IPPool default")
    await holds(fleet, "a", pool, pods("10.244.1.0/24", node="n1"), pods("10.244.2.0/24", node="n2"))
    assert await groups(fleet) == {}
    await holds(fleet, "a", pool, pods("10.244.1.0/24", node="n1"), pods("10.244.1.0/24", node="n2"))
    (group,) = (await groups(fleet, 60)).values()
    assert (group["severity"], group["pairCount"]) == ("CONFLICT", "1")
    assert "same block" in group["why"]
    assert {each["node"]: each["severity"] for each in group["members"]["nodes"]} == {
        "": None,
        "n1": "CONFLICT",
        "n2": "CONFLICT",
    }


async def test_a_pod_range_over_the_nodes_of_its_own_cluster_is_a_conflict(fleet: Fleet) -> None:
    await holds(fleet, "attic", pods("10.42.0.0/16"), node("10.42.0.20", "attic-1"), node("192.168.7.7", "attic-2"))
    group = (await groups(fleet))["10.42.0.0/16"]
    assert group["severity"] == "CONFLICT"
    assert "pod range of a cluster covers nodes" in group["why"]
    assert group["clusters"]["nodes"] == [
        {"clusterName": "attic", "severity": "CONFLICT", "kinds": ["POD", "NODE"], "memberCount": "2"}
    ]


async def test_pods_with_addresses_of_the_nodes_own_network_are_legal(fleet: Fleet) -> None:
    await holds(fleet, "eks", pods("10.40.3.20/32", quality="seen"), node("10.40.3.17", "n1"), node("10.40.3.20", "n2"))
    assert await groups(fleet) == {}


async def test_a_pool_of_load_balancers_may_cover_nobody_and_an_address_in_use_may_be_a_nodes(fleet: Fleet) -> None:
    in_use = allocation("loadbalancer", "192.168.7.11/32", source="services", quality="seen")
    await holds(fleet, "pi", node("192.168.7.11", "pi-1"), in_use)
    assert await groups(fleet) == {}
    pool = allocation("loadbalancer", "192.168.7.0/24", source="IPAddressPool lan", name="lan")
    await holds(fleet, "pi", node("192.168.7.11", "pi-1"), in_use, pool)
    (group,) = (await groups(fleet, 60)).values()
    assert (group["cidr"], group["severity"]) == ("192.168.7.0/24", "CONFLICT")
    assert "out of the pool" in group["remedies"][0]


async def test_overlays_in_one_network_hurt_nobody_until_somebody_joins_them(fleet: Fleet) -> None:
    for name in ("blue", "green"):
        await holds(fleet, name, pods("10.244.0.0/16", reach="masqueraded"))
    await one_network(fleet, "blue", "green")
    group = (await groups(fleet))["10.244.0.0/16"]
    assert group["severity"] == "LATENT"
    assert "in one network" in group["why"]
    assert "isolated" not in group["why"]
    assert "rebuild" not in " ".join(group["remedies"])
    assert (await groups(fleet, joined=True))["10.244.0.0/16"]["severity"] == "LATENT"
    await holds(fleet, "green", pods("10.244.0.0/16"))
    group = (await groups(fleet, 60))["10.244.0.0/16"]
    assert group["severity"] == "CONFLICT"
    assert "not known" in group["why"]
    reaches = {each["clusterName"]: each["reach"] for each in group["members"]["nodes"]}
    assert reaches == {"blue": "MASQUERADED", "green": "UNKNOWN"}


@pytest.mark.promise("changes-are-audited")
async def test_a_person_who_knows_better_corrects_the_reach_and_the_overlaps_follow(fleet: Fleet) -> None:
    for name in ("blue", "green"):
        await holds(fleet, name, pods("10.244.0.0/16", reach="routed"))
    await one_network(fleet, "blue", "green")
    before = (await groups(fleet))["10.244.0.0/16"]
    assert before["severity"] == "CONFLICT"
    ids = [fleet.id_of("blue"), fleet.id_of("green")]
    said = (await fleet.ask(SET_REACH, ids=ids, reach="MASQUERADED", reason="  it is an overlay "))["setReach"]
    correction = {"kind": "POD", "reach": "MASQUERADED", "reason": "it is an overlay"}
    assert [each["reachCorrections"] for each in said["clusters"]] == [[correction]] * 2
    group = (await groups(fleet, 60))["10.244.0.0/16"]
    assert group["severity"] == "LATENT"
    assert {each["reach"] for each in group["members"]["nodes"]} == {"MASQUERADED"}
    rows = (await fleet.ask(CORRECTED))["allocations"]["nodes"]
    assert rows == [{"reach": "MASQUERADED", "reachCorrected": True}] * 2
    await fleet.ask(CLEAR_REACH, ids=ids[:1])
    assert (await groups(fleet, 120))["10.244.0.0/16"]["severity"] == "CONFLICT"


async def reaches(fleet: Fleet) -> dict[str, tuple[str, bool]]:
    """Of the one allocation of each cluster: its reach, and whether a person said so."""
    rows = (await fleet.ask(OF_WHOM))["allocations"]["nodes"]
    return {each["cluster"]["name"]: (each["reach"], each["reachCorrected"]) for each in rows}


@pytest.mark.promise("changes-are-audited")
async def test_what_is_said_of_a_domain_holds_for_clusters_that_join_it_later(fleet: Fleet) -> None:
    for name in ("blue", "green", "late"):
        await holds(fleet, name, pods("10.244.0.0/16", reach="routed"))
    await one_network(fleet, "blue", "green")
    async with fleet.db.read(fleet.scope) as c:
        home = f"NetworkDomain:{await fleet.domain_of(c, fleet.registration('blue'))}"
    assert (await groups(fleet))["10.244.0.0/16"]["severity"] == "CONFLICT"
    said = (await fleet.ask(SET_OF_DOMAIN, id=home, reach="MASQUERADED"))["setReach"]
    assert said["domains"] == [{"reachCorrections": [{"kind": "POD", "reach": "MASQUERADED"}]}]
    assert (await groups(fleet, 60))["10.244.0.0/16"]["severity"] == "LATENT"
    assert await reaches(fleet) == dict.fromkeys(("blue", "green"), ("MASQUERADED", True)) | {"late": ("ROUTED", False)}
    await one_network(fleet, "blue", "late")
    group = (await groups(fleet, 120))["10.244.0.0/16"]
    assert (group["severity"], group["clusterCount"]) == ("LATENT", "3")
    assert {each["reach"] for each in group["members"]["nodes"]} == {"MASQUERADED"}
    assert (await reaches(fleet))["late"] == ("MASQUERADED", True)
    assert (await fleet.ask(CLEAR_OF_DOMAIN, id=home))["clearReach"]["__typename"] == "CorrectedReach"
    assert (await groups(fleet, 180))["10.244.0.0/16"]["severity"] == "CONFLICT"
    assert set((await reaches(fleet)).values()) == {("ROUTED", False)}
    assert "nobody corrected" in (await fleet.ask(CLEAR_OF_DOMAIN, id=home))["clearReach"]["message"]


async def test_what_is_said_of_a_cluster_wins_over_what_is_said_of_its_domain(fleet: Fleet) -> None:
    for name in ("blue", "green"):
        await holds(fleet, name, pods("10.244.0.0/16"))
    await one_network(fleet, "blue", "green")
    async with fleet.db.read(fleet.scope) as c:
        home = f"NetworkDomain:{await fleet.domain_of(c, fleet.registration('blue'))}"
    await fleet.ask(SET_REACH, ids=[fleet.id_of("blue")], reach="ROUTED", reason="BGP to the fabric")
    await fleet.ask(SET_OF_DOMAIN, id=home, reach="MASQUERADED")
    assert await reaches(fleet) == {"blue": ("ROUTED", True), "green": ("MASQUERADED", True)}
    group = (await groups(fleet))["10.244.0.0/16"]
    assert group["severity"] == "CONFLICT"
    assert {each["clusterName"]: each["reach"] for each in group["members"]["nodes"]} == {
        "blue": "ROUTED",
        "green": "MASQUERADED",
    }
    await fleet.ask(CLEAR_REACH, ids=[fleet.id_of("blue")])
    assert (await groups(fleet, 60))["10.244.0.0/16"]["severity"] == "LATENT"
    assert await reaches(fleet) == dict.fromkeys(("blue", "green"), ("MASQUERADED", True))


async def test_a_cluster_that_leaves_a_domain_leaves_what_was_said_of_it(fleet: Fleet) -> None:
    for name in ("blue", "green"):
        await holds(fleet, name, pods("10.244.0.0/16", reach="routed"))
    await one_network(fleet, "blue", "green")
    async with fleet.db.read(fleet.scope) as c:
        home = await fleet.domain_of(c, fleet.registration("blue"))
    await fleet.ask(SET_OF_DOMAIN, id=f"NetworkDomain:{home}", reach="MASQUERADED")
    async with fleet.db.write(fleet.scope) as c:
        await isolate_clusters(c, fleet.scope, [fleet.registration("green")], now=START)
    assert await reaches(fleet) == {"blue": ("MASQUERADED", True), "green": ("ROUTED", False)}


async def test_what_cannot_be_said_of_reach_is_refused(fleet: Fleet) -> None:
    await holds(fleet, "blue", pods("10.244.0.0/16"))
    ids = [fleet.id_of("blue")]
    for asked in ({"reach": "UNKNOWN", "reason": "who knows"}, {"reach": "ROUTED", "reason": " x "}):
        assert (await fleet.ask(SET_REACH, ids=ids, **asked))["setReach"]["__typename"] == "Invalid"
    external = await fleet.ask(SET_REACH.replace("POD", "EXTERNAL"), ids=ids, reach="ROUTED", reason="they are")
    assert "POD, SERVICE or NODE" in external["setReach"]["remedy"]
    assert "nobody corrected" in (await fleet.ask(CLEAR_REACH, ids=ids))["clearReach"]["message"]


async def test_joining_isolated_overlays_is_not_possible_as_they_are(fleet: Fleet) -> None:
    for name in ("blue", "green"):
        await holds(fleet, name, pods("10.244.0.0/16", reach="masqueraded"))
    assert (await groups(fleet, joined=True))["10.244.0.0/16"]["severity"] == "BLOCKS_FEDERATION"


@pytest.mark.parametrize("joined", [True, False])
async def test_a_service_range_of_the_provider_is_told_by_what_it_hinders(fleet: Fleet, joined: bool) -> None:
    for name in ("west", "north"):
        await holds(fleet, name, allocation("service", "34.118.224.0/20", source="servicecidr"))
    if not joined:
        await one_network(fleet, "west", "north")
    group = (await groups(fleet, joined=joined))["34.118.224.0/20"]
    assert group["severity"] == "LATENT"
    assert "Submariner without Globalnet" in group["breaks"][0]
    assert "Istio" in group["breaks"][0]
    assert "service range" not in " ".join(group["remedies"])


async def test_one_pool_in_two_clusters_is_a_conflict_of_the_pools(fleet: Fleet) -> None:
    for name in ("hall", "yard"):
        pool = allocation("loadbalancer", "172.25.140.128/25", source="IPAddressPool lan", name="lan")
        await holds(fleet, name, pool)
    await one_network(fleet, "hall", "yard")
    group = (await groups(fleet))["172.25.140.128/25"]
    assert group["severity"] == "CONFLICT"
    assert "out of one of the pools" in group["remedies"][0]
    assert {(each["source"], each["claim"]) for each in group["members"]["nodes"]} == {("IPAddressPool lan", True)}


async def test_rows_say_how_they_are_known_and_how_far_they_reach(fleet: Fleet) -> None:
    await holds(
        fleet,
        "a",
        pods("10.0.0.0/16", quality="nominal", source="kubeadm-config", reach="routed"),
        pods("10.9.0.7/32", quality="seen", source="pods"),
        pods("10.9.1.0/24", quality="of later", reach="of later"),
    )
    rows = (await fleet.ask(ALLOCATIONS))["allocations"]["nodes"]
    assert [(each["quality"], each["claim"], each["reach"]) for each in rows] == [
        ("NOMINAL", True, "ROUTED"),
        ("SEEN", False, "UNKNOWN"),
        ("UNKNOWN", True, "UNKNOWN"),
    ]


async def test_of_several_sources_of_one_row_a_claim_wins_over_addresses_in_use(fleet: Fleet) -> None:
    await holds(
        fleet,
        "a",
        pods("10.0.0.7/32", quality="seen", source="cilium"),
        pods("10.0.0.7/32", source="nodes"),
        pods("10.0.0.7/32", source="kubeadm-config", node="n1"),
    )
    rows = (await fleet.ask(ALLOCATIONS))["allocations"]["nodes"]
    assert [(each["node"], each["source"], each["claim"]) for each in rows] == [
        ("", "nodes", True),
        ("n1", "kubeadm-config", True),
    ]


async def test_pairs_of_two_clusters_tell_nodes_apart_and_go_on_page_by_page(fleet: Fleet) -> None:
    await holds(fleet, "a", pods("10.0.1.0/24", node="n1"), pods("10.0.1.0/24", node="n2"))
    await holds(fleet, "b", pods("10.0.0.0/16"))
    await fleet.settle(timedelta(seconds=1).total_seconds())
    found, after = [], None
    for _ in range(5):
        between = (await fleet.ask(BETWEEN, a=fleet.id_of("a"), b=fleet.id_of("b"), after=after))["overlapsBetween"]
        page = between["overlaps"]
        found += [each["a"]["node"] for each in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert (between["total"], sorted(found)) == ("2", ["n1", "n2"])
