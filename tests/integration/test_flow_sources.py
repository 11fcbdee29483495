"""What spokes say of their clusters' sources of flows, from the batch to what people are answered."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from periplus_hub.access.scope import Scope
from periplus_hub.kit.db import Database, count_statements

from tests.support.batches import Spoke, gone, upsert
from tests.support.overlap_fleet import Fleet

ASKED = """
query { clusters(first: 100) { nodes {
  name flowCommand flowSources { kind state where chosen why command }
} } }
"""
HUBBLE = upsert("hubble", kind="hubble", state="absent", why="Cilium runs without Hubble Relay", command="enable it")
AGENTS = upsert("conntrack", kind="conntrack", state="absent", why="no agents", command="create --agents-of CLUSTER")
ISTIO = upsert(
    *("istio/istio-system/istiod",),
    kind="istio",
    state="found",
    place="istio-system/istiod:15010",
    use="chosen",
    why="the best",
)


@pytest.fixture
async def fleet(db: Database, tenant: Scope) -> AsyncIterator[Fleet]:
    opened = Fleet.open(db, tenant)
    yield opened
    opened.door.intake.close()


async def told(fleet: Fleet, name: str, *rows: dict[str, Any]) -> Spoke:
    """A cluster whose spoke says this of its sources."""
    member = await fleet.door.member(fleet.scope, name)
    spoke = Spoke(member.registration)
    fleet.members[name] = (member, spoke)
    await member.send(spoke.snapshot({"flow_sources": list(rows)}))
    return spoke


async def asked(fleet: Fleet) -> dict[str, dict[str, Any]]:
    """What people are answered, by cluster."""
    return {each["name"]: each for each in (await fleet.ask(ASKED))["clusters"]["nodes"]}


async def test_a_cluster_without_a_source_names_the_one_command(fleet: Fleet) -> None:
    await told(fleet, "two words", HUBBLE, AGENTS)
    found = (await asked(fleet))["two words"]
    assert [each["kind"] for each in found["flowSources"]] == ["conntrack", "hubble"]
    assert found["flowSources"][0] == {
        "kind": "conntrack",
        "state": "ABSENT",
        "where": None,
        "chosen": False,
        "why": "no agents",
        "command": "create --agents-of 'two words'",
    }
    assert found["flowCommand"] == "create --agents-of 'two words'"


async def test_a_cluster_with_a_source_needs_no_command(fleet: Fleet) -> None:
    await told(fleet, "shop", HUBBLE, AGENTS, ISTIO)
    found = (await asked(fleet))["shop"]
    assert found["flowCommand"] is None
    (istio,) = (each for each in found["flowSources"] if each["chosen"])
    assert (istio["kind"], istio["where"], istio["why"]) == ("istio", "istio-system/istiod:15010", "the best")


async def test_what_a_delta_takes_away_is_gone_and_what_nobody_knows_is_unknown(fleet: Fleet) -> None:
    spoke = await told(fleet, "shop", AGENTS, ISTIO)
    later = upsert("tetragon", kind="tetragon", state="of a later contract")
    member, _ = fleet.members["shop"]
    await member.send(spoke.delta({"flow_sources": [gone(ISTIO["uid"]), later]}))
    found = (await asked(fleet))["shop"]["flowSources"]
    assert [(each["kind"], each["state"]) for each in found] == [("conntrack", "ABSENT"), ("tetragon", "UNKNOWN")]


async def test_before_anything_is_told_nothing_is_said_to_be_absent(fleet: Fleet) -> None:
    await fleet.door.member(fleet.scope, "new")
    assert (await asked(fleet))["new"] == {"name": "new", "flowCommand": None, "flowSources": []}


async def test_the_number_of_statements_does_not_grow(fleet: Fleet) -> None:
    counts = []
    for name in ("one", "two", "three"):
        await told(fleet, name, AGENTS, ISTIO)
        with count_statements() as counted:
            await asked(fleet)
        counts.append(counted.total)
    assert counts[1] == counts[2], "the first also reads whose the token is"
