"""SQL of ipam statements in several parts: those that wait for the last one."""

import msgspec
from sqlalchemy import ColumnElement, delete, func, select, tuple_

from periplus_contract.batch import Section
from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.ingest.model import DecodedBatch, SealedBatch, WaitingPart
from periplus_hub.ingest.tables import parts
from periplus_hub.kit.db import ReadConnection, WriteConnection


def _before(scope: Scope, batch: SealedBatch | DecodedBatch) -> tuple[ColumnElement[bool], ...]:
    """The parts before this one, of its own statement."""
    header = batch.header
    first = header.seq - (header.ipam.part - 1 if header.ipam else 0)
    return (
        owned(scope, parts),
        parts.c.registration_id == batch.principal.registration_id,
        parts.c.epoch == batch.epoch,
        parts.c.seq >= first,
        parts.c.seq < header.seq,
    )


async def waiting(c: ReadConnection, scope: Scope, batch: SealedBatch) -> list[WaitingPart]:
    """The parts before this one, in order."""
    rows = await c.rows(select(parts).where(*_before(scope, batch)).order_by(parts.c.seq))
    return [
        WaitingPart(
            sections=msgspec.convert(row.sections, tuple[Section, ...]),
            inflated_bytes=row.inflated_bytes,
            body=row.body,
        )
        for row in rows
    ]


async def count_waiting(c: ReadConnection, scope: Scope, batch: DecodedBatch) -> int:
    """How many of the parts before this one are here."""
    return int(await c.scalar(select(func.count()).select_from(parts).where(*_before(scope, batch))) or 0)


async def put(c: WriteConnection, scope: Scope, batch: DecodedBatch) -> None:
    """Keep a part until the last one comes."""
    values = {
        "registration_id": batch.principal.registration_id,
        "epoch": batch.epoch,
        "seq": batch.header.seq,
        "sections": msgspec.to_builtins(batch.header.sections),
        "inflated_bytes": batch.header.inflated_bytes,
        "body": batch.part_body,
        "received_at": batch.received_at,
    }
    await c.execute(insert_owned(scope, parts, values))


async def forget_up_to(c: WriteConnection, scope: Scope, batch: DecodedBatch) -> None:
    """Parts no later than this batch are applied, or will never be whole."""
    here = tuple_(parts.c.epoch, parts.c.seq) <= tuple_(batch.epoch, batch.header.seq)
    mine = parts.c.registration_id == batch.principal.registration_id
    await c.execute(delete(parts).where(owned(scope, parts), mine, here))
