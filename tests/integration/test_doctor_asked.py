"""`periplus doctor` beside a hub that runs, and where none does."""

import asyncio
import json
from pathlib import Path

import pytest

from periplus_hub.access.scope import Scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.api.cli.exit_codes import Exit
from periplus_hub.api.config import HubConfig
from periplus_hub.api.doctor.checks import State
from periplus_hub.api.doctor.examine import examine
from periplus_hub.kit import jobs
from periplus_hub.kit.db import Database

from tests.support.backups import periplus
from tests.support.clickhouse_http import port
from tests.support.hub_process import config_for, hub


def held_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def found(config: HubConfig) -> dict[str, State]:
    """What each check found."""
    checks = await examine(config)
    assert len({each.name for each in checks}) == len(checks)
    assert all(each.remedy for each in checks if each.state is not State.OK)
    return {each.name: each.state for each in checks}


@pytest.fixture
def own_jobs() -> None:
    """Jobs of other tests ran in this process, by clocks of their own, and a hub in it would show them, too."""
    for each in (jobs._interval, jobs._last_success, jobs._runs):
        each.clear()


@pytest.mark.usefixtures("own_jobs")
async def test_a_hub_that_runs_is_well_and_who_is_silent_is_named(
    db: Database, database_url: str, tenant: Scope, tmp_path: Path
) -> None:
    await ensure_default_tenant(db)
    with port() as free:
        config = config_for(database_url, tmp_path, metrics_port=free.getsockname()[1], all_in_one=True)
    async with hub(config):
        async with asyncio.timeout(600):
            states = await found(config)
            while {states["leader"], states["jobs"]} != {State.OK}:  # it leads when it is ready, or soon after
                states = await found(config)
    states.pop("disk")  # the machine's own
    assert states.pop("postgresql") is State.FAILED, "the tests' server need not survive a power cut, and says so"
    assert set(states.values()) == {State.OK}, states
    assert {"hub", "flow-store", "jobs", "schema", "role", "standbys", "spokes", "tokens", "certificate"} <= set(states)


async def test_where_nobody_answers_nothing_is_taken_for_well(tmp_path: Path) -> None:
    with port() as free:
        nowhere = free.getsockname()[1]
    away = {"database_url": f"postgresql://periplus@127.0.0.1:{nowhere}/periplus", "metrics_port": nowhere}
    config = HubConfig.model_validate({**away, "data_dir": tmp_path, "flow_store_url": f"http://127.0.0.1:{nowhere}"})
    states = await found(config)
    assert {name for name, state in states.items() if state is State.OK} == {"certificate", "backups"}, "neither is set"
    assert [states[name] for name in ("hub", "postgresql", "flow-server")] == [State.FAILED] * 3
    assert [states[name] for name in ("schema", "leader", "spokes", "tokens", "jobs")] == [State.UNKNOWN] * 5


@pytest.mark.promise("no-false-all-clear")
async def test_a_folder_without_a_hub_is_a_fault_and_stays_as_it_was(tmp_path: Path) -> None:
    shown = await periplus("doctor", "--json", "--data-dir", str(tmp_path))
    document = json.loads(shown.out)
    assert (shown.code, document["exitCode"]) == (Exit.THRESHOLD, 2)
    states = {each["name"]: each["state"] for each in document["checks"]}
    assert (states["postgresql"], states["spokes"], states["schema"]) == ("failed", "unknown", "unknown")
    assert held_in(tmp_path) == []
    lines = (await periplus("doctor", "--data-dir", str(tmp_path))).out.splitlines()
    assert len(lines) == len(document["checks"])
    assert (await periplus("doctor", "--data-dir", str(tmp_path), PERIPLUS_API_PORT="x")).code == Exit.USAGE
