"""Pre-flight and what people say: entered ranges, reservations, plans, through the GraphQL door."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from periplus_hub.access.scope import Scope
from periplus_hub.addresses.free.service_reservations import ReservationWish, reserve_range
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.ranges.model import RangeUse, Wish
from periplus_hub.addresses.ranges.service import add_range
from periplus_hub.fleet.model import Mode
from periplus_hub.fleet.repository_domains import put_connection
from periplus_hub.kit.db import Database

from tests.integration.test_preflight import RANGES, judged, knock, rule, told, verdicts
from tests.support.clock import START
from tests.support.hub_db import make_tenant
from tests.support.overlap_fleet import Fleet, allocation

WORDS = {"name": "head office", "owner": "network team", "note": "ask first"}


@pytest.fixture
async def fleet(db: Database, tenant: Scope) -> AsyncIterator[Fleet]:
    """red and jet collide nowhere, each in a network domain of its own."""
    opened = Fleet.open(db, tenant)
    for name in ("red", "jet"):
        await opened.cluster(name)
        rows = [allocation(kind, cidr, reach="routed" if kind == "pod" else None) for kind, cidr in RANGES[name]]
        await opened.send(name, {"allocations": rows})
        await told(opened, name, "cilium", aliases=[f"cilium={name}"])
    yield opened
    opened.door.intake.close()


async def domain_of(fleet: Fleet, name: str) -> UUID:
    async with fleet.db.read(fleet.scope) as c:
        return await fleet.domain_of(c, fleet.registration(name))


async def enter(fleet: Fleet, cluster: str, cidr: str, use: RangeUse, **more: Any) -> None:
    """In the network domain of a cluster."""
    wish = Wish(domain_id=await domain_of(fleet, cluster), cidr=cidr, use=use, **more)
    async with fleet.db.write(fleet.scope) as c:
        await add_range(c, fleet.scope, wish, START)


async def reserve(fleet: Fleet, cidr: str, cluster_name: str) -> None:
    wish = ReservationWish(
        cidr=cidr, kind=AllocationKind.POD, cluster_name=cluster_name, reason="", expires_at=START + timedelta(days=9)
    )
    async with fleet.db.write(fleet.scope) as c:
        await reserve_range(c, fleet.scope, wish, START)


async def test_a_conflict_with_an_entered_range_fails_and_is_told_in_its_owners_words(fleet: Fleet) -> None:
    await enter(fleet, "red", "10.245.8.0/24", RangeUse.OFFICE, **WORDS)
    found = await judged(fleet, "red", "jet", into=["SUBMARINER"])
    told_rule = rule(found, "SUBMARINER", "entered-ranges-differ")
    assert (found["verdict"], told_rule["verdict"], told_rule["rangeCount"]) == ("FAIL", "FAIL", 1)
    assert told_rule["ranges"] == [
        {
            "cidr": "10.245.8.0/24",
            "clusterCount": 1,
            "uses": [{"clusterName": "jet", "kinds": ["POD"]}],
            "entered": [{"cidr": "10.245.8.0/24", "what": "office", "networkDomain": "red", **WORDS}],
        }
    ]
    assert "SUBMARINER_GLOBALNET" in verdicts(await judged(fleet, "red", "jet"))["PASS"]


@pytest.mark.promise("preflight-passes-what-is-known")
async def test_entered_vpcs_make_peering_decidable(fleet: Fleet) -> None:
    """One per network domain, apart, with all nodes in them; the nodes of both are of 10.0.0.0/16."""
    vpc = rule(await judged(fleet, "red", "jet"), "VPC_PEERING", "vpc-ranges-differ")
    assert (vpc["verdict"], len(vpc["lacks"])) == ("UNKNOWN", 1)
    assert "'periplus ranges add RANGE --domain jet --use vpc'" in vpc["lacks"][0]
    await enter(fleet, "red", "10.0.1.0/24", RangeUse.VPC)
    await enter(fleet, "jet", "10.0.3.128/25", RangeUse.VPC)
    vpc = rule(await judged(fleet, "red", "jet"), "VPC_PEERING", "vpc-ranges-differ")
    assert (vpc["verdict"], vpc["lacks"][0].split(" lie ")[0]) == ("UNKNOWN", "Nodes or pods of jet")
    await enter(fleet, "jet", "10.0.3.0/25", RangeUse.VPC)
    found = await judged(fleet, "red", "jet")
    assert "VPC_PEERING" in verdicts(found)["PASS"]
    assert {"TRANSIT_GATEWAY", "PLAIN_ROUTING"} == verdicts(found)["UNKNOWN"]
    trusts = rule(found, "VPC_PEERING", "vpc-ranges-differ")["trusts"]
    assert trusts == [
        "The VPCs are those that people entered: 10.0.1.0/24 in red, 10.0.3.0/25 in jet and 10.0.3.128/25 in jet."
    ]
    found = await judged(fleet, "red", "jet", networksEntered=True)
    assert {"TRANSIT_GATEWAY", "PLAIN_ROUTING"} <= verdicts(found)["PASS"]
    await enter(fleet, "jet", "10.0.0.0/22", RangeUse.VPC)
    vpc = rule(await judged(fleet, "red", "jet"), "VPC_PEERING", "vpc-ranges-differ")
    assert (vpc["verdict"], vpc["rangeCount"]) == ("FAIL", 2)
    both = [each["networkDomain"] for each in vpc["ranges"][0]["entered"]]
    assert both == ["jet", "red"]
    assert vpc["ranges"][1]["uses"] == [{"clusterName": "red", "kinds": ["NODE"]}]


async def test_what_is_entered_in_other_networks_is_in_no_verdict_and_said_to_be(fleet: Fleet) -> None:
    await fleet.cluster("far")
    await enter(fleet, "far", "10.245.0.0/16", RangeUse.PARTNER)
    await enter(fleet, "far", "10.246.0.0/16", RangeUse.PARTNER, expires_at=START + timedelta(days=1))
    found = await judged(fleet, "red", "jet", into=["SUBMARINER"])
    assert found["verdict"] == "PASS"
    assert found["notLookedAt"][1].startswith("2 ranges are entered in network domains that none of these clusters is")
    async with fleet.db.write(fleet.scope) as c:
        pair = (await domain_of(fleet, "far"), await domain_of(fleet, "red"))
        await put_connection(c, fleet.scope, pair, Mode.FLAT, "")
    found = await judged(fleet, "red", "jet", into=["SUBMARINER"])
    assert (found["verdict"], len(found["notLookedAt"])) == ("FAIL", 1)


async def test_what_is_reserved_for_others_is_unknown_and_for_a_plan_its_own(fleet: Fleet) -> None:
    await reserve(fleet, "10.64.0.0/16", "shop-ap")
    whole = {"name": "other", "pods": ["10.64.0.0/20"], "services": ["10.65.0.0/16"], "nodes": ["10.66.0.0/24"]}
    found = await judged(fleet, "red", planned=[whole], into=["SUBMARINER"])
    reserved = rule(found, "SUBMARINER", "entered-ranges-differ")
    assert (found["verdict"], reserved["verdict"]) == ("UNKNOWN", "UNKNOWN")
    (entered,) = reserved["ranges"][0]["entered"]
    assert (entered["what"], entered["name"]) == ("reserved for pods", "shop-ap")
    assert "'periplus plan release'" in reserved["lacks"][0]
    own = {"name": "shop-ap", "services": ["10.65.0.0/16"], "nodes": ["10.66.0.0/24"]}
    assert (await judged(fleet, "red", planned=[own], into=["SUBMARINER"]))["verdict"] == "PASS"
    await fleet.send("jet", {"allocations": [allocation("pod", "10.64.0.0/16", reach="routed")]})
    found = await judged(fleet, "jet", planned=[own], into=["SUBMARINER"])
    assert rule(found, "SUBMARINER", "pods-and-services-differ")["verdict"] == "FAIL"


async def test_a_plan_is_in_the_network_that_it_names(fleet: Fleet) -> None:
    await enter(fleet, "red", "10.0.0.0/16", RangeUse.VPC)
    plan = {"name": "new", "pods": ["10.64.0.0/16"], "services": ["10.65.0.0/16"], "nodes": ["10.0.66.0/24"]}
    found = await judged(fleet, "red", planned=[plan], into=["VPC_PEERING"])
    lacks = rule(found, "VPC_PEERING", "vpc-ranges-differ")["lacks"]
    assert lacks[0].startswith("In which network domain new will be is not known")
    domain = f"NetworkDomain:{await domain_of(fleet, 'red')}"
    found = await judged(fleet, "red", planned=[plan | {"domain": domain}], into=["VPC_PEERING"])
    assert rule(found, "VPC_PEERING", "vpc-ranges-differ")["verdict"] == "PASS"
    nowhere = f"NetworkDomain:{UUID(int=7)}"
    assert (await knock(fleet, "red", planned=[plan | {"domain": nowhere}])).codes == ["not-found"]


async def test_a_plan_that_names_no_network_may_be_in_any_where_something_is_entered(fleet: Fleet) -> None:
    await fleet.cluster("far")
    await enter(fleet, "far", "10.64.8.0/24", RangeUse.OFFICE)
    plan = {"name": "new", "pods": ["10.64.0.0/16"], "services": ["10.65.0.0/16"], "nodes": ["10.66.0.0/24"]}
    found = await judged(fleet, "red", planned=[plan], into=["SUBMARINER"])
    met = rule(found, "SUBMARINER", "entered-ranges-differ")
    assert (found["verdict"], met["verdict"], met["ranges"][0]["cidr"]) == ("UNKNOWN", "UNKNOWN", "10.64.8.0/24")
    assert met["lacks"][0].startswith("In which network domain new will be is not known")
    assert len(found["notLookedAt"]) == 1, "it was looked at"
    for name, verdict in (("red", "PASS"), ("far", "FAIL")):
        domain = f"NetworkDomain:{await domain_of(fleet, name)}"
        found = await judged(fleet, "red", planned=[plan | {"domain": domain}], into=["SUBMARINER"])
        assert found["verdict"] == verdict


async def test_what_another_tenant_entered_is_not_even_counted(fleet: Fleet, db: Database) -> None:
    other = Fleet.open(db, await make_tenant(db, "other"))
    await other.cluster("far")
    await enter(other, "far", "10.245.0.0/16", RangeUse.OFFICE)
    other.door.intake.close()
    found = await judged(fleet, "red", "jet", into=["SUBMARINER"])
    assert (found["verdict"], len(found["notLookedAt"])) == ("PASS", 1)
