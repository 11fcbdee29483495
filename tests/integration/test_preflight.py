"""Pre-flight through the GraphQL door: what passes, what fails, what nobody can say; of whom, and at what cost."""

from collections.abc import AsyncIterator, Iterable
from ipaddress import ip_network
from itertools import combinations
from typing import Any

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.addresses.ipam.engine.knowledge import FEEDING
from periplus_hub.addresses.ranges.model import RangeUse, Wish
from periplus_hub.addresses.ranges.service import add_range
from periplus_hub.fleet.service import revoke
from periplus_hub.kit.db import Database, count_statements

from tests.support.batches import Spoke, upsert
from tests.support.clock import START, FakeClock
from tests.support.graphql_hub import Answer, door, token_for
from tests.support.hub_db import make_tenant
from tests.support.overlap_fleet import Fleet, allocation
from tests.support.spokes_door import Member

PREFLIGHT = """query Preflight(
  $into: [FederationTarget!], $clusters: [ID!], $planned: [PlannedClusterInput!], $networksEntered: Boolean! = false
) {
  preflight(into: $into, clusters: $clusters, planned: $planned, networksEntered: $networksEntered) {
    verdict notLookedAt clusters { count names } notKnownWhole { count names }
    ways { target name verdict waysOut moveCount moves { clusterName kind cidr why insteadOf } rules {
      name asks verdict source because lacks trusts rangeCount
      ranges { cidr clusterCount uses { clusterName kinds } entered { cidr what name owner note networkDomain } }
    } }
  }
}"""
PLAN = "query($clusters: [ID!]) { plan(clusters: $clusters) { proposals { kind cidr } } }"
RANGES = {
    "red": (("pod", "10.244.0.0/16"), ("service", "10.96.0.0/16"), ("node", "10.0.1.5/32")),
    "tan": (("pod", "10.244.0.0/16"), ("service", "10.97.0.0/16"), ("node", "10.0.2.5/32")),
    "jet": (("pod", "10.245.0.0/16"), ("service", "10.98.0.0/16"), ("node", "10.0.3.5/32")),
}
GATEWAYS = {"ISTIO_MULTI_NETWORK", "LINKERD_GATEWAY"}
TRANSLATED = {"SUBMARINER_GLOBALNET", "SKUPPER"}


async def told(fleet: Fleet, name: str, *cnis: str, aliases: Iterable[str] = (), **states: str) -> None:
    """The cluster's inventory, with what it says of itself."""
    member, spoke = fleet.members[name]
    sources = [upsert(each, state=states.get(each, "ok"), reason=None, objects=1) for each in FEEDING]
    about = upsert(f"uid-{name}", cnis=list(cnis), aliases=list(aliases))
    await member.send(spoke.snapshot({"sources": sources, "cluster": [about]}))


@pytest.fixture
async def fleet(db: Database, tenant: Scope) -> AsyncIterator[Fleet]:
    """red and tan collide; jet collides with nobody. All are known whole, run Cilium and have pods that are routed."""
    opened = Fleet.open(db, tenant)
    for name, ranges in RANGES.items():
        await opened.cluster(name)
        rows = [allocation(kind, cidr, reach="routed" if kind == "pod" else None) for kind, cidr in ranges]
        await opened.send(name, {"allocations": rows})
        await told(opened, name, "cilium", aliases=[f"cilium={name}"])
    yield opened
    opened.door.intake.close()


async def knock(fleet: Fleet, *names: str, scope: Scope | None = None, **variables: Any) -> Answer:
    token = await token_for(fleet.db, scope or fleet.scope, Role.VIEWER)
    clusters = [fleet.id_of(name) for name in names] or None
    return await door(fleet.db, FakeClock(START)).ask(PREFLIGHT, token, **{"clusters": clusters, **variables})


async def judged(fleet: Fleet, *names: str, **variables: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await knock(fleet, *names, **variables)).good["preflight"]
    return found


def verdicts(found: dict[str, Any]) -> dict[str, set[str]]:
    """The ways by verdict."""
    by_verdict: dict[str, set[str]] = {}
    for way in found["ways"]:
        by_verdict.setdefault(way["verdict"], set()).add(way["target"])
    return by_verdict


