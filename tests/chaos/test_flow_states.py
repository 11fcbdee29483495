"""States between inbox and edges that no kill hits by chance, made by hand: what was accepted counts once."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from periplus_hub.flows import repository_inbox
from periplus_hub.flows.tables import RING
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.tenancy import NO_TENANT

from tests.chaos.flow_kills import Kill, Run
from tests.support.flow_hub import MEMORY_BYTES
from tests.support.flow_judge import is_done
from tests.support.flow_world import PATIENCE_S, World, world

pytestmark = [pytest.mark.chaos, pytest.mark.promise("accepted-flows-count-once")]
INSERTED = Kill("hub", "flows.after_insert")
_PART = re.compile(r"20\d{6}_\d+_\d+_0")
"""The folder of rows of a day as they were inserted."""


@asynccontextmanager
async def run_in(folder: Path) -> AsyncIterator[tuple[World, Run]]:
    """A world in which something was told already."""
    async with world(folder, "hub", folder.name) as found:
        run = Run(found, lambda _: None)
        await run.live(tells=True)
        yield found, run


@pytest.fixture
def folder(open_folder: Path, request: pytest.FixtureRequest) -> Path:
    return open_folder / request.node.name[:40]


def parts_of(found: World) -> set[Path]:
    """Of the table `flows`, the only one that has blocks with tokens."""
    store = found.folder / "flows" / "store"
    return {
        part
        for logs in store.glob("*/*/deduplication_logs")
        for part in logs.parent.iterdir()
        if _PART.fullmatch(part.name)
    }


async def forget_rows(found: World, where: str) -> None:
    store = ColumnStore(found.store_url, memory_bytes=MEMORY_BYTES)
    try:
        await store.command(found.scope, f"DELETE FROM flows WHERE {where}", lane="loader")
    finally:
        await store.close()


async def ring_ran(found: World, before: int) -> None:
    """It turned since, found that the store lacks something and left that to the loader, or has nothing to turn for.

    Each life begins with it.
    """

    async def is_waited_for() -> bool:
        has_turned = await turn_of(found) != before
        return not has_turned and await is_done(found.db, found.scope) and not await found.has_empty_ring()

    async with asyncio.timeout(PATIENCE_S):
        while await is_waited_for():  # noqa: ASYNC110 - in a database
            await asyncio.sleep(0.05)


async def turn_of(found: World) -> int:
    async with found.db.read(NO_TENANT) as c:
        return await repository_inbox.system_turn(c)


async def test_a_token_that_was_noted_without_its_rows_does_not_keep_them_out(folder: Path) -> None:
    async with run_in(folder) as (found, run):
        before = parts_of(found)
        await run.kill(INSERTED)
        [new] = parts_of(found) - before
        shutil.rmtree(new)
        await run.live()
        assert parts_of(found) - before, "it was inserted with another token"


async def test_a_block_that_is_there_in_part_is_made_whole(folder: Path) -> None:
    async with run_in(folder) as (found, run):
        await run.kill(INSERTED)
        await forget_rows(found, f"seq = {found.teller.told[-1].seq} AND dst_port % 2 = 0")
        await run.live()


async def test_rows_that_a_power_cut_took_after_they_were_noted_come_again_from_the_ring(folder: Path) -> None:
    async with run_in(folder) as (found, run):
        before = parts_of(found)
        async with found.hub() as hub:
            await found.recover(hub)
            found.tell_more()
            await found.recover(hub)
        [new] = parts_of(found) - before
        shutil.rmtree(new)
        found.open_seqs.add(found.teller.told[-1].seq)
        for _ in range(RING):
            turn = await turn_of(found)
            async with found.hub() as hub:
                await hub.until_ready()
                await ring_ran(found, turn)
                await found.recover(hub)
        await run.live()


async def test_an_inbox_that_was_emptied_before_its_turn_was_noted_loses_nothing(folder: Path) -> None:
    async with run_in(folder) as (found, run):
        async with found.db.write(NO_TENANT) as c:
            for number in range(RING):
                await c.execute(text(f"TRUNCATE flow_inbox_{number}"))
        await run.live(tells=True)
        await run.live(tells=True)
