"""The whole hub knows its own: a token's questions and subscriptions, and a spoke's batches and heartbeats."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from periplus_hub.access.scope import system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.api.start_process import start
from periplus_hub.kit import metrics
from periplus_hub.kit.clock import SystemClock
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke, pod
from tests.support.doors import crowd
from tests.support.hub_child import enrolled
from tests.support.hub_process import config_for, hub

PLACES = 10
INIT = '{"type": "connection_init", "payload": {"authorization": "Bearer %s"}}'


def held(listener: str) -> float:
    return metrics.REGISTRY.get_sample_value("periplus_http_connections", {"listener": listener}) or 0.0


def connections(http: httpx.AsyncClient) -> list[Any]:
    transport: Any = http._transport
    return list(transport._pool.connections)


@pytest.fixture
async def live_db(database_url: str) -> AsyncIterator[Database]:
    """With the clock that the hub has, too."""
    found = Database(database_url, SystemClock())
    yield found
    await found.dispose()


@pytest.mark.promise("strangers-shut-no-door")
async def test_people_and_spokes_keep_their_connections(live_db: Database, database_url: str, tmp_path: Path) -> None:
    config = config_for(database_url, tmp_path, connections=PLACES)
    token = await start("admin_token", config)
    bearer = {"Authorization": f"Bearer {token}"}
    async with (
        hub(config) as urls,
        httpx.AsyncClient(base_url=urls["api_url"], headers=bearer, trust_env=False, timeout=20) as people,
        httpx.AsyncClient(base_url=urls["spokes_url"], trust_env=False, timeout=20) as spokes,
        connect(
            urls["api_url"].replace("http", "ws") + "/graphql", subprotocols=["graphql-transport-ws"], proxy=None
        ) as socket,
    ):
        scope = system_scope(await ensure_default_tenant(live_db), "test")
        member = await enrolled(live_db, spokes, scope)
        batches = Spoke(member.registration, at=SystemClock().now())
        await member.send(batches.snapshot({"pods": [pod("a", "10.0.0.1", batches.at)]}))
        await socket.send(INIT % token)
        assert "connection_ack" in await socket.recv()
        ask = {"query": "{ viewer { role } }"}
        assert (await people.post("/graphql", json=ask)).status_code == 200
        kept = connections(people) + connections(spokes)
        async with crowd(5 * PLACES, urls["api_url"], urls["spokes_url"]):
            assert (await people.post("/graphql", json=ask)).status_code == 200
            await member.send(batches.delta({"pods": [pod("b", "10.0.0.2", batches.at)]}))
            await socket.send('{"type": "ping"}')
            assert "pong" in await socket.recv()
            await member.beat()
            assert connections(people) + connections(spokes) == kept
            assert max(held("api"), held("spokes")) <= PLACES
            assert held("api") > 2, "the crowd is there"
