"""Watermarks, heartbeats, clocks: what the hub says about batches it already has."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from periplus_contract import messages
from periplus_contract.tables import Kind

from tests.support.clock import FakeClock
from tests.support.fake_hub import FakeHub, Misbehaviour, answer
from tests.support.spoke_batches import HOUR_S, assert_balanced, draft, open_outbox, snapshot
from tests.support.spoke_rig import sending

HEARTBEAT = "/v1/heartbeat"


def beat_answer(epoch: str, through: int, *, wants_snapshot: bool = False, time_us: int = 0) -> Misbehaviour:
    body = messages.HeartbeatAnswer(
        epoch=epoch, settled_through=through, wants_snapshot=wants_snapshot, time_us=time_us
    )
    return answer(200, msgspec.json.encode(body), "application/json")


@pytest.mark.promise("settled-then-deleted")
async def test_accepted_batches_stay_until_they_are_settled(tmp_path: Path) -> None:
    clock = FakeClock()
    outbox = open_outbox(tmp_path / "outbox", clock)
    outbox.seal_all([draft(), draft()])
    async with FakeHub(clock) as hub, sending(hub, tmp_path, clock, outbox):
        hub.settle = False
        await clock.run_until(hub.reached(lambda: len(hub.heartbeats) >= 8 and len(hub.ledger) == 2))
        assert len(outbox.held()) == 2
        assert len(hub.arrivals) == 2, "nothing is sent twice while it waits for settlement"
        hub.settle = True
        await clock.run_until(hub.reached(lambda: not outbox.held()))
    assert_balanced(outbox)
    [(total, queued)] = outbox.accounts().values()
    assert (total.settled, queued) == (6, 0)


@pytest.mark.promise("settled-then-deleted")
async def test_batches_of_an_earlier_life_are_settled_in_any_order(tmp_path: Path) -> None:
    """The newest goes first, and with it the only trace of how far the numbers of that life went."""
    clock = FakeClock()
    outbox = open_outbox(tmp_path / "outbox", clock)
    outbox.seal_all([draft(start_s=HOUR_S + 60 * window) for window in range(6)])
    async with FakeHub(clock) as hub:
        hub.settle = False
        async with sending(hub, tmp_path, clock, outbox):
            await clock.run_until(hub.reached(lambda: len(hub.ledger) == 6))
        hub.settle = True
        again = open_outbox(tmp_path / "outbox", clock)
        async with sending(hub, tmp_path, clock, again) as rig:
            await clock.run_until(hub.reached(lambda: not again.held()), most_s=600)
            assert rig.report.counters["bogus_watermarks"] == 0
    assert_balanced(again)


async def test_a_late_word_of_an_earlier_life_is_no_bogus_watermark(tmp_path: Path) -> None:
    """The other lane has settled the last of that life, and has heard of the present one since."""
    clock = FakeClock()
    outbox = open_outbox(tmp_path / "outbox", clock)
    outbox.seal_all([draft(), draft()])
    earlier = outbox.depth().epoch
    async with FakeHub(clock) as hub:
        again = open_outbox(tmp_path / "outbox", clock)
        async with sending(hub, tmp_path, clock, again) as rig:
            await clock.run_until(hub.reached(lambda: not again.held()), most_s=600)
            for late in range(1, 3):
                heard = len(hub.heartbeats)
                await clock.run_until(hub.reached(lambda heard=heard: len(hub.heartbeats) > heard + 1), most_s=600)
                hub.misbehave(HEARTBEAT, beat_answer(earlier, 1 + late // 2))
                heard = len(hub.heartbeats)
                await clock.run_until(hub.reached(lambda heard=heard: len(hub.heartbeats) > heard + 1), most_s=600)
            assert rig.report.counters["bogus_watermarks"] == 0
            hub.misbehave(HEARTBEAT, beat_answer(earlier, 10**6))
            heard = len(hub.heartbeats)
            await clock.run_until(hub.reached(lambda: len(hub.heartbeats) > heard + 1), most_s=600)
            assert rig.report.counters["bogus_watermarks"] == 1


@pytest.mark.promise("settled-then-deleted")
@pytest.mark.parametrize("through", [-1, 3, 10**18], ids=["negative", "never sent", "absurd"])
async def test_bogus_watermarks_delete_nothing(tmp_path: Path, through: int) -> None:
    clock = FakeClock()
    outbox = open_outbox(tmp_path / "outbox", clock)
    outbox.seal_all([draft(), draft()])
    async with FakeHub(clock) as hub, sending(hub, tmp_path, clock, outbox) as rig:
        hub.settle = False
        epoch = outbox.depth().epoch
        hub.misbehave(HEARTBEAT, beat_answer(epoch, through), beat_answer("other", 2), beat_answer(epoch, through))
        await clock.run_until(hub.reached(lambda: len(hub.heartbeats) >= 2 and len(hub.ledger) == 2))
        assert len(outbox.held()) == 2
        assert rig.report.counters["bogus_watermarks"] >= 2


@pytest.mark.promise("settled-then-deleted")
async def test_a_watermark_covers_only_what_the_hub_said_it_accepted(tmp_path: Path) -> None:
    clock = FakeClock()
    outbox = open_outbox(tmp_path / "outbox", clock)
    outbox.seal_all([draft(), draft(), draft()])
    async with FakeHub(clock) as hub:
        hub.misbehave("/v1/batches", *[answer(502)] * 1000)
        async with sending(hub, tmp_path, clock, outbox):
            hub.misbehave(HEARTBEAT, *[beat_answer(outbox.depth().epoch, 3)] * 5)
            await clock.run_until(hub.reached(lambda: len(hub.heartbeats) >= 1))
    assert len(outbox.held()) == 3


@pytest.mark.promise("restores-are-refilled")
async def test_a_hub_that_lost_commits_gets_them_again(tmp_path: Path) -> None:
    clock = FakeClock()
    outbox = open_outbox(tmp_path / "outbox", clock)
    outbox.seal_all([draft(), draft(), draft()])
    async with FakeHub(clock) as hub, sending(hub, tmp_path, clock, outbox):
        hub.settle = False
        await clock.run_until(hub.reached(lambda: len(hub.ledger) == 3 and len(hub.heartbeats) >= 1))
        epoch = outbox.depth().epoch
        hub.misbehave(HEARTBEAT, beat_answer(epoch, 1))
        await clock.run_until(hub.reached(lambda: len(outbox.held()) == 2))
        del hub.ledger[epoch, 3]
        await clock.run_until(hub.reached(lambda: (epoch, 3) in hub.ledger))


@pytest.mark.promise("restores-are-refilled")
async def test_a_hub_that_lost_what_it_had_not_settled_gets_it_again_soon(tmp_path: Path) -> None:
    """Its watermark only stands still: it never was higher."""
    clock = FakeClock()
    outbox = open_outbox(tmp_path / "outbox", clock)
    outbox.seal_all([draft(Kind.IPAM) for _ in range(20)])
    async with FakeHub(clock) as hub, sending(hub, tmp_path, clock, outbox):
        hub.settle = False
        await clock.run_until(hub.reached(lambda: len(hub.ledger) == 20))
        for row in hub.arrivals[10:]:
            del hub.ledger[row]
        hub.settle = True
        await clock.run_until(hub.reached(lambda: not outbox.held()), most_s=360)
    assert len(hub.ledger) == 20
    assert len(hub.arrivals) == 30, "nothing else is sent again"
    assert_balanced(outbox)


async def test_settlement_that_never_comes_is_asked_for_with_one_batch_at_a_time(tmp_path: Path) -> None:
    clock = FakeClock()
    outbox = open_outbox(tmp_path / "outbox", clock)
    outbox.seal_all([draft() for _ in range(20)])
    async with FakeHub(clock) as hub, sending(hub, tmp_path, clock, outbox):
        hub.settle = False
        await clock.run_until(hub.reached(lambda: len(hub.arrivals) == 24), most_s=480)
        assert clock.monotonic_s() >= 150 + 3 * 60
        assert len(hub.ledger) == 20
        assert outbox.depth().held_batches == 20


async def test_heartbeats_tell_the_depth_and_come_every_half_minute(tmp_path: Path) -> None:
    clock = FakeClock()
    async with FakeHub(clock) as hub, sending(hub, tmp_path, clock):
        await clock.run_until(hub.reached(lambda: len(hub.heartbeats) >= 12))
    times = [beat.wall_us // 1_000_000 for beat in hub.heartbeats]
    # While an answer is on its way the clock may go on to the next who sleeps; a beat that was left out would be 60.
    assert 30 <= times[-1] - times[-2] < 60
    last = hub.heartbeats[-1]
    assert (last.queued_batches, last.last_seq, last.oldest_held_seq, last.outcomes) == (0, 0, 1, ())
    assert last.spoke_version


async def test_a_hub_that_wants_a_snapshot_is_obeyed_but_not_at_any_rate(tmp_path: Path) -> None:
    clock = FakeClock()
    outbox = open_outbox(tmp_path / "outbox", clock)
    outbox.seal_all([draft(rows=row) for row in range(1, 11)])
    async with FakeHub(clock) as hub, sending(hub, tmp_path, clock, outbox) as rig:
        hub.wants_snapshot = True
        await clock.run_until(hub.reached(lambda: len(hub.ledger) == 10))
        assert 1 <= rig.snapshots_asked <= 1 + clock.monotonic_s() // 30


@pytest.mark.promise("wrong-clocks-are-shown")
async def test_a_clock_that_is_off_is_a_condition(tmp_path: Path) -> None:
    clock, hub_clock = FakeClock(), FakeClock()
    hub_clock.step(-86_400)
    async with FakeHub(hub_clock) as hub, sending(hub, tmp_path, clock) as rig:
        await clock.run_until(hub.reached(lambda: len(hub.heartbeats) >= 2))
        assert " s apart" in rig.report.status.conditions["clock_skew"]
        clock.step(-86_400)
        hub_clock.advance(clock.monotonic_s())
        hub.heartbeats.clear()
        hub.clock = clock
        await clock.run_until(hub.reached(lambda: len(hub.heartbeats) >= 2))
        assert "clock_skew" not in rig.report.status.conditions


async def test_after_a_restart_an_older_epoch_is_settled_too(tmp_path: Path) -> None:
    clock = FakeClock()
    folder = tmp_path / "outbox"
    open_outbox(folder, clock).seal_all([draft(), draft()])
    (folder / "state.json").write_bytes(b"rotten")
    clock.advance(1)
    outbox = open_outbox(folder, clock)
    outbox.seal_all([*snapshot(), draft(Kind.DNS)])
    assert len({identity.epoch for identity in outbox.held()}) == 2
    async with FakeHub(clock) as hub:
        hub.settle = False
        async with sending(hub, tmp_path, clock, outbox):
            await clock.run_until(hub.reached(lambda: len(hub.ledger) == 4))
            hub.settle = True
            await clock.run_until(hub.reached(lambda: not outbox.held()))
    assert len({beat.epoch for beat in hub.heartbeats}) == 2


async def test_cancelling_leaves_every_batch_for_the_next_start(tmp_path: Path) -> None:
    clock = FakeClock()
    outbox = open_outbox(tmp_path / "outbox", clock)
    outbox.seal_all([draft(), draft()])
    never = asyncio.Event()

    async def hang(request: object, handler: object) -> None:
        await never.wait()

    async with FakeHub(clock) as hub:
        hub.misbehave("/v1/batches", hang, hang)  # type: ignore[arg-type]  # never answers, so never returns
        async with sending(hub, tmp_path, clock, outbox):
            await clock.run_until(hub.reached(lambda: len(hub.heartbeats) >= 1))
        never.set()
        async with sending(hub, tmp_path, clock, outbox):
            await clock.run_until(hub.reached(lambda: not outbox.held()))
    assert len(hub.ledger) == 2