def rule(found: dict[str, Any], target: str, name: str) -> dict[str, Any]:
    (way,) = (each for each in found["ways"] if each["target"] == target)
    (wanted,) = (each for each in way["rules"] if each["name"] == name)
    return dict(wanted)


@pytest.mark.promise("preflight-passes-what-is-known")
async def test_clusters_that_collide_nowhere_can_be_joined_in_every_way_that_is_known(fleet: Fleet) -> None:
    found = await judged(fleet, "red", "jet")
    # No API server tells what else is in a VPC, or routed.
    unknown = {"VPC_PEERING", "TRANSIT_GATEWAY", "PLAIN_ROUTING"}
    assert verdicts(found) == {
        "PASS": {"CILIUM_CLUSTER_MESH", "SUBMARINER", "ISTIO_FLAT", "LINKERD_FLAT"} | GATEWAYS | TRANSLATED,
        "FAIL": {"ANTREA"},
        "UNKNOWN": unknown,
    }
    assert found["verdict"] == "FAIL"
    assert found["clusters"] == {"count": 2, "names": ["jet", "red"]}
    assert found["notKnownWhole"] == {"count": 0, "names": []}
    assert rule(found, "ANTREA", "antrea-everywhere")["because"] == ["Antrea does not run in jet and red: cilium."]
    (mesh,) = (await judged(fleet, "red", "jet", into=["CILIUM_CLUSTER_MESH"]))["ways"]
    assert (mesh["name"], mesh["verdict"], mesh["waysOut"]) == ("Cilium Cluster Mesh", "PASS", [])


async def test_what_is_in_the_way_is_told_with_what_to_do_the_cheapest_first(fleet: Fleet) -> None:
    found = await judged(fleet, into=["CILIUM_CLUSTER_MESH"])
    pods = rule(found, "CILIUM_CLUSTER_MESH", "pods-and-nodes-differ")
    uses = [{"clusterName": name, "kinds": ["POD"]} for name in ("red", "tan")]
    assert pods["ranges"] == [{"cidr": "10.244.0.0/16", "clusterCount": 2, "uses": uses, "entered": []}]
    assert (pods["verdict"], pods["rangeCount"]) == ("FAIL", 1)
    assert pods["source"] == "https://docs.cilium.io/en/stable/network/clustermesh/clustermesh/"
    (way,) = found["ways"]
    others = "Submariner with Globalnet, Skupper, Linkerd with gateways, Istio on several networks"
    (move,) = way["moves"]
    assert (move["clusterName"], move["kind"], move["insteadOf"]) == ("tan", "POD", ["10.244.0.0/16"])
    assert way["waysOut"] == [
        f"Join them in a way that passes as they are: {others}.",
        f"Give tan {move['cidr']} for its pods ({move['why']}); in the way is what it has in 10.244.0.0/16.",
    ]
    plan = await fleet.ask(PLAN, clusters=[fleet.id_of("tan")])
    assert move["cidr"] in [each["cidr"] for each in plan["plan"]["proposals"] if each["kind"] == "POD"]


@pytest.mark.promise("preflight-passes-what-is-known")
async def test_what_is_not_known_passes_nothing_and_hides_no_failure(fleet: Fleet) -> None:
    await told(fleet, "tan", "cilium", aliases=["cilium=tan"], nodes="forbidden")
    found = await judged(fleet, "red", "tan", "jet")
    assert found["notKnownWhole"] == {"count": 1, "names": ["tan"]}
    assert verdicts(found)["PASS"] == {"SKUPPER"}
    assert "CILIUM_CLUSTER_MESH" in verdicts(found)["FAIL"]
    hidden = rule(found, "CILIUM_CLUSTER_MESH", "services-hide-no-pods-or-nodes")
    assert hidden["verdict"] == "UNKNOWN"
    assert hidden["lacks"][0].startswith(
        "Not all pods and nodes of tan are known without nodes (forbidden). It takes the right to list and watch nodes."
    )


