"""Each verdict of the contract, and every answer that is none, through a real connection."""

import asyncio
from pathlib import Path

import pytest

from periplus_contract import messages, problems
from periplus_contract.tables import Kind
from periplus_spoke.outbox.model import Draft

from tests.support.clock import FakeClock
from tests.support.fake_hub import FakeHub, Misbehaviour, answer, break_connection, flood, lose_answer, refuse
from tests.support.spoke_batches import assert_balanced, delta, draft, open_outbox, snapshot
from tests.support.spoke_rig import Rig, sending

BATCHES = "/v1/batches"


class Scene:
    """A hub and an outbox before the sender starts."""

    def __init__(self, folder: Path, *drafts: Draft) -> None:
        self.clock = FakeClock()
        self.folder = folder
        self.hub = FakeHub(self.clock)
        self.outbox = open_outbox(folder / "outbox", self.clock)
        if drafts:
            self.outbox.seal_all(drafts)

    async def play(self, *behaviours: Misbehaviour, until: int, most_s: float = 1_000_000) -> Rig:
        """Send until so many batches are in the ledger and nothing is held."""
        async with self.hub:
            self.hub.misbehave(BATCHES, *behaviours)
            async with sending(self.hub, self.folder, self.clock, self.outbox) as rig:
                await self.clock.run_until(self.finished(until), most_s=most_s)
        assert_balanced(self.outbox)
        return rig

    def finished(self, ledger: int) -> asyncio.Event:
        return self.hub.reached(lambda: len(self.hub.ledger) == ledger and not self.outbox.held())

    def dropped(self) -> dict[str, int]:
        reasons: dict[str, int] = {}
        for total, _ in self.outbox.accounts().values():
            for reason, rows in total.dropped.items():
                reasons[reason] = reasons.get(reason, 0) + rows
        return reasons


NO_VERDICTS = {
    "a proxy's 400": answer(400, b"<html>bad request"),
    "an ingress's 404": answer(404, b"default backend - 404"),
    "a captive portal": answer(200, b"<html>please log in"),
    "a redirect": answer(307, Location="http://127.0.0.1:1/v1/batches"),
    "our type under another content type": answer(
        422, b'{"type":"urn:periplus:problem:invalid-batch","title":"","status":422}', "application/json"
    ),
    "an unknown type": answer(
        422, b'{"type":"urn:periplus:problem:new","title":"","status":422}', problems.CONTENT_TYPE
    ),
    "a foreign problem": answer(422, b'{"type":"about:blank","title":"","status":422}', problems.CONTENT_TYPE),
    "a problem that does not decode": answer(422, b"{", problems.CONTENT_TYPE),
    "a verdict under 200": answer(
        200, b'{"type":"urn:periplus:problem:revoked","title":"","status":403}', problems.CONTENT_TYPE
    ),
    "an answer for another epoch": answer(
        200, b'{"result":"accepted","epoch":"x","settled_through":99}', "application/json"
    ),
    "a broken connection": break_connection,
    "a lost answer": lose_answer,
    "an endless answer": flood,
    "an absurd Retry-After": answer(503, **{"Retry-After": "1000000000"}),
    "no Retry-After at all": answer(503, **{"Retry-After": "soon"}),
    "a Retry-After of no calendar": answer(503, **{"Retry-After": f"Thu, 01 Jan {'9' * 20} 00:00:00 GMT"}),
    "an answer nested without end": answer(200, b'{"x":' + b"[" * 60_000, "application/json"),
    "a problem nested without end": answer(422, b'{"x":' + b"[" * 60_000, problems.CONTENT_TYPE),
}


@pytest.mark.promise("only-verdicts-count")
@pytest.mark.parametrize("behaviour", NO_VERDICTS.values(), ids=NO_VERDICTS.keys())
async def test_what_is_no_verdict_costs_nothing_but_a_wait(tmp_path: Path, behaviour: Misbehaviour) -> None:
    scene = Scene(tmp_path, draft(), *snapshot())
    await scene.play(behaviour, behaviour, until=2)
    assert scene.dropped() == {}
    assert (scene.hub.conflicts, scene.hub.gaps) == (0, 0)


