"""A toy table of flows, what a hub keeps of it, and the little that tests of agents of nodes ask."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from periplus_contract.batch import FlowsMark
from periplus_contract.column_types import UTF8
from periplus_contract.tables import Column, Kind, Table
from periplus_hub.access.scope import Scope
from periplus_hub.access.tables import audit_events
from periplus_hub.ingest.model import DecodedBatch
from periplus_hub.kit.db import WriteConnection

from tests.support.batches import EPOCH, Spoke, section
from tests.support.spokes_door import Door, RefusedByHubError

CONNECTIONS = Table("connections", (Column("to", UTF8, nullable=False),))
OTHER_EPOCH = UUID(int=EPOCH.int + 1)


@dataclass
class Connections:
    """The applier of a toy table of flows: what it was given, by cluster and agent."""

    kind: Kind = Kind.FLOWS
    rows: list[tuple[UUID, UUID | None, str]] = field(default_factory=list)

    async def apply(self, c: WriteConnection, group: Sequence[DecodedBatch]) -> None:
        del c
        self.rows += [
            (batch.registration_id, batch.principal.agent_id, row["to"])
            for batch in group
            for row in batch.tables["connections"].to_pylist()
        ]


def flows(spoke: Spoke, *to: str | None, node: str = "node-1") -> bytes:
    """A batch of what this node sent to somebody."""
    parts = [section(Kind.FLOWS, "connections", [{"to": each} for each in to])]
    return spoke.seal(Kind.FLOWS, parts, flows=FlowsMark(node=node))


async def refusal(work: object) -> str:
    with pytest.raises(RefusedByHubError) as refused:
        await work  # type: ignore[misc]  # any awaitable
    return refused.value.slug


async def rows_of(door: Door, scope: Scope, table: Any) -> list[Any]:
    async with door.db.read(scope) as c:
        return list(await c.rows(select(table)))


async def audited(door: Door, scope: Scope, action: str) -> list[Any]:
    await door.refusals.write(is_last=True)
    return [each for each in await rows_of(door, scope, audit_events) if each.action == action]
