"""The turn of the inbox's ring: an inbox is emptied only when the flow store was counted to have all that was in it."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog

from periplus_hub.access.repository import system_tenant_ids
from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.flows import repository_blocks, repository_inbox, repository_rows
from periplus_hub.flows.model import Block
from periplus_hub.flows.tables import RING
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.crashpoint import crashpoint
from periplus_hub.kit.db import Database
from periplus_hub.kit.db_errors import DATABASE_ERRORS, is_timeout
from periplus_hub.kit.tenancy import EVERY_TENANT, NO_TENANT

_log: Final = structlog.get_logger(__name__)


async def turn(db: Database, store: ColumnStore) -> bool:
    """Empty the inbox that comes next and make it the one that takes what comes; False when it has to stay.

    Nobody writes into it: those who did when it was active were waited for when it was left.
    """
    async with db.read(NO_TENANT) as c:
        if await repository_inbox.system_is_empty(c):
            return True
    async with db.read(EVERY_TENANT) as c:
        tenants = [system_scope(tenant, "job:flows") for tenant in await system_tenant_ids(c)]
    async with db.read(NO_TENANT) as c:
        number = (await repository_inbox.system_turn(c) + 1) % RING
    if not all([await _is_loaded(db, store, scope, number) for scope in tenants]):
        return False
    crashpoint("flows.before_truncate")
    try:
        async with db.write(NO_TENANT) as c:
            await repository_inbox.system_empty(c, number)
    except DATABASE_ERRORS as error:
        if not is_timeout(error):
            raise
        return False  # somebody reads it, a backup perhaps: the next turn is soon
    crashpoint("flows.after_truncate")
    async with db.write(NO_TENANT) as c:
        await repository_inbox.system_next_turn(c)
    for scope in tenants:
        async with db.write(scope) as c:
            await repository_blocks.forget_members(c, scope)
    return True


async def _is_loaded(db: Database, store: ColumnStore, scope: Scope, number: int) -> bool:
    """Whether the store has every row of the tenant that this inbox has: counted, not remembered."""
    async with db.read(scope) as c:
        held = set(await repository_inbox.held_in(c, scope, number))
        if not held:
            return True
        blocks = await repository_blocks.blocks_holding(c, scope)
    concerned = [(block, loaded) for block, loaded in blocks if not held.isdisjoint(block.members)]
    in_blocks: set[UUID] = {each for block, _ in concerned for each in block.members}
    if not held <= in_blocks or not all(loaded for _, loaded in concerned):
        return False
    lacking = await _lacking(store, scope, [block for block, _ in concerned])
    if lacking:
        _log.error("flow_store_lost_rows", blocks=len(lacking), remedy="They are sent again from the inbox.")
        async with db.write(scope) as c:
            await repository_blocks.doubt(c, scope, lacking)
    return not lacking


async def _lacking(store: ColumnStore, scope: Scope, blocks: Sequence[Block]) -> list[int]:
    found = await repository_rows.counts(scope, store, blocks)
    return [block.id for block in blocks if found.get(block.id, 0) != block.rows]
