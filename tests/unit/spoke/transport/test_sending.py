from pathlib import Path

import pytest

from periplus_contract.tables import Kind

from tests.support.clock import FakeClock
from tests.support.fake_hub import FakeHub
from tests.support.spoke_batches import assert_balanced, delta, draft, open_outbox, snapshot
from tests.support.spoke_rig import sending


@pytest.mark.promise("sealed-batches-survive")
async def test_what_is_sealed_arrives_once_and_its_files_go(tmp_path: Path) -> None:
    clock = FakeClock()
    outbox = open_outbox(tmp_path / "outbox", clock)
    outbox.seal_all(snapshot(parts=2))
    outbox.seal_all([delta(), draft(Kind.IPAM), draft(), draft()])
    async with FakeHub(clock) as hub, sending(hub, tmp_path, clock, outbox) as rig:
        await clock.run_until(hub.reached(lambda: len(hub.ledger) == 6))
        await clock.run_until(hub.reached(lambda: not outbox.held()))
        assert (hub.conflicts, hub.gaps) == (0, 0)
        assert rig.report.status.reason == ""
    assert_balanced(outbox)
    assert [name.name for name in (tmp_path / "outbox").iterdir() if name.suffix == ".batch"] == []
