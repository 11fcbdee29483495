"""What people are told of the agents of nodes, and what they do about them: GraphQL and the command line."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner, Result

from periplus_hub.access.scope import Role, Scope, insert_owned, system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.api.cli import command_line
from periplus_hub.api.start_process import start
from periplus_hub.fleet import tables
from periplus_hub.kit.db import Database, count_statements
from periplus_hub.kit.ids import new_id

from tests.support.clock import START, FakeClock
from tests.support.graphql_hub import Fleet, door, seed, token_for
from tests.support.hub_process import config_for, hub

Run = Callable[..., Coroutine[Any, Any, Result]]

COUNTS = """query($id: ID!) { cluster(id: $id) { agentCounts { connected stale superseded revoked lastSeenAt } } }"""
LIST = """query($id: ID!, $ended: Boolean!, $liveness: Liveness) { cluster(id: $id) {
  agents(first: 20, includeEnded: $ended, liveness: $liveness) { nodes { nodeName liveness end earlier } totalCount }
} }"""


async def add(db: Database, scope: Scope, cluster: UUID, node: str, heard_s_ago: float, **more: Any) -> UUID:
    """An agent of a node, last heard so long ago."""
    made, at = new_id(), db.clock.now() - timedelta(seconds=heard_s_ago)
    values = {
        "id": made, "registration_id": cluster, "node_name": node, "public_key": str(made), "join_token": "ppj_1",
        "spoke_version": "0.1.0", "contract": "1.0", "joined_at": at, "heard_at": at, "earlier": 0,
    }  # fmt: skip
    async with db.write(scope) as c:
        await c.execute(insert_owned(scope, tables.agents, {**values, **more}))
    return made


async def some_agents(db: Database, scope: Scope, cluster: UUID) -> None:
    ended = {"ended_at": START, "ended_by": "agent:next"}
    await add(db, scope, cluster, "b", 30)
    await add(db, scope, cluster, "a", 91, earlier=1)
    await add(db, scope, cluster, "a", 600, end_reason="superseded", **ended)
    await add(db, scope, cluster, "c", 10, end_reason="revoked", **ended)


async def test_each_agent_is_in_one_of_the_numbers(db: Database, clock: FakeClock, tenant: Scope) -> None:
    asked, fleet = door(db, clock), await seed(db, tenant)
    reader = await token_for(db, tenant, Role.VIEWER)
    cluster = fleet.clusters[1]
    nobody = (await asked.ask(COUNTS, reader, id=f"Cluster:{cluster}")).good
    assert nobody["cluster"]["agentCounts"] is None, "no agents is told from none that is heard"
    await some_agents(db, tenant, cluster)
    counts = (await asked.ask(COUNTS, reader, id=f"Cluster:{cluster}")).good["cluster"]["agentCounts"]
    seen = counts.pop("lastSeenAt")
    assert counts == {"connected": 1, "stale": 1, "superseded": 1, "revoked": 1}
    assert seen.startswith((clock.now() - timedelta(seconds=30)).strftime("%Y-%m-%dT%H:%M:%S"))


async def test_agents_are_listed_by_node(db: Database, clock: FakeClock, tenant: Scope) -> None:
    asked, fleet = door(db, clock), await seed(db, tenant)
    reader = await token_for(db, tenant, Role.VIEWER)
    await some_agents(db, tenant, fleet.clusters[1])

    async def listed(**variables: object) -> list[tuple[str, str, str | None, int]]:
        cluster = f"Cluster:{fleet.clusters[1]}"
        answer = await asked.ask(LIST, reader, id=cluster, **{"ended": False, "liveness": None, **variables})
        found = answer.good["cluster"]["agents"]
        assert found["totalCount"] == len(found["nodes"])
        return [tuple(node.values()) for node in found["nodes"]]

    assert await listed() == [("a", "STALE", None, 1), ("b", "CONNECTED", None, 0)]
    assert await listed(ended=True) == [
        ("a", "STALE", None, 1),
        ("a", "STALE", "SUPERSEDED", 0),
        ("b", "CONNECTED", None, 0),
        ("c", "CONNECTED", "REVOKED", 0),
    ]
    assert await listed(liveness="STALE") == [("a", "STALE", None, 1)]
    assert await listed(liveness="CONNECTED") == [("b", "CONNECTED", None, 0)]
    assert await listed(liveness="NEVER") == []


async def test_agents_of_many_clusters_take_as_many_statements_as_those_of_one(
    db: Database, clock: FakeClock, tenant: Scope
) -> None:
    asked, fleet = door(db, clock), await seed(db, tenant, clusters=5)
    reader = await token_for(db, tenant, Role.VIEWER)
    for cluster in fleet.clusters:
        await some_agents(db, tenant, cluster)
    document = """query($n: Int!) { clusters(first: $n) { nodes {
      agentCounts { stale } agents { nodes { cluster { id } } }
    } } }"""
    taken = []
    for number in (1, 1, 5):
        clock.advance(1)
        with count_statements() as counter:
            answer = (await asked.ask(document, reader, n=number)).good
        assert all(node["agents"]["nodes"] for node in answer["clusters"]["nodes"])
        taken.append(counter.total)
    assert taken[1] == taken[2], "the first also recognised the token"


async def test_an_agent_is_nobodys_of_another_tenant(
    db: Database, clock: FakeClock, tenant: Scope, other_tenant: Scope
) -> None:
    asked, fleet = door(db, clock), await seed(db, tenant)
    foreign = await token_for(db, other_tenant, Role.ADMIN)
    node = await asked.ask("query($id: ID!) { node(id: $id) { id } }", foreign, id=fleet.ids["NodeAgent"])
    assert node.data == {"node": None}
    for document, variables in (
        ("mutation($id: ID!) { revokeAgent(agent: $id) { ... on Problem { code } } }", {"id": fleet.ids["NodeAgent"]}),
        (
            "mutation($id: ID!) { createAgentsToken(cluster: $id) { ... on Problem { code } } }",
            {"id": fleet.ids["Cluster"]},
        ),
    ):
        (answer,) = (await asked.ask(document, foreign, **variables)).good.values()
        assert answer == {"code": "not-found"}


@pytest.fixture
async def desk(database_url: str, db: Database, tmp_path: Path) -> AsyncIterator[tuple[Run, Fleet]]:
    scope = system_scope(await ensure_default_tenant(db), "test")
    fleet = await seed(db, scope)
    config = config_for(database_url, tmp_path)
    async with hub(config) as ready:
        env = {
            "PERIPLUS_URL": ready["api_url"],
            "PERIPLUS_TOKEN": str(await start("admin_token", config)),
            "COLUMNS": "200",
            "NO_COLOR": "1",
        }

        async def run(*arguments: str, code: int = 0) -> Result:
            result = await asyncio.to_thread(CliRunner().invoke, command_line(), arguments, env=env)
            assert result.exit_code == code, (result.output, result.exception)
            return result

        yield run, fleet


async def test_the_command_line_shows_and_ends_agents(desk: tuple[Run, Fleet]) -> None:
    run, _ = desk
    shown = (await run("clusters", "show", "cluster-000")).stdout
    assert "agents" in shown
    assert "1 silent, so of their nodes newer data is missing" in shown
    assert "0 heard; how many nodes it has is not known" in shown
    assert "periplus agents list cluster-000" in shown
    assert "newer data" not in (await run("clusters", "show", "cluster-001")).stdout
    table = (await run("agents", "list", "cluster-000")).stdout
    assert "name-0" in table
    assert "silent" in table
    none = (await run("agents", "list", "cluster-001")).stdout
    assert "'periplus join-token create --agents-of cluster-001'" in none
    assert "Give --yes" in (await run("agents", "revoke", "cluster-000", "name-0", code=64)).stderr
    unknown = (await run("agents", "revoke", "cluster-000", "name-9", code=1)).stderr
    assert "no agent of a node 'name-9'" in unknown
    assert "'periplus agents list CLUSTER'" in unknown
    ended = (await run("agents", "revoke", "cluster-000", "name-0", "--yes")).stdout
    assert ended == "the agent of node name-0 is revoked; it came with join token ppj_0\n"
    assert json.loads((await run("agents", "list", "cluster-000", "--json")).stdout) == []
    assert "'periplus agents list cluster-000 --all'" in (await run("agents", "list", "cluster-000")).stdout
    (document,) = json.loads((await run("agents", "list", "cluster-000", "--all", "--json")).stdout)
    assert (document["name"], document["end"]) == ("name-0", "revoked")
    assert "1 revoked" in (await run("clusters", "show", "cluster-000")).stdout


async def test_tokens_for_agents_are_made_listed_and_withdrawn(desk: tuple[Run, Fleet]) -> None:
    run, _ = desk
    secret = (await run("join-token", "create", "--agents-of", "cluster-001", "--days", "7")).stdout.strip()
    public = secret.partition(".")[0]
    table = (await run("join-token", "list")).stdout
    assert any(public in line and "agents of cluster-001" in line for line in table.splitlines())
    listed = json.loads((await run("join-token", "list", "--json")).stdout)
    (found,) = [each for each in listed if each["publicId"] == public]
    assert found["agentsOf"]["name"] == "cluster-001"
    await run("join-token", "withdraw", public)
    assert public not in (await run("join-token", "list", "--all")).stdout
    assert "pending" in (await run("join-token", "create", "--agents-of", "pending", code=1)).stderr
    assert "no cluster 'none'" in (await run("join-token", "create", "--agents-of", "none", code=1)).stderr
    for words in (("--days", "7"), ("--agents-of", "cluster-001", "--auto-approve")):
        await run("join-token", "create", *words, code=2)
