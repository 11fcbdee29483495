"""SQL of the accounting, statements and quarantine that are written with the ledger, and of forgetting them all."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from periplus_contract.outcomes import Outcome
from periplus_hub.access.scope import Scope, owned
from periplus_hub.fleet.model import SpokePrincipal
from periplus_hub.ingest.model import BatchKey, DecodedBatch, Rejected
from periplus_hub.ingest.tables import batches, beats, outcomes, quarantine, statements
from periplus_hub.kit.db import ReadConnection, WriteConnection
from periplus_hub.kit.ids import new_id
from periplus_hub.kit.json_counts import counts_added

HOUR_S: Final = 3600


async def received(c: ReadConnection, scope: Scope, key: BatchKey, seqs: Collection[int]) -> set[int]:
    """Those of the numbers that batches of this sender and epoch came with."""
    of_epoch = (batches.c.sender_id == key.sender_id, batches.c.epoch == key.epoch)
    asked = select(batches.c.seq).where(owned(scope, batches), *of_epoch, batches.c.seq.in_(list(seqs)))
    return {row.seq for row in await c.rows(asked)}


async def advance_statements(
    c: WriteConnection, scope: Scope, batch: DecodedBatch, stated: frozenset[str]
) -> frozenset[str]:
    """Of what the batch states, that of which nothing newer was applied yet: from now on the batch is its newest."""
    if not stated:
        return frozenset()
    values = {
        "tenant_id": scope.tenant_id,
        "registration_id": batch.registration_id,
        "epoch": batch.epoch,
        "seq": batch.header.seq,
        "since": batch.received_at,
        "at": batch.received_at,
    }
    # In one order everywhere, so that two writers never wait for each other in a circle.
    named = [
        {**values, "cover": name, "rows_aside": batch.rows_missed(name.partition("/")[0])} for name in sorted(stated)
    ]
    return frozenset(row.cover for row in await c.rows(_ADVANCE.values(named)))


def _advancing() -> Any:  # noqa: ANN401 - SQLAlchemy's Insert of a dialect, generic in what it returns
    statement = upsert(statements)
    new = statement.excluded
    older = (statements.c.epoch < new.epoch) | ((statements.c.epoch == new.epoch) & (statements.c.seq < new.seq))
    return statement.on_conflict_do_update(
        index_elements=["tenant_id", "registration_id", "cover"],
        set_={"epoch": new.epoch, "seq": new.seq, "rows_aside": new.rows_aside, "at": new["at"]},
        where=older,
    ).returning(statements.c.cover)


_ADVANCE: Final = _advancing()


async def account(c: WriteConnection, scope: Scope, group: Iterable[DecodedBatch]) -> None:
    """Book the batches' rows as settled, with what their headers say of others; once per batch."""
    await _add_outcomes(c, scope, [row for batch in group for row in _booked(batch)])


def _booked(batch: DecodedBatch) -> Iterator[dict[str, Any]]:
    header = batch.header
    own: dict[str, Any] = {
        "registration_id": batch.registration_id,
        "hour_start": header.window_start_s // HOUR_S * HOUR_S,
        "kind": header.kind.value,
        "collected": 0,
        "folded": 0,
        "settled": header.rows,
        "rejected": batch.rejected_rows,
        "dropped": {},
    }
    yield own
    for outcome in header.outcomes:
        yield _reported(batch.registration_id, outcome)


async def account_reported(
    c: WriteConnection, scope: Scope, registration_id: UUID, reported: Sequence[Outcome]
) -> None:
    """Book what a heartbeat says; once per heartbeat."""
    await _add_outcomes(c, scope, [_reported(registration_id, outcome) for outcome in reported])


def _reported(registration_id: UUID, outcome: Outcome) -> dict[str, Any]:
    return {
        "registration_id": registration_id,
        "hour_start": outcome.hour_start_s,
        "kind": outcome.kind.value,
        "collected": outcome.collected,
        "folded": outcome.folded,
        "settled": 0,
        "rejected": 0,
        "dropped": dict(outcome.dropped),
    }


async def _add_outcomes(c: WriteConnection, scope: Scope, rows: Iterable[Mapping[str, Any]]) -> None:
    """In one order everywhere: agents of one cluster add to the same hours, and must not wait in a circle."""
    added = sorted(rows, key=lambda row: (row["registration_id"], row["hour_start"], row["kind"]))
    if added:
        # Row by row, not as one INSERT of many rows: a header may name the hour of its own rows, and one statement must
        # not meet a row twice.
        await c.execute(_ADD_OUTCOME, [{"tenant_id": scope.tenant_id, **row} for row in added])


def _adding() -> Any:  # noqa: ANN401 - SQLAlchemy's Insert of a dialect, generic in what it returns
    statement = upsert(outcomes)
    new = statement.excluded
    changed = {name: outcomes.c[name] + new[name] for name in ("collected", "folded", "settled", "rejected")}
    changed["dropped"] = counts_added(outcomes.name, outcomes.c.dropped.name)
    keys = ["tenant_id", "registration_id", "hour_start", "kind"]
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


_ADD_OUTCOME: Final = _adding()


async def is_first_beat(
    c: WriteConnection, scope: Scope, principal: SpokePrincipal, epoch: UUID, monotonic_us: int
) -> bool:
    """Whether this is another heartbeat than the one booked last; notes it. A retry has the same age."""
    table = beats
    statement = upsert(table).values(
        tenant_id=scope.tenant_id,
        registration_id=principal.registration_id,
        sender_id=principal.sender_id,
        epoch=epoch,
        monotonic_us=monotonic_us,
    )
    new = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=["tenant_id", "registration_id", "sender_id"],
        set_={"epoch": new.epoch, "monotonic_us": new.monotonic_us},
        where=(table.c.epoch != new.epoch) | (table.c.monotonic_us != new.monotonic_us),
    )
    return (await c.execute(statement)).rowcount > 0


async def set_aside(
    c: WriteConnection, scope: Scope, batch: DecodedBatch, rejected: Sequence[Rejected], keep: int
) -> None:
    """Quarantine what was rejected, and drop the registration's oldest entries beyond `keep`."""
    own = quarantine.c.registration_id == batch.registration_id
    rows = [
        {
            "tenant_id": scope.tenant_id,
            "id": new_id(),
            "registration_id": batch.registration_id,
            "agent_id": batch.principal.agent_id,
            "epoch": batch.epoch,
            "seq": batch.header.seq,
            "kind": batch.header.kind.value,
            "reason": entry.reason,
            "rows": entry.rows,
            "detail": entry.table.replace("\0", ""),
            "sample": entry.sample.encode(),
            "at": batch.received_at,
        }
        for entry in rejected
    ]
    await c.execute(insert(quarantine), rows)
    # Ids are ordered by time.
    kept = select(quarantine.c.id).where(owned(scope, quarantine), own).order_by(quarantine.c.id.desc()).limit(keep)
    await c.execute(delete(quarantine).where(owned(scope, quarantine), own, quarantine.c.id.not_in(kept)))
