"""Enrolment, credentials, holds and other people's folders."""

import random
from pathlib import Path

import pytest

from periplus_contract import problems
from periplus_spoke.kit.errors import ConfigError, HubRefusedForGoodError, SpokeError
from periplus_spoke.transport.client import HubClient
from periplus_spoke.transport.identity import IdentityStore, check_cluster
from periplus_spoke.transport.joining import Joining
from periplus_spoke.transport.report import Report

from tests.support.clock import FakeClock
from tests.support.fake_hub import JOIN_TOKEN, FakeHub, answer, lose_answer, refuse
from tests.support.spoke_batches import draft, open_outbox
from tests.support.spoke_rig import FACTS, sending, sign_here


def joining(client: HubClient, folder: Path, clock: FakeClock, token: str = JOIN_TOKEN) -> Joining:
    return Joining(
        client=client,
        store=IdentityStore(folder, sign_here),
        join_token=token,
        why_no_token="no join token: /run/token is not there, or empty",
        report=Report(folder / "status.json"),
        timer=clock,
        rng=random.Random(1),
    )


class ImpatientClock(FakeClock):
    """Sleeping is over at once."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)


async def test_the_key_is_made_here_and_readable_by_nobody_else(tmp_path: Path) -> None:
    clock = FakeClock()
    async with FakeHub(clock) as hub, HubClient(hub.url, clock) as client:
        made = await joining(client, tmp_path, clock).enrol(FACTS)
    assert made.registration == hub.registration
    key = tmp_path / "identity.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert JOIN_TOKEN not in (tmp_path / "registration.json").read_text()
    assert IdentityStore(tmp_path).registration() == made
    assert await IdentityStore(tmp_path).public_key() in hub.keys


async def test_a_lost_answer_does_not_cost_the_token(tmp_path: Path) -> None:
    clock = ImpatientClock()
    async with FakeHub(clock) as hub, HubClient(hub.url, clock) as client:
        hub.misbehave("/v1/enroll", lose_answer, answer(502), refuse(problems.OVERLOADED, retry_after="3"))
        made = await joining(client, tmp_path, clock).enrol(FACTS)
    assert made.registration == hub.registration
    assert len(hub.used_tokens) == 1


@pytest.mark.parametrize(
    "problem", [problems.PROOF_REFUSED, problems.NAME_TAKEN, problems.UNSUPPORTED_VERSION], ids=lambda each: each.slug
)
async def test_a_refused_enrolment_ends_with_the_remedy(tmp_path: Path, problem: problems.ProblemType) -> None:
    clock = FakeClock()
    async with FakeHub(clock) as hub, HubClient(hub.url, clock) as client:
        hub.misbehave("/v1/enroll", refuse(problem))
        with pytest.raises(HubRefusedForGoodError) as refused:
            await joining(client, tmp_path, clock).enrol(FACTS)
    assert refused.value.remedy == problem.remedy
    assert refused.value.exit_code == 4


async def test_no_token_is_a_usage_error(tmp_path: Path) -> None:
    clock = FakeClock()
    async with FakeHub(clock) as hub, HubClient(hub.url, clock) as client:
        with pytest.raises(ConfigError, match="no join token: /run/token is not there"):
            await joining(client, tmp_path, clock, token="").enrol(FACTS)
    assert hub.requests == []


async def test_pending_waits_for_a_person_and_then_sends(tmp_path: Path) -> None:
    clock = FakeClock()
    outbox = open_outbox(tmp_path / "outbox", clock)
    outbox.seal_all([draft()])
    async with FakeHub(clock) as hub:
        hub.approved = False
        async with sending(hub, tmp_path, clock, outbox) as rig:
            await clock.run_until(hub.reached(lambda: hub.requests.count("/v1/credential") >= 4))
            assert rig.report.status.phase == "pending"
            assert "periplus clusters approve" in rig.report.status.remedy
            hub.approved = True
            await clock.run_until(hub.reached(lambda: not outbox.held()))
            assert rig.report.status.phase == "sending"
            assert rig.report.status.reason == ""


async def test_revoked_holds_what_it_has_and_asks_slowly(tmp_path: Path) -> None:
    clock = FakeClock()
    outbox = open_outbox(tmp_path / "outbox", clock)
    async with FakeHub(clock) as hub, sending(hub, tmp_path, clock, outbox) as rig:
        await clock.run_until(hub.reached(lambda: len(hub.heartbeats) >= 1))
        hub.revoked = True
        outbox.seal_all([draft()])
        rig.changes.notify_all()
        before = len(hub.requests)
        began_s = clock.monotonic_s()
        await clock.run_until(hub.reached(lambda: len(hub.requests) >= before + 6))
        assert clock.monotonic_s() - began_s > 300
        assert rig.report.status.reason == "revoked"
        assert len(outbox.held()) == 1


async def test_credentials_are_renewed_before_they_end_whatever_our_wall_clock_says(tmp_path: Path) -> None:
    clock, hub_clock = FakeClock(), FakeClock()
    clock.step(5 * 86_400)
    async with FakeHub(hub_clock) as hub:
        hub.credential_s = 600
        async with sending(hub, tmp_path, clock) as rig:
            await clock.run_until(hub.reached(lambda: hub.requests.count("/v1/credential") == 4))
            assert clock.monotonic_s() >= 3 * 300
            assert rig.report.counters["refused_unauthenticated"] == 0


async def test_a_newer_token_replaces_a_registration_the_hub_ended(tmp_path: Path) -> None:
    clock = FakeClock()
    async with FakeHub(clock) as hub, HubClient(hub.url, clock) as client:
        stored = await joining(client, tmp_path, clock).enrol(FACTS)
        newer = joining(client, tmp_path, clock, token="joinid.newer")
        assert await newer.stay(stored), "an active registration stays whatever token is given"
        hub.revoked = True
        assert not await newer.stay(stored)
        assert await joining(client, tmp_path, clock).stay(stored), "the used token cannot help; hold instead"


@pytest.mark.promise("spokes-know-their-hub")
async def test_another_hub_at_the_address_is_refused(tmp_path: Path) -> None:
    clock = FakeClock()
    async with FakeHub(clock) as hub, HubClient(hub.url, clock) as client:
        stored = await joining(client, tmp_path, clock).enrol(FACTS)
        hub.hub_id = "somebody-else"
        with pytest.raises(SpokeError, match="somebody-else") as refused:
            await joining(client, tmp_path, clock).stay(stored)
        assert "--state-dir" in refused.value.remedy


@pytest.mark.promise("spokes-know-their-hub")
async def test_another_hub_while_running_gets_nothing(tmp_path: Path) -> None:
    clock = FakeClock()
    outbox = open_outbox(tmp_path / "outbox", clock)
    outbox.seal_all([draft()])
    async with FakeHub(clock) as hub:
        async with sending(hub, tmp_path, clock, outbox):
            await clock.run_until(hub.reached(lambda: not outbox.held()))
        outbox.seal_all([draft()])
        hub.hub_id = "somebody-else"
        hub.requests.clear()
        async with sending(hub, tmp_path, clock, outbox) as rig:
            await clock.run_until(hub.reached(lambda: hub.requests.count("/v1/contract") >= 3))
            assert rig.report.status.reason == "foreign_hub"
    assert set(hub.requests) == {"/v1/contract"}
    assert len(outbox.held()) == 1


@pytest.mark.promise("identity-is-proven")
async def test_a_copied_state_folder_is_refused(tmp_path: Path) -> None:
    clock = FakeClock()
    async with FakeHub(clock) as hub, HubClient(hub.url, clock) as client:
        stored = await joining(client, tmp_path, clock).enrol(FACTS)
    check_cluster(stored, FACTS.uid)
    with pytest.raises(SpokeError, match="prod-1") as refused:
        check_cluster(stored, "uid-2")
    assert "--state-dir" in refused.value.remedy


@pytest.mark.parametrize("name", ["identity.key", "registration.json"])
def test_a_damaged_identity_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\xff\x00")
    store = IdentityStore(tmp_path)
    with pytest.raises(SpokeError, match=name):
        store.key() if name == "identity.key" else store.registration()


@pytest.mark.parametrize("name", ["identity.key", "registration.json"])
async def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path, name: str) -> None:
    clock = FakeClock()
    async with FakeHub(clock) as hub, HubClient(hub.url, clock) as client:
        (tmp_path / (name + ".tmp")).mkdir()
        with pytest.raises(SpokeError, match=f"{name} cannot be used") as unusable:
            await joining(client, tmp_path, clock).enrol(FACTS)
        assert "state folder" in unusable.value.remedy
        (tmp_path / name).mkdir(exist_ok=True)
        with pytest.raises(SpokeError, match=f"{name} cannot be used"):
            IdentityStore(tmp_path).registration() if name == "registration.json" else IdentityStore(tmp_path).key()