async def test_unknown_reach_leaves_routes_open_and_masqueraded_pods_are_no_flat_network(fleet: Fleet) -> None:
    await fleet.report("red", *RANGES["red"])
    found = await judged(fleet, "red", "tan")
    routes = rule(found, "PLAIN_ROUTING", "routes-differ")
    assert (routes["verdict"], routes["ranges"][0]["cidr"]) == ("UNKNOWN", "10.244.0.0/16")
    assert "Whether pods of red are reached from outside" in routes["lacks"][0]
    assert rule(found, "LINKERD_FLAT", "pods-routed")["verdict"] == "UNKNOWN"
    rows = [allocation(kind, cidr, reach="masqueraded" if kind == "pod" else None) for kind, cidr in RANGES["red"]]
    await fleet.send("red", {"allocations": rows})
    found = await judged(fleet, "red", "jet")
    assert rule(found, "LINKERD_FLAT", "pods-routed")["verdict"] == "FAIL"
    assert rule(found, "PLAIN_ROUTING", "routes-differ")["verdict"] == "PASS"


async def test_names_and_plugins_that_nobody_told_are_not_known(fleet: Fleet) -> None:
    await fleet.cluster("new", *RANGES["red"])
    await told(fleet, "new")
    await told(fleet, "jet", "cilium", aliases=["cilium=default"])
    await told(fleet, "tan", "cilium", aliases=["cilium=default"])
    found = await judged(fleet, into=["CILIUM_CLUSTER_MESH"])
    assert rule(found, "CILIUM_CLUSTER_MESH", "cilium-everywhere")["lacks"] == [
        "Which network plugin runs in new is not known."
    ]
    names = rule(found, "CILIUM_CLUSTER_MESH", "mesh-names-differ")
    assert names["verdict"] == "FAIL"
    assert names["because"][0].startswith("Cilium's cluster-name is 'default' in jet and tan.")
    assert names["lacks"][0].startswith("Cilium's cluster-name of new is not known")


async def test_clusters_that_wait_for_approval_pass_nothing(fleet: Fleet) -> None:
    member = Member(fleet.door, "new")
    await member.enrol(await fleet.door.join_token(fleet.scope))
    fleet.members["new"] = (member, Spoke(member.registration))
    for names in ((), ("jet", "new")):
        found = await judged(fleet, *names, into=["SUBMARINER"])
        assert found["notKnownWhole"]["names"] == ["new"]
        lacks = rule(found, "SUBMARINER", "routes-hide-no-nodes")["lacks"]
        assert lacks == ["new waits for approval, so nothing is known of it: 'periplus clusters approve new'."]


async def test_revoked_clusters_are_not_joined(fleet: Fleet) -> None:
    async with fleet.db.write(fleet.scope) as c:
        await revoke(c, fleet.scope, FakeClock(START), fleet.registration("tan"))
    assert (await judged(fleet))["clusters"]["names"] == ["jet", "red"]
    refused = await knock(fleet, "red", "tan")
    assert refused.codes == ["not-found"]
    assert refused.errors[0]["message"] == "'tan' is revoked"


async def test_a_planned_cluster_is_judged_by_what_its_plan_says(fleet: Fleet) -> None:
    plan = {"name": "shop-ap", "pods": ["10.96.0.0/14"]}
    found = await judged(fleet, "red", planned=[plan])
    pods = rule(found, "SUBMARINER", "pods-and-services-differ")
    assert (pods["verdict"], pods["ranges"][0]["cidr"]) == ("FAIL", "10.96.0.0/14")
    nodes = rule(found, "SUBMARINER", "routes-hide-no-nodes")
    assert nodes["lacks"] == ["The plan of shop-ap does not say: range for nodes and service range."]
    whole = {"name": "shop-ap", "pods": ["10.64.0.0/16"], "services": ["10.65.0.0/16"], "nodes": ["10.66.0.0/24"]}
    found = await judged(fleet, "red", planned=[whole], into=["CILIUM_CLUSTER_MESH", "SUBMARINER"])
    assert found["verdict"] == "PASS"


