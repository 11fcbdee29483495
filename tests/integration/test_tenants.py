"""Two tenants on one hub: made on its machine, and apart through every door."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from periplus_hub.access.model import DEFAULT_TENANT
from periplus_hub.access.scope import Role, Scope
from periplus_hub.access.service import Authenticator
from periplus_hub.access.service_tenants import create_tenant, ensure_default_tenant, make_admin_token
from periplus_hub.addresses.ipam.config import IpamConfig
from periplus_hub.addresses.ipam.service_intake import IpamApplier
from periplus_hub.addresses.overlaps.jobs import OverlapsJob
from periplus_hub.api.cli import command_line
from periplus_hub.api.start_process import start
from periplus_hub.findings.jobs import FindingsJob
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Conflict, Invalid, NotFound
from periplus_hub.kit.events import Events

from tests.support.batches import Spoke, pod
from tests.support.clock import FakeClock
from tests.support.graphql_hub import Door as PeopleDoor
from tests.support.graphql_hub import door as people_door
from tests.support.graphql_socket import connected
from tests.support.hub_process import config_for, hub
from tests.support.overlap_fleet import allocation
from tests.support.spokes_door import Door, Member, open_door

SEES = """{
  viewer { tenant }
  clusters { nodes { id name duplicate { id } networkDomain { id } } totalCount }
  networkDomains { nodes { id } }
  joinTokens { totalCount }
  apiTokens { totalCount }
  overlapGroups { nodes { cidr severity clusterCount members { nodes { cluster { id } } } } }
  overlapRegister { revision latest current }
  findings { nodes { title cluster { id } } }
  ingestCompleteness { nodes { cluster { id } } }
  addressOwner(ip: "10.1.0.1") { __typename ... on AddressOwned { owner { cluster { id } } } }
}"""
LISTEN = (
    "subscription { changes(topics: [FINDINGS, CLUSTERS, OVERLAPS]) {"
    " __typename ... on ClusterChanged { cluster { name } } ... on FindingChanged { finding { title } } } }"
)
POD = {"pools": [], "allocations": [allocation("pod", "10.244.0.0/16")]}


@dataclass
class Party:
    """A tenant, its admin, and what its clusters are."""

    scope: Scope
    token: str
    members: list[Member]

    @property
    def ids(self) -> set[str]:
        return {f"Cluster:{member.registration}" for member in self.members}


@dataclass
class Hub:
    """One hub with all its doors and jobs."""

    spokes: Door
    people: PeopleDoor
    events: Events

    async def party(self, token: str) -> Party:
        scope = await Authenticator(self.spokes.db).authenticate(token)
        assert scope is not None
        return Party(scope, token, [])

    async def join(self, party: Party, name: str) -> None:
        """A cluster that says of itself what a cluster of the other tenant says too."""
        member = await self.spokes.member(party.scope, name)
        spoke = Spoke(member.registration)
        await member.send(spoke.snapshot({"pods": [pod("a", "10.1.0.1")] if name == "prod" else []}))
        await member.send(spoke.ipam(POD))
        party.members.append(member)

    async def sees(self, party: Party) -> dict[str, Any]:
        return (await self.people.ask(SEES, party.token)).good

    async def work(self) -> None:
        now = self.spokes.db.clock.now()
        await OverlapsJob(self.spokes.db, self.events.publish).run(now)
        await FindingsJob(self.spokes.db, self.events.publish).run(now)


@pytest.fixture
async def one_hub(db: Database, clock: FakeClock) -> AsyncIterator[Hub]:
    events = Events()
    spokes = open_door(db, appliers=(IpamApplier(IpamConfig()),), events=events)
    yield Hub(spokes, people_door(db, clock, events=events), events)
    spokes.intake.close()


@pytest.mark.promise("tenants-are-apart")
async def test_two_tenants_with_the_same_clusters_see_nothing_of_each_other(one_hub: Hub, db: Database) -> None:
    await ensure_default_tenant(db)
    ours = await one_hub.party(await make_admin_token(db))
    theirs = await one_hub.party(await create_tenant(db, "globex"))
    for party in (ours, theirs):
        for name in ("prod", "stage"):
            await one_hub.join(party, name)
    await one_hub.join(theirs, "third")
    await one_hub.work()
    for party, name in ((ours, DEFAULT_TENANT), (theirs, "globex")):
        seen = await one_hub.sees(party)
        assert seen["viewer"]["tenant"] == name
        assert {each["id"] for each in seen["clusters"]["nodes"]} == party.ids
        assert [each["duplicate"] for each in seen["clusters"]["nodes"]] == [None] * len(party.ids), "same uids"
        (group,) = seen["overlapGroups"]["nodes"]
        assert (group["cidr"], group["severity"], group["clusterCount"]) == (
            "10.244.0.0/16",
            "LATENT",
            str(len(party.ids)),
        )
        assert {each["cluster"]["id"] for each in group["members"]["nodes"]} == party.ids
        assert seen["overlapRegister"]["current"]
        assert {each["cluster"]["id"] for each in seen["ingestCompleteness"]["nodes"]} == party.ids
        assert seen["addressOwner"]["owner"]["cluster"]["id"] in party.ids
        assert (seen["joinTokens"]["totalCount"], seen["apiTokens"]["totalCount"]) == (len(party.ids), 1)


@pytest.mark.promise("tenants-are-apart")
async def test_findings_jobs_and_events_are_each_tenants_own(one_hub: Hub, db: Database, clock: FakeClock) -> None:
    await ensure_default_tenant(db)
    ours = await one_hub.party(await make_admin_token(db))
    theirs = await one_hub.party(await create_tenant(db, "globex"))
    await one_hub.join(ours, "prod")
    await one_hub.join(theirs, "prod")
    before = (await one_hub.people.ask("{ overlapRegister { latest } }", ours.token)).good["overlapRegister"]
    async with connected(one_hub.people.app, "graphql-transport-ws") as client:
        await client.send(type="connection_init", payload={"authorization": f"Bearer {ours.token}"})
        await client.next()
        await client.send(type="subscribe", id="1", payload={"query": LISTEN})
        while not one_hub.events._subscriptions:
            await client.send(type="ping")
            await client.next()
        await theirs.members[0].beat(wall_us=int(clock.now().timestamp() * 1_000_000) - 3_600_000_000)
        await one_hub.join(theirs, "noise")
        await one_hub.work()
        await one_hub.join(ours, "late")
        heard = [(await client.next())["payload"]["data"]["changes"] for _ in range(2)]
    assert [each["__typename"] for each in heard] == ["OverlapsChanged", "ClusterChanged"]
    assert heard[1]["cluster"]["name"] == "late"
    seen, others = await one_hub.sees(ours), await one_hub.sees(theirs)
    assert seen["findings"]["nodes"] == []
    assert [each["title"] for each in others["findings"]["nodes"]] == ["The clock of prod is off"]
    assert int(seen["overlapRegister"]["latest"]) > int(before["latest"])


@pytest.mark.promise("tenants-are-apart")
async def test_a_join_token_joins_its_own_tenant_and_no_key_works_in_another(one_hub: Hub, db: Database) -> None:
    await ensure_default_tenant(db)
    ours = await one_hub.party(await make_admin_token(db))
    theirs = await one_hub.party(await create_tenant(db, "globex"))
    await one_hub.join(ours, "prod")
    create = "mutation { createJoinToken(input: {autoApprove: true}) { ... on CreatedJoinToken { token } } }"
    token = (await one_hub.people.ask(create, theirs.token)).good["createJoinToken"]["token"]
    guest = Member(one_hub.spokes, "prod")
    await guest.enrol(token)
    await one_hub.work()
    assert {each["name"] for each in (await one_hub.sees(theirs))["clusters"]["nodes"]} == {"prod"}
    assert {each["id"] for each in (await one_hub.sees(ours))["clusters"]["nodes"]} == ours.ids
    for mutation in ("approveCluster", "revokeCluster"):
        text = f"mutation($id: ID!) {{ {mutation}(cluster: $id) {{ __typename }} }}"
        answer = await one_hub.people.ask(text, theirs.token, id=next(iter(ours.ids)))
        assert answer.good[mutation]["__typename"] == "NotFound"


async def test_a_tenants_name_is_checked_and_its_token_replaced(db: Database) -> None:
    first = await create_tenant(db, "globex")
    with pytest.raises(Conflict, match="globex"):
        await create_tenant(db, "globex")
    for name in ("", " globex", "a\nb", "x" * 101):
        with pytest.raises(Invalid):
            await create_tenant(db, name)
    with pytest.raises(NotFound, match="initech"):
        await make_admin_token(db, tenant="initech")
    second = await make_admin_token(db, tenant="globex")
    authenticator = Authenticator(db)
    assert await authenticator.authenticate(first) is None
    found = await authenticator.authenticate(second)
    assert found is not None
    assert found.role is Role.ADMIN


@pytest.fixture
def machine(database_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of whoever runs the hub."""
    return {"PERIPLUS_DATABASE_URL": database_url, "PERIPLUS_DATA_DIR": str(tmp_path), "COLUMNS": "200"}


