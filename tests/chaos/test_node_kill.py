"""An agent of a node that is killed comes back as the agent it was, and loses and doubles nothing."""

import asyncio
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard

from periplus_contract.batch import offsets
from periplus_spoke.kit.crashpoint import VARIABLE

from tests.support.fake_hub import FakeHub

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.chaos
POINTS = (
    *("identity_before_rename", "enrol_before_store", "outbox_before_rename", "outbox_after_seal"),
    *("transport_before_send", "transport_after_answer"),
)


async def run_agent(hub: FakeHub, folder: Path, run: str, crashpoint: str = "") -> int:
    environment = {**os.environ, VARIABLE: crashpoint}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.node_child", hub.url, str(folder), run), cwd=ROOT, env=environment
    )
    try:
        return await asyncio.wait_for(child.wait(), timeout=60)
    finally:
        if child.returncode is None:
            child.kill()


def delivered(hub: FakeHub) -> Counter[str]:
    """How often each row is in the ledger."""
    found: Counter[str] = Counter()
    for row, header in hub.ledger.items():
        body = zstandard.decompress(hub.bodies[row], max_output_size=header.inflated_bytes)
        for _, start, end in offsets(header.sections):
            found.update(pa.ipc.open_stream(body[start:end]).read_all()["id"].to_pylist())
    return found


@pytest.mark.promise("sealed-batches-survive")
@pytest.mark.parametrize("name", POINTS)
async def test_killed_there_and_started_again(name: str, tmp_path: Path) -> None:
    async with FakeHub() as hub:
        assert await run_agent(hub, tmp_path, "first", name) == -signal.SIGKILL
        assert await run_agent(hub, tmp_path, "second") == 0
        assert await run_agent(hub, tmp_path, "third") == 0
    oracle = tmp_path / "returned"
    found = delivered(hub)
    assert set(oracle.read_text().split()) <= found.keys()
    assert set(found.values()) == {1}
    assert set(hub.nodes) == {"node-1"}
    assert len(hub.nodes) == (2 if name == "enrol_before_store" else 1), "it stayed the agent it was"
    assert len(hub.keys) == 1