@pytest.mark.parametrize(
    ("names", "planned", "said"),
    [
        (("red",), [], "'red' is alone: joining takes two"),
        (("red", "red"), [], "'red' is alone"),
        ((), [{"name": "red"}], "two clusters are called 'red'"),
        (("red",), [{"name": "a\tb"}], "no name for a cluster"),
        (("red",), [{"name": f"new-{number}"} for number in range(51)], "51 clusters are planned"),
        (("red",), [{"name": "new", "services": ["0.0.0.0/0"]}], "'0.0.0.0/0' is refused"),
        (
            ("red",),
            [{"name": "new", "pods": ["10.64.0.0/16"], "services": ["10.64.8.0/24"]}],
            "the plan of new has 10.64.8.0/24 for services and 10.64.0.0/16 for pods",
        ),
        (
            ("red",),
            [{"name": "new", "nodes": ["10.66.0.0/24"], "services": ["10.64.0.0/14"]}],
            "the plan of new has 10.64.0.0/14 for services and 10.66.0.0/24 for nodes",
        ),
    ],
)
async def test_questions_without_an_answer_are_refused(
    fleet: Fleet, names: tuple[str, ...], planned: list[dict[str, Any]], said: str
) -> None:
    refused = await knock(fleet, *names, planned=planned)
    assert refused.codes == ["invalid"]
    assert said in refused.errors[0]["message"]


async def test_another_tenant_sees_none_of_it(fleet: Fleet, db: Database) -> None:
    other = await make_tenant(db, "other")
    assert (await knock(fleet, "red", "tan", scope=other)).codes == ["not-found"]
    refused = await knock(fleet, scope=other)
    assert "there is no cluster: joining takes two" in refused.errors[0]["message"]


@pytest.mark.promise("statements-do-not-grow")
async def test_statements_do_not_grow_with_the_clusters(fleet: Fleet) -> None:
    with count_statements() as few:
        await judged(fleet)
    for number in range(6):
        await fleet.cluster(f"more-{number}", ("pod", f"10.{number}.0.0/16"))
    with count_statements() as many:
        await judged(fleet)
    assert many.total == few.total


async def test_what_is_not_built_yet_moves_first_and_all_moves_are_apart(fleet: Fleet) -> None:
    """tan collides with red, and a plan with both; its service range is as large as planned."""
    plan = {"name": "new", "pods": ["10.244.0.0/20"], "services": ["10.96.0.0/18"], "nodes": ["10.66.0.0/24"]}
    (way,) = (await judged(fleet, "red", "tan", planned=[plan], into=["SUBMARINER"]))["ways"]
    told = [(each["clusterName"], each["kind"], each["cidr"].rpartition("/")[2]) for each in way["moves"]]
    assert told[:2] == [("new", "SERVICE", "18"), ("new", "POD", "20")]
    assert [each[:2] for each in told[2:]] == [("tan", "POD")]
    ranges = [ip_network(each["cidr"]) for each in way["moves"]]
    assert not any(a.overlaps(b) for a, b in combinations(ranges, 2))
    assert way["waysOut"][0].startswith("Give new ")
    assert way["waysOut"][1].startswith("Submariner with Globalnet passes as things are")
    assert way["waysOut"][-1].startswith("Give tan ")


async def test_clusters_in_what_people_entered_all_move_and_nothing_is_proposed_for_one_that_passes(
    fleet: Fleet,
) -> None:
    async with fleet.db.write(fleet.scope) as c:
        wish = Wish(
            domain_id=await fleet.domain_of(c, fleet.registration("jet")), cidr="10.244.0.0/15", use=RangeUse.OFFICE
        )
        await add_range(c, fleet.scope, wish, START)
    (way,) = (await judged(fleet, into=["LINKERD_FLAT"]))["ways"]
    assert [each["clusterName"] for each in way["moves"]] == ["tan", "red", "jet"]
    assert any("'periplus ranges remove'" in each for each in way["waysOut"])
    (way,) = (await judged(fleet, into=["SKUPPER"]))["ways"]
    assert (way["moves"], way["moveCount"], way["waysOut"]) == ([], 0, [])