@pytest.mark.promise("only-verdicts-count")
@pytest.mark.parametrize("problem", [problems.SLOW_DOWN, problems.OVERLOADED], ids=lambda problem: problem.slug)
async def test_busy_hubs_get_the_same_bytes_later(tmp_path: Path, problem: problems.ProblemType) -> None:
    scene = Scene(tmp_path, draft())
    await scene.play(refuse(problem, retry_after="60"), refuse(problem), until=1)
    assert scene.clock.monotonic_s() >= 30
    assert scene.dropped() == {}


@pytest.mark.promise("the-rest-goes-on")
@pytest.mark.parametrize(
    "problem",
    [problems.MALFORMED_BATCH, problems.INVALID_BATCH, problems.MALFORMED_MESSAGE],
    ids=lambda problem: problem.slug,
)
async def test_refused_for_good_is_set_aside_and_the_rest_goes_on(
    tmp_path: Path, problem: problems.ProblemType
) -> None:
    scene = Scene(tmp_path, draft(rows=5), draft(rows=2))
    await scene.play(refuse(problem), until=1)
    assert sum(scene.dropped().values()) in (2, 5)
    assert scene.dropped().keys() == {"dead_letter"}
    assert len(list((tmp_path / "outbox").glob("*.dead"))) == 1


@pytest.mark.promise("the-rest-goes-on")
async def test_a_dead_letter_is_told_with_the_next_header(tmp_path: Path) -> None:
    scene = Scene(tmp_path, draft(rows=5))
    async with scene.hub:
        scene.hub.misbehave(BATCHES, refuse(problems.INVALID_BATCH))
        async with sending(scene.hub, tmp_path, scene.clock, scene.outbox):
            await scene.clock.run_until(scene.finished(0))
            scene.outbox.seal_all([draft(rows=1)])
            await scene.clock.run_until(scene.finished(1))
    told = {what: rows for (_, _, what), rows in scene.hub.told.items() if rows}
    assert told == {"collected": 6, "dead_letter": 5}


async def test_an_unknown_credential_is_renewed_and_the_same_bytes_follow(tmp_path: Path) -> None:
    scene = Scene(tmp_path, draft())
    await scene.play(refuse(problems.UNAUTHENTICATED), until=1)
    assert scene.hub.requests.count("/v1/credential") == 2


@pytest.mark.promise("inventory-ends-equal")
async def test_a_gap_brings_a_fresh_snapshot(tmp_path: Path) -> None:
    scene = Scene(tmp_path, *snapshot(), delta(rows=2), delta(rows=4))
    rig = await scene.play(answer(503), refuse(problems.INVENTORY_GAP), until=0)
    assert scene.dropped() == {"replaced_by_snapshot": 9}
    assert rig.snapshots_asked == 1


async def test_another_writer_means_a_new_epoch_and_a_snapshot(tmp_path: Path) -> None:
    scene = Scene(tmp_path, *snapshot(), draft(Kind.DNS, rows=7))
    before = scene.outbox.depth().epoch
    rig = await scene.play(refuse(problems.BATCH_CONFLICT), refuse(problems.BATCH_CONFLICT), until=1)
    [(epoch, seq)] = scene.hub.ledger
    assert epoch > before
    assert (seq, scene.hub.rows(Kind.DNS)) == (1, 7)
    assert rig.snapshots_asked >= 1
    assert "only one spoke" in rig.report.status.conditions["second_writer"]


async def test_inventory_that_is_too_large_comes_again_in_smaller_batches(tmp_path: Path) -> None:
    scene = Scene(tmp_path, *snapshot())
    rig = await scene.play(refuse(problems.TOO_LARGE), until=0)
    assert (rig.shrunk, rig.snapshots_asked) == (1, 1)


