"""`periplus-spoke node` joins a real hub with the token of its cluster's agents, and is killed and heard again."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from typer.testing import CliRunner

from periplus_hub.access.scope import system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.api.cli import command_line
from periplus_hub.api.start_process import start
from periplus_hub.kit.db import Database

from tests.support.graphql_hub import seed
from tests.support.hub_process import config_for, hub

ROOT = Path(__file__).parents[2]


async def test_a_node_joins_by_its_name_and_stays_who_it_is(database_url: str, db: Database, tmp_path: Path) -> None:
    await seed(db, system_scope(await ensure_default_tenant(db), "test"))
    config = config_for(database_url, tmp_path)
    async with hub(config) as ready, asyncio.timeout(120):
        env = {"PERIPLUS_URL": ready["api_url"], "PERIPLUS_TOKEN": str(await start("admin_token", config))}

        async def run(*words: str) -> str:
            done = await asyncio.to_thread(CliRunner().invoke, command_line(), words, env=env)
            assert done.exit_code == 0, done.output
            return done.stdout

        async def agents() -> list[dict[str, object]]:
            listed: list[dict[str, object]] = json.loads(await run("agents", "list", "cluster-001", "--all", "--json"))
            return listed

        token = (await run("join-token", "create", "--agents-of", "cluster-001")).strip()
        own = {
            "PERIPLUS_SPOKE_HUB": ready["spokes_url"],
            "PERIPLUS_SPOKE_JOIN_TOKEN": token,
            "PERIPLUS_SPOKE_NODE_NAME": "node-7",
            "PERIPLUS_SPOKE_STATE_DIR": str(tmp_path / "state"),
            "PERIPLUS_SPOKE_HEARTBEAT_INTERVAL_S": "0.2",
        }
        heard_at: object = None
        for _ in range(2):
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "periplus_spoke", "node"), cwd=ROOT, env={**os.environ, **own}
            )
            try:
                while not (told := await agents()) or told[0]["lastSeenAt"] in (heard_at, told[0]["joinedAt"]):
                    assert child.returncode is None
                    await asyncio.sleep(0.1)  # polling: the hub tells nobody of a heartbeat
            finally:
                child.send_signal(signal.SIGKILL)
                await child.wait()
            assert [(each["name"], each["earlier"], each["end"]) for each in told] == [("node-7", 0, None)]
            heard_at = told[0]["lastSeenAt"]
        shown = await run("clusters", "show", "cluster-001")
        assert "1 heard" in shown
