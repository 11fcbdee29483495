"""`blastRadius`: whom failures reach, and never that there is nobody while somebody could not tell."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.kit.db import Database, count_statements

from tests.support.batches import Spoke, pod, upsert
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import BOTH, Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows, seconds
from tests.support.graphql_hub import Answer, door, token_for
from tests.support.spokes_door import Member

AT, SINCE = seconds(START), START.isoformat()
ASK = """query(
  $of: DependencyEndFilter!, $direction: BlastDirection!, $depth: Int!, $nodes: Int!, $since: DateTime
) {
  blastRadius(of: $of, direction: $direction, depth: $depth, nodesAtMost: $nodes, since: $since) {
    starts { cluster { name } kind name }
    reached { hop end { cluster { name } kind name } through { name } isFollowed byInventory bytesTx state lastSeen }
    isComplete incomplete { gap amount clusters { name } }
  }
}"""


@pytest.fixture
async def hub(db: Database, tmp_path: Path) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, tmp_path / "flows") as opened:
        yield opened


@pytest.fixture
async def east(hub: FlowHub, tenant: Scope) -> Member:
    return await hub.door.member(tenant, "east")


def peer(name: str) -> Peer:
    return Peer(workload=f"shop/Deployment/{name}")


def flow(source: str, destination: str, tx: int = 1, at: int = AT, **other: Any) -> Flow:
    return Flow(peer(source), peer(destination), at, BOTH, measures=bytes_of(tx), **other)


async def answer(hub: FlowHub, scope: Scope, /, **asked: Any) -> Answer:
    token = await token_for(hub.db, scope, Role.VIEWER)
    variables = {"of": {"name": "db"}, "direction": "CALLERS", "depth": 3, "nodes": 100, **asked}
    return await door(hub.db, cast("FakeClock", hub.db.clock), columns=hub.store).ask(ASK, token, **variables)


async def ask(hub: FlowHub, scope: Scope, /, **asked: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await answer(hub, scope, **asked)).good["blastRadius"]
    return found


def reached(found: dict[str, Any]) -> list[tuple[int, str, str]]:
    return [(each["hop"], each["end"]["name"], each["through"]["name"]) for each in found["reached"]]


def reasons(found: dict[str, Any]) -> set[str]:
    return {each["gap"] for each in found["incomplete"]}


async def test_callers_of_callers_are_reached_and_what_was_dropped_leads_nowhere(
    hub: FlowHub, tenant: Scope, east: Member
) -> None:
    flows = [flow("web", "api", 5), flow("api", "db", 7), flow("db", "web", 2), flow("cron", "db", 9)]
    flows += [flow("scan", "db", verdict=2), flow("db", "disk")]
    await east.send(seal_flows(Spoke(east.registration), flows))
    await hub.settle()
    callers = await ask(hub, tenant)
    assert reached(callers) == [(1, "cron", "db"), (1, "api", "db"), (2, "web", "api")]
    assert [each["name"] for each in callers["starts"]] == ["db"]
    assert callers["reached"][0]["end"]["cluster"] == {"name": "east"}
    assert reached(await ask(hub, tenant, depth=1))[-1] == (1, "api", "db")
    cut = await ask(hub, tenant, depth=1, nodes=1)
    assert reasons(cut) >= {"ROOM"}
    assert reached(await ask(hub, tenant, of={"name": "web"}, direction="DEPENDENCIES")) == [
        (1, "api", "web"),
        (2, "db", "api"),
        (3, "disk", "db"),
    ]


async def test_nobody_is_said_only_where_everybody_told(
    hub: FlowHub, clock: FakeClock, tenant: Scope, east: Member
) -> None:
    clock.advance(300)
    spoke = Spoke(east.registration)
    await east.send(seal_flows(spoke, [flow("db", "disk", at=AT + 60 * minute) for minute in range(5)]))
    await hub.settle()
    known = await ask(hub, tenant, since=SINCE)
    assert (known["reached"], known["isComplete"], known["incomplete"]) == ([], True, [])
    longer = await ask(hub, tenant)
    assert (longer["isComplete"], reasons(longer)) == (False, {"BEGUN_LATER"}), "of the day before nothing is known"
    await hub.door.member(tenant, "west")
    clock.advance(300)
    silent = await ask(hub, tenant, since=SINCE)
    assert (silent["reached"], silent["isComplete"]) == ([], False)
    [without] = [each for each in silent["incomplete"] if each["gap"] == "NO_FLOWS"]
    assert without["clusters"] == [{"name": "west"}]
    clock.advance(3_600)
    assert reasons(await ask(hub, tenant, since=SINCE)) == {"NO_FLOWS", "LATE", "COVERAGE"}


async def test_ends_that_may_be_anybody_are_counted(hub: FlowHub, tenant: Scope, east: Member) -> None:
    flows = [Flow(Peer("10.99.0.1"), peer("db"), AT, 2, measures=bytes_of(1))]
    flows += [Flow(peer("web"), Peer("10.99.0.2"), AT, measures=bytes_of(1))]
    await east.send(seal_flows(Spoke(east.registration), flows))
    await hub.settle()
    found = await ask(hub, tenant)
    assert [(each["end"]["kind"], each["isFollowed"]) for each in found["reached"]] == [("address", False)]
    counts = {each["gap"]: each["amount"] for each in found["incomplete"]}
    assert (counts["UNKNOWN_ENDS"], counts["NOT_FOLLOWED"]) == ("1", "1")


async def test_what_is_known_without_flows_is_no_mistake_and_a_wrong_name_is(
    hub: FlowHub, tenant: Scope, other_tenant: Scope, east: Member
) -> None:
    made = pod("a", "10.1.0.1", START - timedelta(days=1), workload_kind="Deployment", workload_name="quiet")
    await east.send(Spoke(east.registration).snapshot({"pods": [made]}))
    quiet = {"namespace": "shop", "name": "quiet"}
    found = await ask(hub, tenant, of=quiet)
    assert (found["starts"], found["isComplete"]) == ([], False)
    assert (await answer(hub, tenant, of={"name": "quite"})).codes == ["not-found"]
    assert (await answer(hub, other_tenant, of=quiet)).codes == ["not-found"]


@pytest.mark.promise("no-false-all-clear")
async def test_of_pods_on_their_nodes_addresses_nobody_is_not_all(
    hub: FlowHub, clock: FakeClock, tenant: Scope, east: Member
) -> None:
    clock.advance(300)
    spoke = Spoke(east.registration)
    edge = {"workload_kind": "DaemonSet", "workload_name": "ingress", "host_network": True}
    lone = {"workload_kind": "Deployment", "workload_name": "quiet"}
    here = [pod("a", "10.1.0.1", START, **edge), pod("b", "10.1.0.2", START, **lone)]
    behind = upsert("e", namespace="shop", service="front", address="10.1.0.1", target_kind="Pod", target_uid="a")
    await east.send(spoke.snapshot({"pods": here, "endpoints": [behind]}))
    await east.send(seal_flows(spoke, [flow("db", "disk", at=AT + 60 * minute) for minute in range(5)]))
    await hub.settle()
    for name in ("ingress", "front"):
        found = await ask(hub, tenant, of={"namespace": "shop", "name": name}, since=SINCE)
        assert (found["reached"], found["isComplete"]) == ([], False)
        assert {each["gap"]: each["amount"] for each in found["incomplete"]} == {"ON_HOSTS": "1"}
    assert (await ask(hub, tenant, of={"name": "quiet"}, since=SINCE))["isComplete"]
    assert (await answer(hub, tenant, of={"namespace": "lab", "name": "ingress"})).codes == ["not-found"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [({"depth": 6}, "depth is 6"), ({"depth": 0}, "depth is 0"), ({"of": {"namespace": "shop"}}, "has no name")],
)
async def test_what_cannot_be_followed_is_refused(hub: FlowHub, tenant: Scope, asked: Any, said: str) -> None:
    refused = await answer(hub, tenant, **asked)
    assert refused.codes == ["invalid"]
    assert said in refused.errors[0]["message"]


async def test_statements_do_not_grow_with_what_is_reached(hub: FlowHub, tenant: Scope, east: Member) -> None:
    spoke = Spoke(east.registration)
    counts = []
    for many in (1, 60):
        await east.send(seal_flows(spoke, [flow(f"web-{number}", "db") for number in range(many)]))
        await hub.settle()
        with count_statements() as counted:
            assert len((await ask(hub, tenant))["reached"]) == many
        counts.append(counted.total)
    assert counts[0] == counts[1] <= 20
