"""A spoke, a hub and two database servers: what a failover loses comes again from the spoke, by itself."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from periplus_hub.access.scope import system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.fleet.service import create_join_token
from periplus_hub.kit.clock import SystemClock
from periplus_hub.kit.db import Database
from periplus_hub.kit.tasks import beside

from tests.support.hub_process import config_for, hub
from tests.support.kube_api import FakeKube, write_kubeconfig
from tests.support.kube_objects import node, pod
from tests.support.replica import Node, Pair, replicated

pytestmark = pytest.mark.chaos
PODS = "/api/v1/pods"


@pytest.fixture
async def pair(open_folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    async with replicated(open_folder / request.node.name[:40]) as found:
        await found.migrate()
        yield found


async def join_token(pair: Pair) -> str:
    db = Database(pair.url(), SystemClock())
    scope = system_scope(await ensure_default_tenant(db), "test")
    async with db.write(scope) as c:
        token = await create_join_token(c, scope, db.clock, auto_approve=True)
    await db.dispose()
    return token.text


@asynccontextmanager
async def spoke(hub_url: str, token: str, kube: FakeKube, folder: Path) -> AsyncIterator[None]:
    """`periplus-spoke run`."""
    (folder / "token").write_text(token)
    async with kube.serving() as url:
        config = write_kubeconfig(folder / "kubeconfig", url)
        command = ["--hub", hub_url, "--join-token-file", str(folder / "token"), "--kubeconfig", str(config)]
        command += ["--state-dir", str(folder / "state"), "--status-file", str(folder / "status.json")]
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "periplus_spoke", "run", *command)
        try:
            yield
            assert process.returncode is None
        finally:
            process.terminate()
            await process.wait()


async def knows(server: Node, pods: int) -> None:
    await server.until(f"(SELECT count(*) FROM pods WHERE valid_to IS NULL) = {pods}", within_s=120)


async def lose_patience(pair: Pair) -> None:
    """Every commit that waits for the standby is committed on the primary alone."""
    while True:
        await pair.cancel_waits()
        await asyncio.sleep(0.05)


@pytest.mark.promise("failovers-need-nobody")
async def test_what_the_promoted_standby_lacks_comes_again(pair: Pair, tmp_path: Path) -> None:
    await pair.synchronous()
    kube, token = FakeKube(), await join_token(pair)
    # With a range of its own, another pod changes no allocation: the batch that is lost is the last one sent.
    kube.put("/api/v1/nodes", node("n1", podCIDR="10.0.0.0/24"))
    kube.put(PODS, pod("a", ("10.0.0.1",)))
    async with (
        hub(config_for(pair.url(), tmp_path, settle_after_s=3_600)) as ready,
        spoke(ready["spokes_url"], token, kube, tmp_path),
    ):
        await knows(pair.standby, 1)
        await pair.cut_off()
        async with beside(lose_patience(pair)):
            kube.put(PODS, pod("b", ("10.0.0.2",)))
            await knows(pair.primary, 2)
        await knows(pair.standby, 1)
        await pair.primary.die()
        await pair.promote()
        await knows(pair.standby, 2)
