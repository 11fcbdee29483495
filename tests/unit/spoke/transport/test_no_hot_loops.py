"""Whatever a hub answers, and however fast, it is asked no more often than now and then."""

import errno
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from periplus_contract import problems
from periplus_contract.problems import ALL, ProblemType
from periplus_contract.tables import Kind
from periplus_spoke.outbox.filesystem import FolderFileSystem

from tests.support.clock import FakeClock
from tests.support.fake_hub import FakeHub, Misbehaviour, answer, refuse
from tests.support.spoke_batches import delta, draft, open_outbox, snapshot, statement
from tests.support.spoke_rig import sending

PATHS = ("/v1/batches", "/v1/heartbeat", "/v1/credential", "/v1/challenge")
SPAN_S = 120.0
MOST = 300
"""Requests of two lanes and heartbeats in two minutes. A loop without waits makes that many in a moment."""


class Always(deque[Misbehaviour]):
    """The same behaviour for every request."""

    def popleft(self) -> Misbehaviour:
        return self[0]


async def count_requests(folder: Path, hub: FakeHub, clock: FakeClock) -> int:
    outbox = open_outbox(folder / "outbox", clock)
    outbox.seal_all([*snapshot(2), delta(), draft(Kind.IPAM), *statement(2), draft(rows=64), draft(Kind.DNS, rows=8)])
    async with hub:
        async with sending(hub, folder, clock, outbox):
            done = hub.reached(lambda: clock.monotonic_s() >= SPAN_S or len(hub.requests) > MOST)
            await clock.run_until(done)
        return len(hub.requests)


def always(hub: FakeHub, path: str, behaviour: Misbehaviour) -> None:
    hub._misbehaviours[path] = Always([behaviour])


@pytest.mark.promise("spokes-know-their-hub")
@pytest.mark.parametrize("problem", ALL, ids=lambda problem: problem.slug)
@pytest.mark.parametrize("retry_after", ["", "0"])
async def test_a_verdict_for_ever(tmp_path: Path, problem: ProblemType, retry_after: str) -> None:
    clock = FakeClock()
    hub = FakeHub(clock)
    always(hub, "/v1/batches", refuse(problem, retry_after=retry_after))
    assert await count_requests(tmp_path, hub, clock) <= MOST


@pytest.mark.promise("spokes-know-their-hub")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("problem", [problems.OVERLOADED, problems.UNAUTHENTICATED], ids=lambda problem: problem.slug)
async def test_a_verdict_on_anything_else(tmp_path: Path, path: str, problem: ProblemType) -> None:
    clock = FakeClock()
    hub = FakeHub(clock)
    always(hub, path, refuse(problem, retry_after="0"))
    assert await count_requests(tmp_path, hub, clock) <= MOST


@pytest.mark.promise("spokes-know-their-hub")
@pytest.mark.parametrize("retry_after", ["0", "-5", "Thu, 01 Jan 1970 00:00:00 GMT", "nan"])
async def test_no_verdict_for_ever(tmp_path: Path, retry_after: str) -> None:
    clock = FakeClock()
    hub = FakeHub(clock)
    always(hub, "/v1/batches", answer(503, **{"Retry-After": retry_after}))
    assert await count_requests(tmp_path, hub, clock) <= MOST


def bad_answers(epoch: Callable[[], str]) -> list[dict[str, object]]:
    good = {"result": "accepted", "epoch": epoch(), "settled_through": 0}
    return [
        good | {"pace": {"max_in_flight": 0, "min_interval_ms": 0}},
        good | {"pace": {"max_in_flight": -(10**30), "min_interval_ms": -(10**30)}},
        good | {"wants_snapshot": True, "settled_through": -1},
        good | {"pace": {"max_in_flight": 10**30, "min_interval_ms": 10**30}},
    ]


@pytest.mark.promise("spokes-know-their-hub")
@pytest.mark.parametrize("which", range(4))
async def test_answers_with_numbers_out_of_range(tmp_path: Path, which: int) -> None:
    clock = FakeClock()
    hub = FakeHub(clock)
    outbox = open_outbox(tmp_path / "first", clock)
    bad = bad_answers(lambda: outbox.depth().epoch)[which]
    for path in PATHS[:2]:
        always(hub, path, answer(200, msgspec.json.encode(bad), "application/json"))
    assert await count_requests(tmp_path, hub, clock) <= MOST


@pytest.mark.promise("disks-may-fail")
async def test_a_process_without_a_free_descriptor_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    original, reads = FolderFileSystem.read, 0

    def exhausted(files: FolderFileSystem, name: str, limit: int = -1) -> bytes:
        nonlocal reads
        if name.endswith(".batch"):
            reads += 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return original(files, name, limit)

    monkeypatch.setattr(FolderFileSystem, "read", exhausted)
    await count_requests(tmp_path, FakeHub(clock), clock)
    assert reads <= MOST


@pytest.mark.promise("the-rest-goes-on")
async def test_a_window_the_hub_cannot_place_is_in_nobodys_way(tmp_path: Path) -> None:
    clock = FakeClock()
    outbox = open_outbox(tmp_path / "outbox", clock)
    outbox.seal_all([draft(rows=5), draft(Kind.DNS)])
    async with FakeHub(clock) as hub, sending(hub, tmp_path, clock, outbox):
        hub.misbehave("/v1/batches", refuse(problems.INVENTORY_GAP))
        await clock.run_until(hub.reached(lambda: not outbox.held()), most_s=1_000)
    assert len(hub.ledger) == 1


@pytest.mark.promise("spokes-know-their-hub")
async def test_reasons_without_end_are_not_kept(tmp_path: Path) -> None:
    clock = FakeClock()
    outbox = open_outbox(tmp_path / "outbox", clock)
    async with FakeHub(clock) as hub, sending(hub, tmp_path, clock, outbox) as rig:
        hub.rejected = {f"reason-{serial}-{'x' * 500}": 10**30 for serial in range(80)}
        outbox.seal_all([draft()])
        await clock.run_until(hub.reached(lambda: not outbox.held()))
        assert len(rig.report.rejected) <= 33
        assert len(rig.report.status.conditions["rows_set_aside"]) < 8_000
