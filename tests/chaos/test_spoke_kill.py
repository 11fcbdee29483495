"""A spoke killed at every named point loses nothing, doubles nothing, and tells the hub the truth about it."""

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard

from periplus_contract import problems
from periplus_contract.batch import offsets
from periplus_contract.tables import Kind
from periplus_spoke.kit.crashpoint import NAMES, VARIABLE

from tests.support.fake_hub import FakeHub, refuse_kind
from tests.support.spoke_child import PARTS

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.chaos
ENROLMENT = ("identity_before_rename", "enrol_before_store")
RARE = tuple(name for name in NAMES if "replace" in name or "new_epoch" in name)
"""Reached only when the hub refuses a batch in a certain way."""
ONCE = (*RARE, "outbox_persist_after_file")
"""Reached once in a run."""


async def run_child(hub: FakeHub, folder: Path, run: str, crashpoint: str = "") -> int:
    environment = {**os.environ, VARIABLE: crashpoint}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.spoke_child", hub.url, str(folder), run), cwd=ROOT, env=environment
    )
    try:
        return await asyncio.wait_for(child.wait(), timeout=60)
    finally:
        if child.returncode is None:
            child.kill()


def flow_ids(hub: FakeHub) -> Counter[str]:
    """How often each row of flows is in the ledger."""
    found: Counter[str] = Counter()
    for row, header in hub.ledger.items():
        if header.kind is Kind.FLOWS:
            body = zstandard.decompress(hub.bodies[row], max_output_size=header.inflated_bytes)
            for _, start, end in offsets(header.sections):
                found.update(pa.ipc.open_stream(body[start:end]).read_all()["id"].to_pylist())
    return found


def statement_of(hub: FakeHub) -> list[str]:
    """The ranges of the newest whole ipam statement."""
    found: list[str] = []
    for row in hub.statement:
        body = zstandard.decompress(hub.bodies[row], max_output_size=hub.ledger[row].inflated_bytes)
        found += pa.ipc.open_stream(body).read_all()["cidr"].to_pylist()
    return found


@pytest.mark.promise("sealed-batches-survive")
@pytest.mark.parametrize("name", NAMES)
async def test_killed_there_and_started_again(name: str, tmp_path: Path) -> None:
    (tmp_path / "outbox").mkdir()
    async with FakeHub() as hub:
        hub.misbehave(
            "/v1/batches",
            refuse_kind(hub, Kind.FLOWS, problems.TOO_LARGE),
            refuse_kind(hub, Kind.FLOWS, problems.BATCH_CONFLICT),
        )
        assert await run_child(hub, tmp_path, "first", name) == -signal.SIGKILL
        assert await run_child(hub, tmp_path, "second") == 0
    oracle = tmp_path / "returned"
    returned = set(oracle.read_text().split())
    delivered = flow_ids(hub)
    assert returned <= delivered.keys()
    assert {row: times for row, times in delivered.items() if times > 1} == {}
    assert statement_of(hub) == [f"second-range-{row}" for row in range(PARTS)]
    assert (hub.conflicts, hub.gaps) == (0, 0)
    told = sum(rows for (kind, _, what), rows in hub.told.items() if kind is Kind.FLOWS and what == "collected")
    assert told == delivered.total()


def plan() -> list[str]:
    """Every point once, each at its first to fourth time.

    First those of enrolment, then the epoch: a conflict with a batch of an earlier life needs no new one.
    """
    rng = random.Random(1)
    first = (*ENROLMENT, "outbox_new_epoch_after_state")
    later = [name for name in NAMES if name not in first]
    rng.shuffle(later)
    return [*first, *(f"{name}:{1 if name in ONCE else rng.randint(1, 4)}" for name in later)]


@pytest.mark.promise("sealed-batches-survive")
async def test_killed_at_one_point_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "outbox").mkdir()
    async with FakeHub() as hub:
        for run, point in enumerate(plan()):
            if point.partition(":")[0] in RARE:
                refusal = problems.BATCH_CONFLICT if "epoch" in point else problems.TOO_LARGE
                hub.misbehave("/v1/batches", refuse_kind(hub, Kind.FLOWS, refusal))
            assert await run_child(hub, tmp_path, f"run{run}", point) == -signal.SIGKILL, point
        assert await run_child(hub, tmp_path, "last") == 0
    delivered = flow_ids(hub)
    assert set((tmp_path / "returned").read_text().split()) <= delivered.keys()
    assert set(delivered.values()) == {1}
    assert statement_of(hub) == [f"last-range-{row}" for row in range(PARTS)]
    assert hub.conflicts == 0
