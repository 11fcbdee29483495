"""From the inbox to the flow store: few, large, named blocks, each all or nothing.

A block is named in PostgreSQL before anything of it is sent, and loaded once the store has it; between the two a
process may die anywhere. What is then there is counted, never assumed: that an insert returned says nothing after a
restart, because the store skips a block whose token it noted, also when the rows it noted it for were lost.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Final
from uuid import UUID

import pyarrow as pa
import structlog

from periplus_hub.access.scope import Scope
from periplus_hub.flows import repository_blocks, repository_inbox, repository_rows
from periplus_hub.flows.engine.blocks import joined
from periplus_hub.flows.model import Block, Member, Waiting, grouped
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.crashpoint import crashpoint
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Unavailable
from periplus_hub.kit.metrics import counter

MOST_ROWS: Final = 200_000
"""Of one block: larger ones are no faster, and cost memory."""
_RANDOM_BITS: Final = 21

_loaded: Final = counter("periplus_flow_rows_loaded_total", "Rows of flows that reached the flow store.")
_replayed: Final = counter(
    "periplus_flow_blocks_replayed_total", "Blocks that were sent again because the flow store lacked rows of them."
)
_log: Final = structlog.get_logger(__name__)


class LostRows(Exception):
    """The flow store lacks rows of a block, and the inbox does not have them any more."""


class Loader:
    """Loads one tenant's rows at a time. One per process."""

    def __init__(self, db: Database, store: ColumnStore, owner: UUID) -> None:
        self._db = db
        self._store = store
        self._owner = owner
        self._clock: Clock = db.clock

    async def load(self, scope: Scope, owners: Sequence[UUID]) -> int:
        """Everything of these processes that waits; returns how many rows. Blocks left open by a death come first."""
        async with self._db.read(scope) as c:
            left = await repository_blocks.open_blocks(c, scope, owners)
        for block in left:
            await self._recover(scope, block)
        async with self._db.read(scope) as c:
            waiting = await repository_inbox.waiting(c, scope, owners)
        rows = 0
        async for block, table in self._read_ahead(scope, grouped(waiting, MOST_ROWS)):
            await self._send(scope, block, table)
            await self._note_loaded(scope, block)
            rows += block.rows
        return rows

    async def _read_ahead(
        self, scope: Scope, groups: Sequence[Sequence[Waiting]]
    ) -> AsyncIterator[tuple[Block, pa.Table]]:
        """Each block named and with its rows; the next one is read while the caller sends the one before."""
        following: asyncio.Task[tuple[Block, pa.Table]] | None = None
        try:
            for number in range(len(groups)):
                found = await (following or self._named(scope, groups[number]))
                following = None
                if number + 1 < len(groups):
                    following = asyncio.create_task(self._named(scope, groups[number + 1]))  # allowed: ended below
                yield found
        finally:
            if following is not None:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)

    async def _named(self, scope: Scope, rows: Sequence[Waiting]) -> tuple[Block, pa.Table]:
        async with self._db.write(scope) as c:
            block = await repository_blocks.name_block(c, scope, self._owner, self._new_block_id(), rows)
        crashpoint("flows.after_named")
        return block, await self._rows_of(scope, block)

    async def _rows_of(self, scope: Scope, block: Block) -> pa.Table:
        async with self._db.read(scope) as c:
            members = await repository_inbox.members(c, scope, block.members)
        if len(members) < len(block.members):
            raise LostRows(f"block {block.id}: the inbox has {len(members)} of {len(block.members)} batches")
        return await asyncio.to_thread(_joined, block, members)

    async def _send(self, scope: Scope, block: Block, table: pa.Table) -> None:
        await repository_rows.insert(scope, self._store, block, table)
        crashpoint("flows.after_insert")

    async def _note_loaded(self, scope: Scope, block: Block) -> None:
        async with self._db.write(scope) as c:
            await repository_blocks.note_loaded(c, scope, self._owner, block)
        _loaded.inc(block.rows)
        crashpoint("flows.after_loaded")

    async def _recover(self, scope: Scope, block: Block) -> None:
        """Count, and send what is not there."""
        found = await repository_rows.count(scope, self._store, block)
        if found not in {0, block.rows} and not self._store.is_cluster:
            _log.warning("flow_block_in_part", block=block.id, rows=block.rows, found=found)
            await repository_rows.delete(scope, self._store, block.id)
            block = await self._next_attempt(scope, block)
        if found != block.rows:
            await self._replay(scope, block)
        await self._note_loaded(scope, block)

    async def _replay(self, scope: Scope, block: Block) -> None:
        """With the same token first: it keeps out what a process that is only slow may still send."""
        _replayed.inc()
        table = await self._rows_of(scope, block)
        await self._send(scope, block, table)
        found = await repository_rows.count(scope, self._store, block)
        if found == block.rows:
            return
        if self._store.is_cluster:
            # A shard notes a token and its rows at once; what is not seen yet comes, and would come twice by another.
            raise Unavailable(
                f"the flow store shows {found:,} of {block.rows:,} rows that it took",
                "Look whether its replicas are behind (system.replicas); it is asked again, and nothing is lost.",
            )
        # The store noted the token and lost the rows: it will skip them for as long as it remembers.
        block = await self._next_attempt(scope, block)
        await self._send(scope, block, table)
        found = await repository_rows.count(scope, self._store, block)
        if found != block.rows:
            raise LostRows(f"block {block.id}: {found} of {block.rows} rows are there after a new attempt")

    async def _next_attempt(self, scope: Scope, block: Block) -> Block:
        again = Block(
            id=block.id,
            rows=block.rows,
            first_window=block.first_window,
            last_window=block.last_window,
            members=block.members,
            attempt=block.attempt + 1,
        )
        async with self._db.write(scope) as c:
            await repository_blocks.note_attempt(c, scope, again)
        return again

    def _new_block_id(self) -> int:
        return int(self._clock.now().timestamp() * 1_000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)


def _joined(block: Block, members: Sequence[Member]) -> pa.Table:
    return joined(block.id, members)
