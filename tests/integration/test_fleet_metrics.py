"""What Prometheus is told of the fleet: in the words of the report, and nothing that is not known."""

import asyncio
import platform
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text, update

from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.addresses.ipam.engine.knowledge import FEEDING
from periplus_hub.findings.jobs import FindingsJob
from periplus_hub.findings.jobs_figures import FleetFiguresJob
from periplus_hub.fleet.service import revoke
from periplus_hub.fleet.service_agents import revoke_agent
from periplus_hub.fleet.tables import registrations
from periplus_hub.kit.db import Database
from periplus_hub.kit.metrics import exposition

from tests.support.batches import upsert
from tests.support.clock import START, FakeClock
from tests.support.hub_db import make_tenant
from tests.support.hub_process import config_for, hub
from tests.support.overlap_fleet import Fleet, pool

Figures = dict[str, float]


def parsed(text: str) -> Figures:
    """Each sample of ours by its name and the values of its labels, which stand in the order of their names."""
    return {
        "/".join((sample.name.removeprefix("periplus_"), *sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("periplus_")
    }


def figures(prefix: str = "") -> Figures:
    return {name: value for name, value in parsed(exposition().decode()).items() if name.startswith(prefix)}


@pytest.fixture
async def fleet(db: Database, tenant: Scope) -> AsyncIterator[Fleet]:
    opened = Fleet.open(db, tenant)
    yield opened
    opened.door.intake.close()


async def known_whole(fleet: Fleet, *names: str, services: str = "ok") -> None:
    for name in names:
        member, spoke = fleet.members[name]
        states = dict.fromkeys(FEEDING, "ok") | {"services": services}
        sources = [upsert(each, state=state, objects=1) for each, state in states.items()]
        await member.send(spoke.snapshot({"sources": sources}))


async def count(fleet: Fleet, clock: FakeClock, **settings: Any) -> None:
    await FleetFiguresJob(fleet.db, **settings).run(clock.now())


async def test_the_fleet_is_counted_in_the_words_of_the_report(fleet: Fleet, clock: FakeClock) -> None:
    for name in ("shop", "crm", "lab", "new"):
        await fleet.cluster(name, ("pod", "10.1.0.0/16"))
    await known_whole(fleet, "shop", "crm")
    await known_whole(fleet, "lab", services="forbidden")
    await fleet.settle()
    await FindingsJob(fleet.db).run(clock.now())
    await count(fleet, clock)
    states = {"complete": 2, "incomplete": 1, "stale": 0, "unread": 1, "pending": 0, "revoked": 0}
    assert figures("clusters/") == {f"clusters/{state}": number for state, number in states.items()}
    assert figures("registrations/") == {
        "registrations/pending": 0,
        "registrations/active": 4,
        "registrations/revoked": 0,
    }
    groups = {"conflict": 0, "blocks-federation": 0, "latent": 1, "intended": 0}
    assert figures("overlap_groups/") == {f"overlap_groups/{severity}": number for severity, number in groups.items()}
    assert figures("overlap_registers/")["overlap_registers/current"] == 1
    assert figures("overlap_register_timestamp")["overlap_register_timestamp_seconds"] == START.timestamp()
    assert figures()["findings/warning/open"] == 1, "services of lab are not read"
    assert set(figures("findings/")) == {
        f"findings/{severity}/{state}"
        for state in ("open", "acknowledged")
        for severity in ("critical", "warning", "info")
    }


async def test_silence_is_seen_in_how_many_were_heard_and_the_oldest_contact(fleet: Fleet, clock: FakeClock) -> None:
    for name in ("shop", "crm"):
        await fleet.cluster(name, ("pod", "10.1.0.0/16"))
    await known_whole(fleet, "shop", "crm")
    async with fleet.db.write(fleet.scope) as c:
        silent = update(registrations).where(registrations.c.name == "crm")
        await c.execute(silent.values(last_seen_at=START - timedelta(minutes=4)))
    await count(fleet, clock)
    heard = {"60": 1, "300": 2, "3600": 2, "86400": 2}
    assert figures("clusters_heard") == {f"clusters_heard_within/{within}": number for within, number in heard.items()}
    assert figures("clusters_oldest")["clusters_oldest_contact_timestamp_seconds"] == START.timestamp() - 240
    assert (figures()["clusters/stale"], figures()["clusters/complete"]) == (1, 1)


@pytest.mark.promise("unknown-is-not-zero")
async def test_what_is_not_known_is_absent(fleet: Fleet, clock: FakeClock, tenant: Scope) -> None:
    await count(fleet, clock)
    assert figures("clusters_oldest") == {}, "no cluster was ever heard"
    assert figures("overlap_groups") == figures("overlap_register_timestamp") == {}, "nobody ever computed them"
    assert figures("findings") == {}, "nobody ever looked"
    assert figures()["overlap_registers/never-computed"] == 1
    await fleet.settle()
    await FindingsJob(fleet.db).run(clock.now())
    await count(fleet, clock)
    assert figures()["overlap_groups/conflict"] == 0
    assert figures()["findings/critical/open"] == 0
    await make_tenant(fleet.db, "globex")
    await count(fleet, clock)
    assert figures("overlap_groups") == figures("findings") == {}, "one tenant's are not known: neither is the sum"
    assert (figures()["overlap_registers/current"], figures()["overlap_registers/never-computed"]) == (1, 1)


@pytest.mark.promise("unknown-is-not-zero")
async def test_figures_that_nobody_counts_any_more_are_gone(fleet: Fleet, clock: FakeClock) -> None:
    job = FleetFiguresJob(fleet.db, interval_s=30)
    await job.run(clock.now())
    clock.advance(90)
    assert figures("clusters/")
    clock.advance(1)
    assert figures("clusters") == figures("fleet_counted") == {}
    await job.run(clock.now())
    assert figures()["fleet_counted_timestamp_seconds"] == START.timestamp() + 91


@pytest.mark.promise("unknown-is-not-zero")
async def test_a_tenant_that_cannot_be_counted_takes_no_other_with_it_and_is_told(
    fleet: Fleet, clock: FakeClock
) -> None:
    await fleet.cluster("shop", ("pod", "10.1.0.0/16"))
    await known_whole(fleet, "shop")
    await fleet.settle()
    await count(fleet, clock)
    assert figures()["fleet_tenants_uncounted"] == 0
    globex = Fleet.open(fleet.db, await make_tenant(fleet.db, "globex"))
    await globex.cluster("crm", ("pod", "10.1.0.0/16"))
    globex.door.intake.close()
    await globex.settle()
    await _heard_at_a_time_no_program_can_say(globex)
    with pytest.raises(ExceptionGroup, match="1 parts of the job failed"):
        await count(fleet, clock)
    assert figures()["fleet_tenants_uncounted"] == 1
    assert (figures()["clusters/complete"], figures()["registrations/active"]) == (1, 1)
    assert figures()["overlap_groups/conflict"] == 0
    await _heard_at_a_time_no_program_can_say(fleet)
    with pytest.raises(ExceptionGroup, match="2 parts of the job failed"):
        await count(fleet, clock)
    assert figures("fleet") == {"fleet_tenants_uncounted": 2}
    sums = figures("clusters") | figures("overlap_groups") | figures("registrations") | figures("pools")
    assert sums == {}, "nothing could be counted: that is not zero"


async def _heard_at_a_time_no_program_can_say(fleet: Fleet) -> None:
    async with fleet.db.write(fleet.scope) as c:
        await c.execute(update(registrations).values(last_seen_at=text("'20000-01-01'::timestamptz")))


async def test_pools_are_counted_by_how_full_they_are(fleet: Fleet, clock: FakeClock) -> None:
    await fleet.cluster("a")
    await fleet.send(
        "a",
        {
            "pools": [
                pool("nobody-knows"),
                pool("empty-of-meaning", capacity="0", used="0"),
                pool("half", capacity="254", used="127"),
                pool("nearly", capacity="1000", used="10", assigned="900"),
                pool("free-counts", capacity=str(2**100), free="7", assigned="0"),
                pool("full", capacity="254", used="254"),
            ]
        },
    )
    await count(fleet, clock)
    assert figures("pools/") == {"pools/ample": 1, "pools/near-exhaustion": 3, "pools/unknown": 2}


async def test_agents_of_nodes_are_counted_by_whether_they_are_heard(fleet: Fleet, clock: FakeClock) -> None:
    await count(fleet, clock)
    assert figures("node_agents/") == {"node_agents/connected": 0, "node_agents/stale": 0}
    await fleet.cluster("shop", ("pod", "10.1.0.0/16"))
    shop = fleet.members["shop"][0].registration
    agents = [await fleet.door.agent(fleet.scope, shop, f"node-{number}") for number in range(3)]
    clock.advance(91)
    await agents[0].beat()
    async with fleet.db.write(fleet.scope) as c:
        await revoke_agent(c, fleet.scope, clock, agents[1].registration)
    await count(fleet, clock)
    assert figures("node_agents/") == {"node_agents/connected": 1, "node_agents/stale": 1}
    async with fleet.db.write(fleet.scope) as c:
        await revoke(c, fleet.scope, clock, shop)
    await count(fleet, clock)
    assert figures("node_agents/") == {"node_agents/connected": 0, "node_agents/stale": 0}


async def test_no_cluster_is_named_unless_asked_and_none_of_many(fleet: Fleet, clock: FakeClock) -> None:
    for name in ("shop", "crm"):
        await fleet.cluster(name, ("pod", "10.1.0.0/16"))
    await known_whole(fleet, "shop")
    await count(fleet, clock)
    assert "shop" not in exposition().decode()
    assert figures("cluster_") == {}
    await count(fleet, clock, cluster_limit=2)
    assert figures("cluster_state") == {
        "cluster_state/shop/complete/acme": 1,
        "cluster_state/crm/unread/acme": 1,
    }
    assert set(figures("cluster_last_contact")) == {
        f"cluster_last_contact_timestamp_seconds/{name}/acme" for name in ("shop", "crm")
    }
    assert figures()["cluster_series_left_out"] == 0
    await count(fleet, clock, cluster_limit=1)
    assert figures("cluster_") == {"cluster_series_left_out": 1}


@asynccontextmanager
async def scraping(database_url: str, folder: Path, **settings: Any) -> AsyncIterator[Any]:
    async with hub(config_for(database_url, folder, **settings)) as ready, httpx.AsyncClient(trust_env=False) as http:

        async def scrape() -> Figures:
            answer = await http.get(f"{ready['metrics_url']}/metrics")
            assert answer.headers["content-type"].startswith("text/plain")
            return parsed(answer.text)

        yield scrape


async def test_prometheus_reads_it_from_the_process_that_leads(database_url: str, db: Database, tmp_path: Path) -> None:
    fleet = Fleet.open(db, system_scope(await ensure_default_tenant(db), "test"))
    await fleet.cluster("shop", ("pod", "10.1.0.0/16"))
    fleet.door.intake.close()
    async with scraping(database_url, tmp_path, all_in_one=True, metrics_cluster_limit=5) as scrape:
        found = await counted(scrape)
    assert found["cluster_state/shop/unread/default"] == 1
    assert found["registrations/active"] == 1
    assert found[f"build_info/{platform.python_version()}/{version('periplus-hub')}"] == 1


async def counted(scrape: Callable[[], Awaitable[Figures]]) -> Figures:
    """The first scrape that has this fleet's figures; the hub's own job counts them."""
    async with asyncio.timeout(60):
        while True:
            found = await scrape()
            if found.get("registrations/active") == 1 and "cluster_series_left_out" in found:
                return found
            await asyncio.sleep(0.1)