async def test_ipam_that_is_too_large_comes_again_in_smaller_batches(tmp_path: Path) -> None:
    scene = Scene(tmp_path, draft(Kind.IPAM))
    rig = await scene.play(refuse(problems.TOO_LARGE), until=0)
    assert (rig.shrunk, rig.snapshots_asked) == (1, 1)
    assert scene.dropped() == {"replaced_by_snapshot": 3}


async def test_a_kind_the_hub_does_not_take_does_not_hold_up_the_others(tmp_path: Path) -> None:
    scene = Scene(tmp_path, draft(Kind.DNS), draft(Kind.FLOWS))
    behaviours = (refuse(problems.UNSUPPORTED_KIND),)
    await scene.play(*behaviours, until=2)
    assert scene.clock.monotonic_s() >= 300
    assert scene.dropped() == {}


@pytest.mark.parametrize(
    "problem", [problems.WRONG_IDENTITY, problems.UNSUPPORTED_VERSION], ids=lambda problem: problem.slug
)
async def test_a_hold_keeps_everything_and_asks_again_slowly(tmp_path: Path, problem: problems.ProblemType) -> None:
    scene = Scene(tmp_path, draft(), draft())
    await scene.play(refuse(problem), until=2)
    assert scene.clock.monotonic_s() >= 150
    assert scene.dropped() == {}


async def test_pace_is_followed(tmp_path: Path) -> None:
    scene = Scene(tmp_path, *(draft(rows=row) for row in range(1, 6)))
    scene.hub.pace = messages.Pace(max_in_flight=1, min_interval_ms=2_000)
    await scene.play(until=5)
    assert scene.clock.monotonic_s() >= 6


async def test_absurd_paces_are_bounded(tmp_path: Path) -> None:
    scene = Scene(tmp_path, *(draft(rows=row) for row in range(1, 6)))
    scene.hub.pace = messages.Pace(max_in_flight=-1, min_interval_ms=10**12)
    await scene.play(until=5)


async def test_at_most_two_requests_at_once(tmp_path: Path) -> None:
    scene = Scene(tmp_path, *(draft(rows=row) for row in range(1, 20)))
    await scene.play(until=19)
    assert scene.hub.requests.count(BATCHES) == 19
    assert scene.hub.most_at_once <= 3, "two lanes and a heartbeat"


async def test_a_later_epoch_at_the_hub_is_overtaken_and_said(tmp_path: Path) -> None:
    scene = Scene(tmp_path, *snapshot())
    scene.hub.newest_epoch = later = "02000000-0000-7000-8000-000000000000"
    rig = await scene.play(until=1)
    assert scene.outbox.depth().epoch > later
    assert rig.snapshots_asked >= 1
    assert "only one spoke" in rig.report.status.conditions["second_writer"]


async def test_epochs_that_overtake_each_other_do_so_slowly(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    epochs = set()

    def heard(beats: int) -> asyncio.Event:
        return scene.hub.reached(lambda: len(scene.hub.heartbeats) > beats)

    async with scene.hub, sending(scene.hub, tmp_path, scene.clock, scene.outbox):
        for serial in range(20):
            scene.hub.newest_epoch = f"02000000-0000-7000-8000-0000000000{serial:02}"
            await scene.clock.run_until(heard(len(scene.hub.heartbeats) + 1))
            epochs.add(scene.outbox.depth().epoch)
    assert len(epochs) <= 2 + scene.clock.monotonic_s() / 3600


@pytest.mark.promise("spokes-know-their-hub")
@pytest.mark.parametrize("newest", ["ffffffff-ffff-7fff-bfff-ffffffffffff", "zzz", "~" * 36, "f" * 1000])
async def test_no_hub_can_use_up_the_epochs(tmp_path: Path, newest: str) -> None:
    scene = Scene(tmp_path, *snapshot())
    before = scene.outbox.depth().epoch
    scene.hub.newest_epoch = newest
    await scene.play(until=1)
    assert scene.outbox.depth().epoch == before
