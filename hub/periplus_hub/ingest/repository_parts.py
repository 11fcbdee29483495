"""SQL of statements in several parts: those that wait for the last one."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, Uuid, delete, func, select, tuple_

from periplus_contract.batch import Section
from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.ingest.model import DecodedBatch, EarlierParts, WaitingPart
from periplus_hub.ingest.tables import statement_parts
from periplus_hub.kit.arrays import array_table
from periplus_hub.kit.db import ReadConnection, WriteConnection


async def waiting(c: ReadConnection, scope: Scope, earlier: EarlierParts) -> list[WaitingPart]:
    """Those that are here, in order."""
    statement = select(statement_parts).where(
        owned(scope, statement_parts),
        statement_parts.c.registration_id == earlier.registration_id,
        statement_parts.c.epoch == earlier.epoch,
        statement_parts.c.seq >= earlier.first_seq,
        statement_parts.c.seq < earlier.before_seq,
    )
    return [
        WaitingPart(
            sections=msgspec.convert(row.sections, tuple[Section, ...]),
            inflated_bytes=row.inflated_bytes,
            body=row.body,
        )
        for row in await c.rows(statement.order_by(statement_parts.c.seq))
    ]


async def count_waiting(c: ReadConnection, scope: Scope, earlier: Sequence[EarlierParts]) -> dict[UUID, int]:
    """How many are here, of each registration that has any; one query for all."""
    rows = [(each.registration_id, each.epoch, each.first_seq, each.before_seq) for each in earlier]
    asked = array_table(
        "asked",
        {"id": Uuid(), "epoch": Uuid(), "first_seq": BigInteger(), "before_seq": BigInteger()},
        zip(*rows, strict=True),
    )
    same = (
        owned(scope, statement_parts)
        & (statement_parts.c.registration_id == asked.c.id)
        & (statement_parts.c.epoch == asked.c.epoch)
        & (statement_parts.c.seq >= asked.c.first_seq)
        & (statement_parts.c.seq < asked.c.before_seq)
    )
    statement = select(asked.c.id, func.count().label("here")).select_from(asked.join(statement_parts, same))
    return {row.id: row.here for row in await c.rows(statement.group_by(asked.c.id))}


async def put(c: WriteConnection, scope: Scope, batch: DecodedBatch) -> None:
    """Keep a part until the last one comes."""
    values = {
        "registration_id": batch.registration_id,
        "epoch": batch.epoch,
        "seq": batch.header.seq,
        "sections": msgspec.to_builtins(batch.header.sections),
        "inflated_bytes": batch.header.inflated_bytes,
        "body": batch.part_body,
        "received_at": batch.received_at,
    }
    await c.execute(insert_owned(scope, statement_parts, values))


async def forget_up_to(c: WriteConnection, scope: Scope, batch: DecodedBatch) -> None:
    """Parts no later than this batch are applied, or will never be whole."""
    # Of earlier epochs too: a spoke that began a new life sends no rest of a statement of its old one.
    here = tuple_(statement_parts.c.epoch, statement_parts.c.seq) <= tuple_(batch.epoch, batch.header.seq)
    own = statement_parts.c.registration_id == batch.registration_id
    await c.execute(delete(statement_parts).where(owned(scope, statement_parts), own, here))