async def test_tenants_are_made_from_the_command_line_beside_a_running_hub(
    database_url: str, tmp_path: Path, machine: dict[str, str]
) -> None:
    async def run(*arguments: str, code: int = 0, **env: str) -> Result:
        result = await asyncio.to_thread(CliRunner().invoke, command_line(), arguments, env=machine | env)
        assert result.exit_code == code, (result.output, result.exception)
        return result

    async with hub(config_for(database_url, tmp_path)) as ready:
        token = (await run("hub", "tenants", "create", "globex")).stdout.strip()
        again = await run("hub", "tenants", "create", "globex", code=1)
        assert "there is a tenant called 'globex'" in again.stderr
        listed = json.loads((await run("hub", "tenants", "list", "--json")).stdout)
        assert [each["name"] for each in listed] == [DEFAULT_TENANT, "globex"]
        assert listed[1]["createdAt"].endswith("Z")
        assert "globex" in (await run("hub", "tenants", "list")).stdout
        where = {"PERIPLUS_URL": ready["api_url"]}
        mine = await run("api-token", "list", "--json", **where, PERIPLUS_TOKEN=token)
        assert [each["name"] for each in json.loads(mine.stdout)] == ["hub admin-token"]
        newer = (await run("hub", "admin-token", "--tenant", "globex")).stdout.strip()
        assert newer not in {token, ""}
        assert "no tenant 'x'" in (await run("hub", "admin-token", "--tenant", "x", code=1)).stderr
        default = str(await start("admin_token", config_for(database_url, tmp_path)))
        await run("join-token", "create", "--cluster-name", "a", **where, PERIPLUS_TOKEN=newer)
        assert json.loads((await run("join-token", "list", "--json", **where, PERIPLUS_TOKEN=default)).stdout) == []
