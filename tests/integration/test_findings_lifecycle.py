"""Findings from detection to resolution, through the job and the database."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from periplus_hub.access.scope import Role, role_scope
from periplus_hub.findings import repository
from periplus_hub.findings.jobs import FindingsJob
from periplus_hub.findings.model import Finding, FindingDraft, FindingFilter, FindingSeverity, FindingState, Undecided
from periplus_hub.findings.repository_graphql import FINDINGS
from periplus_hub.findings.service import acknowledge, reconcile
from periplus_hub.fleet.service import move_clusters
from periplus_hub.inventory.repository import sources_by_registration
from periplus_hub.kit.errors import Conflict, Forbidden, Invalid, NotFound
from periplus_hub.kit.graphql import uuid_of
from periplus_hub.kit.windows import Window

from tests.support.clock import START
from tests.support.overlap_fleet import Fleet


def draft(fingerprint: str = "x", severity: FindingSeverity = FindingSeverity.WARNING, **evidence: Any) -> FindingDraft:
    return FindingDraft(
        fingerprint=fingerprint,
        severity=severity,
        title=f"Trouble {fingerprint}",
        why="Because.",
        what_to_do="Something.",
        evidence=evidence,
    )


LIVE = (FindingState.OPEN, FindingState.ACKNOWLEDGED)


async def say(db: Any, scope: Any, *drafts: FindingDraft | Undecided, seconds: float = 0) -> list[tuple[str, str]]:
    async with db.write(scope) as c:
        changed = await reconcile(c, scope, "test", drafts, START + timedelta(seconds=seconds))
    return sorted((finding.fingerprint, finding.state.value) for finding in changed)


async def listed(db: Any, scope: Any, **filters: Any) -> list[Finding]:
    """What the door lists, in its order."""
    async with db.write(scope) as c:
        page = (await FINDINGS.slices(c, scope, [None], Window(100), FindingFilter(**filters)))[None]
        found = [await repository.locked_finding(c, scope, uuid_of(row.id, "Finding")) for row in page.rows]
    return [each for each in found if each is not None]


@pytest.mark.promise("findings-do-not-nag")
async def test_saying_it_twice_changes_nothing(db: Any, tenant: Any) -> None:
    assert await say(db, tenant, draft(n=1)) == [("x", "open")]
    assert await say(db, tenant, draft(n=1), seconds=60) == []
    (found,) = await listed(db, tenant)
    assert (found.opened_at, found.changed_at, found.evidence) == (START, START, {"n": 1})


async def test_new_evidence_updates_the_same_finding(db: Any, tenant: Any) -> None:
    await say(db, tenant, draft(n=1))
    assert await say(db, tenant, draft(n=2), seconds=60) == [("x", "open")]
    (found,) = await listed(db, tenant)
    assert (found.opened_at, found.changed_at, found.evidence) == (START, START + timedelta(seconds=60), {"n": 2})


async def test_what_returns_is_a_new_finding_and_the_old_one_stays_resolved(db: Any, tenant: Any) -> None:
    await say(db, tenant, draft())
    assert await say(db, tenant, seconds=60) == [("x", "resolved")]
    await say(db, tenant, draft(), seconds=120)
    newest, oldest = await listed(db, tenant)
    assert (newest.state, oldest.state) == (FindingState.OPEN, FindingState.RESOLVED)
    assert newest.id != oldest.id
    assert oldest.resolved_at == START + timedelta(seconds=60)


async def test_detectors_do_not_touch_each_others_findings(db: Any, tenant: Any) -> None:
    await say(db, tenant, draft())
    async with db.write(tenant) as c:
        await reconcile(c, tenant, "other", [draft()], START)
    await say(db, tenant)
    assert [found.detector for found in await listed(db, tenant, states=(FindingState.OPEN,))] == ["other"]


@pytest.mark.promise("findings-do-not-nag")
async def test_an_acknowledged_finding_stays_so_until_it_gets_worse(db: Any, tenant: Any) -> None:
    await say(db, tenant, draft())
    (found,) = await listed(db, tenant)
    async with db.write(tenant) as c:
        known = await acknowledge(c, tenant, found.id, " known since May ", START)
    assert (known.state, known.note, known.acknowledged_by) == (
        FindingState.ACKNOWLEDGED,
        "known since May",
        tenant.actor,
    )
    await say(db, tenant, draft(n=3), seconds=60)
    assert [each.state for each in await listed(db, tenant)] == [FindingState.ACKNOWLEDGED]
    await say(db, tenant, draft("x", FindingSeverity.CRITICAL), seconds=120)
    (worse,) = await listed(db, tenant)
    assert (worse.state, worse.acknowledged_by, worse.note) == (FindingState.OPEN, None, "known since May")


async def test_acknowledging_is_checked(db: Any, tenant: Any, other_tenant: Any) -> None:
    await say(db, tenant, draft())
    (found,) = await listed(db, tenant)
    viewer = role_scope(tenant.tenant_id, "eve", Role.VIEWER)
    for scope, note, refusal in [
        (viewer, "", Forbidden),
        (other_tenant, "", NotFound),
        (tenant, "n" * 1001, Invalid),
    ]:
        async with db.write(tenant) as c:
            with pytest.raises(refusal):
                await acknowledge(c, scope, found.id, note, START)
    await say(db, tenant)
    async with db.write(tenant) as c:
        with pytest.raises(Conflict):
            await acknowledge(c, tenant, found.id, "", START)


@pytest.mark.promise("tenants-are-apart")
async def test_another_tenant_sees_nothing(db: Any, tenant: Any, other_tenant: Any) -> None:
    await say(db, tenant, draft())
    (found,) = await listed(db, tenant)
    assert await listed(db, other_tenant) == []
    async with db.write(tenant) as c:
        assert await repository.locked_finding(c, other_tenant, found.id) is None


@pytest.fixture
async def fleet(db: Any, tenant: Any) -> AsyncIterator[Fleet]:
    opened = Fleet.open(db, tenant)
    yield opened
    opened.door.intake.close()


@pytest.mark.promise("findings-do-not-nag")
async def test_a_conflict_opens_a_critical_finding_and_its_end_resolves_it(fleet: Fleet) -> None:
    told: list[tuple[str, Any]] = []
    job = FindingsJob(fleet.db, lambda _tenant, topic, payload: told.append((topic, payload["state"])))
    a = await fleet.cluster("a", ("pod", "10.244.0.0/16"))
    b = await fleet.cluster("b", ("pod", "10.244.0.0/16"))
    now = fleet.db.clock.now()
    await fleet.settle()
    await job.run(now)
    assert await listed(fleet.db, fleet.scope, detectors=("overlaps",)) == []
    async with fleet.db.write(fleet.scope) as c:
        await move_clusters(c, fleet.scope, await fleet.domain_of(c, a), [b], now=START)
    await fleet.settle()
    await job.run(now)
    (finding,) = await listed(fleet.db, fleet.scope, detectors=("overlaps",))
    assert (finding.severity, finding.evidence["clusters"]) == (FindingSeverity.CRITICAL, 2)
    await fleet.report("b", ("pod", "10.245.0.0/16"))
    await fleet.settle()
    await job.run(now)
    (finding,) = await listed(fleet.db, fleet.scope, detectors=("overlaps",))
    assert finding.state is FindingState.RESOLVED
    assert told == [("findings", "open"), ("findings", "resolved")]


async def test_a_silent_cluster_is_found_and_forgiven(fleet: Fleet) -> None:
    a = await fleet.cluster("a")
    job, now = FindingsJob(fleet.db), fleet.db.clock.now()
    await rounds(job, now, 106)
    (finding,) = await listed(fleet.db, fleet.scope, registration_ids=(a,), states=LIVE)
    assert finding.detector == "stale-clusters"
    member, _ = fleet.members["a"]
    fleet.db.clock.advance(120)
    await member.beat()
    await rounds(job, now + timedelta(seconds=120), 1)
    assert await listed(fleet.db, fleet.scope, registration_ids=(a,), states=LIVE) == []


async def rounds(job: FindingsJob, start: Any, seconds: int) -> None:
    """Every 15 s, as in a leader."""
    for after in range(0, seconds, 15):
        await job.run(start + timedelta(seconds=after))


@pytest.mark.promise("findings-do-not-nag")
async def test_a_hub_that_was_away_accuses_nobody(fleet: Fleet) -> None:
    for name in ("a", "b", "c"):
        await fleet.cluster(name)
    clock, now = fleet.db.clock, fleet.db.clock.now()
    await rounds(FindingsJob(fleet.db), now, 106)
    (silent,) = await listed(fleet.db, fleet.scope)
    assert (silent.detector, silent.state) == ("silent-fleet", FindingState.OPEN)
    clock.advance(600)
    back = FindingsJob(fleet.db)
    await back.run(clock.now())
    for _ in range(8):
        for name in ("a", "b"):
            await fleet.members[name][0].beat()
        await back.run(clock.now())
        clock.advance(15)
    assert [each.detector for each in await listed(fleet.db, fleet.scope, states=(FindingState.OPEN,))] == [
        "stale-clusters"
    ]


async def test_one_tenant_in_trouble_does_not_starve_the_next(
    fleet: Fleet, other_tenant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, seen = FindingsJob(fleet.db), []

    async def detect(tenant: Any, _now: Any) -> None:
        seen.append(tenant)
        raise LookupError(tenant)

    monkeypatch.setattr(job, "detect", detect)
    with pytest.raises(ExceptionGroup) as failed:
        await job.run(START)
    assert {fleet.scope.tenant_id, other_tenant.tenant_id} <= set(seen)
    assert len(failed.value.exceptions) == len(seen)


async def test_more_clusters_than_a_statement_has_parameters_can_be_asked(db: Any, tenant: Any) -> None:
    many = [UUID(int=number) for number in range(40_000)]
    async with db.write(tenant) as c:
        assert len(await sources_by_registration(c, tenant, many)) == len(many)
        await repository.resolve(c, tenant, many, START)


@pytest.mark.promise("no-false-all-clear")
async def test_what_a_detector_cannot_know_now_stays_as_it_is(db: Any, tenant: Any) -> None:
    assert await say(db, tenant, draft("x"), draft("y")) == [("x", "open"), ("y", "open")]
    assert await say(db, tenant, Undecided("x"), Undecided("z"), seconds=1) == [("y", "resolved")]
    assert [finding.fingerprint for finding in await listed(db, tenant, states=LIVE)] == ["x"]
    assert await say(db, tenant, seconds=2) == [("x", "resolved")]
