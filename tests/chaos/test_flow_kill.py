"""SIGKILL of hub, PostgreSQL, loader and flow store between inbox and edges: every byte that was accepted counts once.

A dozen kills. `python -m tests.chaos.flow_kills` does as many as it is asked for, at all places of all victims.
"""

from pathlib import Path

import pytest

from tests.chaos.flow_kills import INSERTING, OF_FLOWS, Kill, kill_all
from tests.support.flow_world import Victim

pytestmark = pytest.mark.chaos
PLACES: dict[Victim, tuple[str, ...]] = {
    "hub": OF_FLOWS,
    "postgres": ("ingest.after_rows", "flows.after_insert", "flows.before_replace"),
    "loader": ("flows.after_named",),
    "store": (INSERTING,),
}


@pytest.mark.promise("accepted-flows-count-once")
@pytest.mark.parametrize("victim", PLACES)
async def test_every_batch_counts_once_whoever_is_killed_and_wherever_the_hub_is_then(
    victim: Victim, open_folder: Path
) -> None:
    told: list[str] = []
    kills = [Kill(victim, place) for place in PLACES[victim]]
    await kill_all(open_folder / f"kills-{victim}", victim, kills, 1, told.append)
    assert len(told) == len(kills)
