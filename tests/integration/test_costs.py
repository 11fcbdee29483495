"""`costs`: what was sent, priced by the built-in books, held against a pocket calculator."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.kit.db import Database, count_statements
from periplus_hub.pricing.config import PricingConfig

from tests.support.batches import upsert
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import SERVER, Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows, seconds
from tests.support.graphql_hub import Answer, door, token_for
from tests.support.located_clusters import located

AT = seconds(START)
GIB = 2**30
WEB, API = Peer(workload="shop/Deployment/web"), Peer(workload="shop/Deployment/api")
ASK = """query($by: CostGrouping! = TEAM, $policy: CostPolicy! = ENDPOINT_OWNER, $first: Int! = 10, $since: DateTime) {
  costs(by: $by, policy: $policy, first: $first, since: $since) {
    total currency basis groupCount bytesWithoutPrice books
    groups {
      cost isPartUnmeasured team pathClass
      initiator { cluster { name } namespace kind name region } acceptor { cluster { name } namespace kind name region }
      lines { pathClass sku provider meter tier bytes quantity unit unitBytes unitPrice cost source isVerified book }
      withoutPrice { pathClass provider why bytes }
    }
    coverage { ratio }
  }
}"""


@pytest.fixture
async def hub(db: Database, flow_store: str) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, flow_store) as opened:
        yield opened


async def answer(hub: FlowHub, scope: Scope, **asked: Any) -> Answer:
    clock = cast("FakeClock", hub.db.clock)
    clock.advance(600)  # the month begins with what was sent
    token = await token_for(hub.db, scope, Role.VIEWER)
    return await door(hub.db, clock, columns=hub.store).ask(ASK, token, **asked)


async def fleet(hub: FlowHub, tenant: Scope) -> None:
    """Two clusters of AWS in two zones of a region; one sent the other 10 GiB and got 2, which both saw; and more."""
    east = await located(hub, tenant, "east", 1, "aws", ("web", "eu-west-1", "eu-west-1a"), account="1")
    west = await located(hub, tenant, "west", 2, "aws", ("api", "eu-west-1", "eu-west-1b"), account="1")
    before = START - timedelta(days=1)
    named = [upsert("shop", before, name="shop", labels=["team=web", "tier=front"])]
    (east_member, east_spoke), (west_member, west_spoke) = east, west
    await east_member.send(east_spoke.delta({"namespaces": named}))
    await hub.same_domain(tenant, east_member.registration, west_member.registration)
    told = [
        Flow(WEB, Peer("10.2.0.1"), AT, port=8080, measures=bytes_of(10 * GIB, 2 * GIB)),
        Flow(WEB, Peer("8.8.8.8"), AT, measures=bytes_of(500 * GIB, 0)),
        Flow(WEB, Peer("10.99.0.1"), AT, measures=bytes_of(7)),
    ]
    await east_member.send(seal_flows(east_spoke, told))
    seen = [Flow(Peer("10.1.0.1"), API, AT, SERVER, port=8080, measures=bytes_of(10 * GIB - 5, 2 * GIB))]
    await west_member.send(seal_flows(west_spoke, seen))
    await hub.settle()


def by_team(found: dict[str, Any]) -> dict[str, Decimal]:
    return {group["team"]: Decimal(group["cost"]) for group in found["groups"]}


async def test_each_byte_is_priced_once_at_both_ends(hub: FlowHub, tenant: Scope, other_tenant: Scope) -> None:
    await fleet(hub, tenant)
    with count_statements() as counted:
        found = (await answer(hub, tenant)).good["costs"]
    assert counted.total <= 15
    # Between zones 12 GiB at each end for 0.01; to the internet 500 less 100 that are free, for 0.09.
    assert by_team(found) == {"web": Decimal("36.12"), "unallocated": Decimal("0.12")}
    assert Decimal(found["total"]) == Decimal("36.24")
    assert (found["currency"], found["basis"], found["bytesWithoutPrice"]) == ("USD", "estimate", "7")
    assert found["books"] == ["aws 2026-11-22"]
    [web] = [group for group in found["groups"] if group["team"] == "web"]
    for line in web["lines"]:
        assert Decimal(line["quantity"]) == Decimal(line["bytes"]) / Decimal(line["unitBytes"])
        assert Decimal(line["quantity"]) * Decimal(line["unitPrice"]) == Decimal(line["cost"])
        assert line["source"]
    assert [each["pathClass"] for each in web["withoutPrice"]] == ["UNKNOWN"]
    nothing = (await answer(hub, other_tenant)).good["costs"]
    assert (nothing["groups"], nothing["total"]) == ([], "0")


@pytest.mark.parametrize(
    ("by", "name", "expected"),
    [
        ("CLUSTER", lambda g: (g["initiator"]["cluster"] or {}).get("name"), {"east": "36.12", "west": "0.12"}),
        ("NAMESPACE", lambda g: (g["initiator"]["cluster"]["name"], g["initiator"]["namespace"]),
         {("east", "shop"): "36.12", ("west", "shop"): "0.12"}),
        ("WORKLOAD", lambda g: g["initiator"]["name"], {"web": "36.12", "api": "0.12"}),
        ("PATH_CLASS", lambda g: g["pathClass"], {"INTERNET_EGRESS": "36", "CROSS_ZONE": "0.24"}),
        ("REGION_PAIR", lambda g: (g["initiator"]["region"], g["acceptor"]["region"]),
         {("eu-west-1", "unknown"): "36", ("eu-west-1", "eu-west-1"): "0.24"}),
        ("SERVICE_PAIR", lambda g: (g["initiator"]["name"], g["acceptor"]["name"] or g["acceptor"]["kind"]),
         {("web", "8.8.8.0/24"): "36", ("web", "api"): "0.24"}),
        ("CLUSTER_PAIR", lambda g: (g["initiator"]["cluster"]["name"], (g["acceptor"]["cluster"] or {}).get("name")),
         {("east", None): "36", ("east", "west"): "0.24"}),
    ],
)  # fmt: skip
async def test_every_grouping_has_the_same_money(
    hub: FlowHub, tenant: Scope, by: str, name: Any, expected: dict[Any, str]
) -> None:
    await fleet(hub, tenant)
    found = (await answer(hub, tenant, by=by)).good["costs"]
    costs = {name(group): Decimal(group["cost"]) for group in found["groups"] if Decimal(group["cost"])}
    assert costs == {key: Decimal(value) for key, value in expected.items()}
    assert Decimal(found["total"]) == Decimal("36.24")


async def test_who_opened_the_connection_may_pay_for_both_ends(hub: FlowHub, tenant: Scope) -> None:
    await fleet(hub, tenant)
    found = (await answer(hub, tenant, policy="INITIATOR_PAYS")).good["costs"]
    assert {team: cost for team, cost in by_team(found).items() if cost} == {"web": Decimal("36.24")}


async def test_names_of_zones_of_two_accounts_are_not_compared(hub: FlowHub, tenant: Scope) -> None:
    east = await located(hub, tenant, "east", 1, "aws", ("web", "eu-west-1", "eu-west-1a"), account="1")
    west = await located(hub, tenant, "west", 2, "aws", ("api", "eu-west-1", "eu-west-1a"))
    await hub.same_domain(tenant, east[0].registration, west[0].registration)
    await east[0].send(seal_flows(east[1], [Flow(WEB, Peer("10.2.0.1"), AT, measures=bytes_of(5, 6))]))
    await hub.settle()
    found = (await answer(hub, tenant, by="PATH_CLASS")).good["costs"]
    assert (found["total"], found["bytesWithoutPrice"]) == ("0", "11")
    [[without]] = [group["withoutPrice"] for group in found["groups"]]
    assert "names of zones mean other zones in another account" in without["why"]


async def test_how_many_has_bounds(hub: FlowHub, tenant: Scope) -> None:
    assert (await answer(hub, tenant, first=0)).codes == ["page-size"]


def test_a_folder_of_books_is_a_setting(tmp_path: Path) -> None:
    assert PricingConfig(price_books=tmp_path).price_books == tmp_path
