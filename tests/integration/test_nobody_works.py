"""A hub that serves while nobody computes the overlaps: it says so through every door, and never answers "none"."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from periplus_hub.access.scope import system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.addresses.overlaps.jobs import OverlapsJob
from periplus_hub.api.cli import command_line
from periplus_hub.api.health import Health
from periplus_hub.api.start_process import start
from periplus_hub.findings.jobs import FindingsJob
from periplus_hub.findings.model import DetectorRound
from periplus_hub.findings.register_watch import PATIENCE_S, RegisterWatch
from periplus_hub.findings.repository import record_round
from periplus_hub.kit.clock import SystemClock
from periplus_hub.kit.db import Database
from periplus_hub.kit.jobs import JobRunner, lead, somebody_leads
from periplus_hub.kit.metrics import REGISTRY

from tests.support.clock import FakeClock
from tests.support.hub_db import make_tenant
from tests.support.hub_process import config_for, hub
from tests.support.overlap_fleet import Fleet

POD = ("pod", "10.244.0.0/16")
ALL = """{
  overlapGroups { nodes { cidr } totalCount asOf state }
  overlapCounts { state severities { severity groups } }
  overlapRegister { state current asOf }
  clusters { nodes { name overlapGroups { totalCount } } }
}"""
JOINED = "{ overlapGroups(ifAllJoined: true) { nodes { cidr } asOf state } }"


@pytest.fixture
async def fleet(db: Database, tenant: Any) -> AsyncIterator[Fleet]:
    opened = Fleet.open(db, tenant)
    await opened.cluster("a", POD)
    await opened.cluster("b", POD)
    yield opened
    opened.door.intake.close()


@pytest.mark.promise("unknown-is-not-zero")
async def test_what_was_never_computed_is_null_with_its_reason(fleet: Fleet) -> None:
    answer = await fleet.knock(ALL)
    assert answer.data is not None
    assert answer.data["overlapGroups"] is None
    assert answer.data["overlapCounts"] is None
    assert [each["overlapGroups"] for each in answer.data["clusters"]["nodes"]] == [None, None]
    assert answer.data["overlapRegister"] == {"state": "NEVER_COMPUTED", "current": False, "asOf": None}
    assert answer.codes == ["not-computed"] * 4
    assert "hub work" in answer.errors[0]["extensions"]["remedy"]


@pytest.mark.promise("unknown-is-not-zero")
async def test_that_nothing_is_found_is_said_only_where_somebody_looked(
    fleet: Fleet, db: Database, clock: FakeClock
) -> None:
    asked = "{ findings { totalCount } findingRound { current endedAt undecided partlyUndecided { detector count } } }"
    never = await fleet.ask(asked)
    assert never == {
        "findings": {"totalCount": 0},
        "findingRound": {"current": False, "endedAt": None, "undecided": [], "partlyUndecided": []},
    }
    await FindingsJob(db).run(clock.now())
    looked = (await fleet.ask(asked))["findingRound"]
    assert (looked["current"], looked["endedAt"]) == (True, "2026-01-01T00:00:00Z")
    assert "overlap" in " ".join(looked["undecided"]), "nobody has computed the overlaps"
    await FindingsJob(db).run(clock.now() - timedelta(seconds=181))
    assert (await fleet.ask(asked))["findingRound"]["current"] is False


@pytest.mark.promise("unknown-is-not-zero")
async def test_what_is_joined_in_thought_needs_nobody_else(fleet: Fleet) -> None:
    found = (await fleet.ask(JOINED))["overlapGroups"]
    assert found == {"nodes": [{"cidr": POD[1]}], "asOf": "2026-01-01T00:00:00Z", "state": None}


@pytest.mark.promise("unknown-is-not-zero")
@pytest.mark.parametrize(("settled_s", "state"), [(0, "CURRENT"), (-180, "CURRENT"), (-181, "BEHIND")])
async def test_groups_that_nobody_keeps_are_behind_though_nothing_is_reported(
    fleet: Fleet, settled_s: float, state: str
) -> None:
    await fleet.settle(settled_s)
    found = await fleet.ask(ALL)
    assert found["overlapGroups"]["state"] == found["overlapCounts"]["state"] == state
    assert found["overlapRegister"]["current"] is (state == "CURRENT")
    assert found["overlapGroups"]["totalCount"] == 1


@pytest.mark.promise("unknown-is-not-zero")
async def test_a_report_or_a_revoked_cluster_that_waits_is_behind(fleet: Fleet) -> None:
    await fleet.settle()
    await fleet.report("b", ("pod", "10.1.0.0/16"))
    assert (await fleet.ask(ALL))["overlapGroups"]["state"] == "BEHIND"


def _metric() -> float | None:
    return REGISTRY.get_sample_value("periplus_overlap_register_unkept")


async def _findings(fleet: Fleet) -> list[dict[str, Any]]:
    found = await fleet.ask("{ findings { nodes { detector state severity title why whatToDo } } }")
    return [each for each in found["findings"]["nodes"] if each["detector"] == "unkept-register"]


@pytest.mark.promise("unknown-is-not-zero")
async def test_it_is_logged_found_and_in_readyz_and_over_when_somebody_works(fleet: Fleet, clock: FakeClock) -> None:
    watch = RegisterWatch(fleet.db)
    with capture_logs() as logs:
        await watch.run(clock.now())
        assert (await _findings(fleet), watch.degraded(), logs) == ([], {}, []), "a hub that starts is not accused"
        assert _metric() == 0
        for passed in (PATIENCE_S, 15, 15):
            clock.advance(passed)
            await watch.run(clock.now())
    [finding] = await _findings(fleet)
    assert (finding["state"], finding["severity"]) == ("OPEN", "CRITICAL")
    assert finding["title"] == "The overlaps were never computed"
    assert "hub work" in finding["whatToDo"]
    assert "never computed" in watch.degraded()["overlaps"]
    assert _metric() == 1
    [said] = logs
    assert (said["event"], said["log_level"]) == ("overlaps_not_kept", "warning")
    assert await Health(fleet.db, watch.degraded).trouble() is None, "people and spokes are still served"
    await OverlapsJob(fleet.db).run(clock.now())
    await watch.run(clock.now())
    await FindingsJob(fleet.db).run(clock.now())
    assert (watch.degraded(), _metric()) == ({}, 0)
    assert [each["state"] for each in await _findings(fleet)] == ["RESOLVED"]


@pytest.mark.promise("unknown-is-not-zero")
async def test_a_worker_that_went_away_leaves_the_instant_it_stood_for(fleet: Fleet, clock: FakeClock) -> None:
    await fleet.settle()
    watch = RegisterWatch(fleet.db)
    clock.advance(181)
    await watch.run(clock.now())
    clock.advance(PATIENCE_S)
    await watch.run(clock.now())
    [finding] = await _findings(fleet)
    assert finding["title"] == "The overlaps are those of 2026-01-01 00:00 UTC"
    assert "not kept up to date" in watch.degraded()["overlaps"]


@pytest.mark.promise("unknown-is-not-zero")
async def test_nobody_is_accused_for_a_moment_in_which_nobody_could_work(fleet: Fleet, clock: FakeClock) -> None:
    """As after a database that was away: whoever looks first finds the overlaps old, before they are taken up again."""
    await fleet.settle()
    watch = RegisterWatch(fleet.db)
    clock.advance(3_600)
    for worked in (False, True, False):
        if worked:
            await OverlapsJob(fleet.db).run(clock.now())
        with capture_logs() as logs:
            await watch.run(clock.now())
        assert (await _findings(fleet), watch.degraded(), logs, _metric()) == ([], {}, [], 0)
        clock.advance(PATIENCE_S - 1)


@pytest.mark.promise("unknown-is-not-zero")
async def test_a_tenant_that_is_new_gets_the_patience_that_another_used_up(
    fleet: Fleet, clock: FakeClock, db: Database
) -> None:
    watch = RegisterWatch(fleet.db)
    await watch.run(clock.now())
    clock.advance(PATIENCE_S)
    globex = Fleet.open(db, await make_tenant(db, "globex"))
    await watch.run(clock.now())
    assert [each["state"] for each in await _findings(fleet)] == ["OPEN"]
    assert await _findings(globex) == []
    clock.advance(PATIENCE_S)
    await watch.run(clock.now())
    assert [each["state"] for each in await _findings(globex)] == ["OPEN"]
    globex.door.intake.close()


async def test_a_leader_whose_job_fails_is_told_from_no_leader(fleet: Fleet, clock: FakeClock) -> None:
    watch = RegisterWatch(fleet.db)
    await watch.run(clock.now())
    clock.advance(PATIENCE_S)
    async with asyncio.TaskGroup() as group:
        leading = group.create_task(lead(fleet.db, JobRunner([], clock)))
        while not await somebody_leads(fleet.db):  # noqa: ASYNC110 - nothing to wait on
            await asyncio.sleep(0.01)
        await watch.run(clock.now())
        leading.cancel()  # allowed: it runs until then
    [finding] = await _findings(fleet)
    assert "addresses.overlaps fails" in finding["why"]
    assert "job_failed" in finding["whatToDo"]
    assert not await somebody_leads(fleet.db)


@pytest.fixture
async def command(database_url: str, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    config = config_for(database_url, tmp_path)
    async with hub(config) as ready:
        token = await start("admin_token", config)

        async def run(*arguments: str) -> Result:
            environment = {"PERIPLUS_URL": ready["api_url"], "PERIPLUS_TOKEN": token, "NO_COLOR": "1"}
            return await asyncio.to_thread(CliRunner().invoke, command_line(), list(arguments), env=environment)

        yield run


@pytest.mark.promise("unknown-is-not-zero")
@pytest.mark.parametrize("options", [[], ["--json"]])
async def test_the_command_refuses_in_two_lines(command: Callable[..., Any], options: list[str]) -> None:
    result = await command("overlaps", *options)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "never computed" in result.stderr
    assert "hub work" in result.stderr


@pytest.mark.promise("unknown-is-not-zero")
@pytest.mark.parametrize("options", [[], ["--json"]])
async def test_no_finding_is_not_said_where_nobody_looks(command: Callable[..., Any], options: list[str]) -> None:
    result = await command("findings", "list", *options)
    assert (result.exit_code, result.stdout) == (1, "[]\n" if options else "")
    assert "no findings are known, but nobody has ever looked" in result.stderr
    assert "hub work" in result.stderr


@pytest.mark.promise("no-false-all-clear")
async def test_what_a_detector_could_not_tell_of_some_is_said(command: Callable[..., Any], database_url: str) -> None:
    db = Database(database_url, SystemClock())
    scope = system_scope(await ensure_default_tenant(db), "test")
    async with db.write(scope) as c:
        await record_round(c, scope, DetectorRound(ended_at=db.clock.now(), partly={"leaking-pools": 2}))
    await db.dispose()
    result = await command("findings", "list")
    assert (result.exit_code, result.stdout) == (0, "No findings are known.\n")
    assert "these could not tell of some things: leaking-pools (2)" in result.stderr


async def test_readyz_of_a_hub_in_order_names_nothing(database_url: str, tmp_path: Path) -> None:
    async with hub(config_for(database_url, tmp_path)) as ready, httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(ready["metrics_url"] + "/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "degraded": []})
