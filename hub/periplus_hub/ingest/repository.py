"""SQL of the ledger and what is written with it in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Row,
    Select,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from periplus_contract.covers import DERIVED, IPAM
from periplus_contract.outcomes import Outcome
from periplus_hub.access.scope import Scope, owned, system_scope
from periplus_hub.fleet.tables import registrations
from periplus_hub.ingest.chain import Chain
from periplus_hub.ingest.model import Completeness, DecodedBatch, Rejected
from periplus_hub.ingest.tables import batches, beats, chains, marks, outcomes, quarantine
from periplus_hub.kit.db import ReadConnection, WriteConnection
from periplus_hub.kit.ids import new_id

MAX_HELD: Final = 4_096
"""How far ahead of the oldest held batch the settled watermark looks; it moves on with the next answer."""
HOUR_S: Final = 3600

_SYNCHRONOUS: Final = text(
    "SELECT current_setting('synchronous_standby_names') <> '' "
    "AND current_setting('synchronous_commit') IN ('on', 'remote_apply', 'remote_write')"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a registration stands as its next batch arrives; its row is locked."""

    state: str
    chain: Chain | None


def _anyone(scope: Scope) -> Scope:
    """The tenant's scope without its actor: what statements of the hot path are kept under."""
    return system_scope(scope.tenant_id, "")


@lru_cache(maxsize=256)
def _lock_statement(scope: Scope) -> Select[Any]:
    """Built once per tenant: building a statement costs more than running it."""
    joined = (chains.c.tenant_id == registrations.c.tenant_id) & (chains.c.registration_id == registrations.c.id)
    return (
        select(registrations.c.state, chains.c.epoch, chains.c.last_seq, chains.c.parts_left, chains.c.snapshot_seq)
        .outerjoin_from(registrations, chains, joined)
        .where(owned(scope, registrations), registrations.c.id == bindparam("mine"))
        .with_for_update(of=registrations, key_share=True)
    )


async def lock(c: WriteConnection, scope: Scope, registration_id: UUID) -> Standing | None:
    """Hold the registration: its batches and heartbeats are applied one after the other, whatever the replica."""
    row = await c.one_or_none(_lock_statement(_anyone(scope)), {"mine": registration_id})
    if row is None:
        return None
    chain = None
    if row.epoch is not None:
        chain = Chain(epoch=row.epoch, last_seq=row.last_seq, parts_left=row.parts_left, snapshot_seq=row.snapshot_seq)
    return Standing(state=row.state, chain=chain)


async def enter(c: WriteConnection, scope: Scope, batch: DecodedBatch, sealed_bytes: int) -> bool:
    """Write the ledger row; False when this (registration, epoch, seq) is in it already."""
    header = batch.header
    values = {
        "tenant_id": scope.tenant_id,
        "registration_id": batch.principal.registration_id,
        "epoch": batch.epoch,
        "seq": header.seq,
        "kind": header.kind.value,
        "sha256": header.sha256,
        "rows": header.rows,
        "rejected_rows": batch.rejected_rows,
        "window_start": header.window_start_s,
        "sealed_bytes": sealed_bytes,
        "received_at": batch.received_at,
    }
    return (await c.execute(_ENTER, values)).rowcount > 0


_ENTER: Final = upsert(batches).on_conflict_do_nothing()


async def entered_sha256(c: ReadConnection, scope: Scope, registration_id: UUID, epoch: UUID, seq: int) -> str | None:
    """The body hash of the batch in the ledger."""
    found: str | None = await c.scalar(
        select(batches.c.sha256).where(
            owned(scope, batches),
            batches.c.registration_id == registration_id,
            batches.c.epoch == epoch,
            batches.c.seq == seq,
        )
    )
    return found


async def latest_seq(c: ReadConnection, scope: Scope, registration_id: UUID, epoch: UUID) -> int:
    """The highest seq received in the epoch, 0 for none."""
    mine = (batches.c.registration_id == registration_id, batches.c.epoch == epoch)
    return int(await c.scalar(select(func.max(batches.c.seq)).where(owned(scope, batches), *mine)) or 0)


async def put_chain(c: WriteConnection, scope: Scope, registration_id: UUID, chain: Chain, now: datetime) -> None:
    """Where the inventory stands after this batch."""
    values = {
        "tenant_id": scope.tenant_id,
        "registration_id": registration_id,
        "epoch": chain.epoch,
        "last_seq": chain.last_seq,
        "parts_left": chain.parts_left,
        "snapshot_seq": chain.snapshot_seq,
        "complete_since": None if chain.parts_left else now,
    }
    await c.execute(_PUT_CHAIN, values)


def _putting() -> Any:  # noqa: ANN401 - SQLAlchemy's Insert of a dialect, generic in what it returns
    statement = upsert(chains)
    new = statement.excluded
    names = ("epoch", "last_seq", "parts_left", "snapshot_seq")
    changed: dict[str, ColumnElement[Any]] = {name: new[name] for name in names}
    changed["complete_since"] = func.coalesce(chains.c.complete_since, new.complete_since)
    return statement.on_conflict_do_update(index_elements=["tenant_id", "registration_id"], set_=changed)


_PUT_CHAIN: Final = _putting()


async def advance_marks(c: WriteConnection, scope: Scope, batch: DecodedBatch) -> frozenset[str]:
    """What the batch covers of which nothing newer was applied yet; from now on this batch is the newest of it."""
    covers = {cover: cover.removesuffix(f"/{DERIVED}") for cover in batch.covers & IPAM}
    if not covers:
        return frozenset()
    values = {
        "tenant_id": scope.tenant_id,
        "registration_id": batch.principal.registration_id,
        "epoch": batch.epoch,
        "seq": batch.header.seq,
        "since": batch.received_at,
        "at": batch.received_at,
    }
    # In one order everywhere, so that two writers never wait for each other in a circle.
    rows = await c.rows(_ADVANCE.values([{**values, "section": name} for name in sorted(set(covers.values()))]))
    newest = {row.section for row in rows}
    return frozenset(cover for cover, section in covers.items() if section in newest)


def _advancing() -> Any:  # noqa: ANN401 - SQLAlchemy's Insert of a dialect, generic in what it returns
    statement = upsert(marks)
    new = statement.excluded
    older = (marks.c.epoch < new.epoch) | ((marks.c.epoch == new.epoch) & (marks.c.seq < new.seq))
    return statement.on_conflict_do_update(
        index_elements=["tenant_id", "registration_id", "section"],
        set_={"epoch": new.epoch, "seq": new.seq, "at": new["at"]},
        where=older,
    ).returning(marks.c.section)


_ADVANCE: Final = _advancing()


async def add_outcomes(
    c: WriteConnection, scope: Scope, registration_id: UUID, rows: Iterable[Mapping[str, Any]]
) -> None:
    """Add each row's counts to its (hour, kind); callers do so once per batch or heartbeat."""
    values = [{"tenant_id": scope.tenant_id, "registration_id": registration_id, **row} for row in rows]
    # In one order everywhere, so that two writers never wait for each other in a circle.
    for row in sorted(values, key=lambda each: (each["hour_start"], each["kind"])):
        await c.execute(_ADD_OUTCOME, row)


def _adding() -> Any:  # noqa: ANN401 - SQLAlchemy's Insert of a dialect, generic in what it returns
    statement = upsert(outcomes)
    new = statement.excluded
    changed = {name: outcomes.c[name] + new[name] for name in ("collected", "folded", "settled", "rejected")}
    # Sums of the reasons of both sides.
    changed["dropped"] = literal_column(
        "(SELECT coalesce(json_object_agg(reason, total), '{}') FROM ("
        "SELECT key AS reason, sum(value::bigint) AS total FROM ("
        "SELECT * FROM json_each_text(outcomes.dropped) UNION ALL SELECT * FROM json_each_text(excluded.dropped)"
        ") AS both_sides GROUP BY key) AS sums)"
    )
    keys = ["tenant_id", "registration_id", "hour_start", "kind"]
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


_ADD_OUTCOME: Final = _adding()


def _outcome_row(outcome: Outcome) -> dict[str, Any]:
    return {
        "hour_start": outcome.hour_start_s,
        "kind": outcome.kind.value,
        "collected": outcome.collected,
        "folded": outcome.folded,
        "settled": 0,
        "rejected": 0,
        "dropped": dict(outcome.dropped),
    }


async def account(c: WriteConnection, scope: Scope, batch: DecodedBatch) -> None:
    """Book the batch's rows as settled, with what its header says of others."""
    header = batch.header
    own: dict[str, Any] = {
        "hour_start": header.window_start_s // HOUR_S * HOUR_S,
        "kind": header.kind.value,
        "collected": 0,
        "folded": 0,
        "settled": header.rows,
        "rejected": batch.rejected_rows,
        "dropped": {},
    }
    rows = [own, *map(_outcome_row, header.outcomes)]
    await add_outcomes(c, scope, batch.principal.registration_id, rows)


async def account_reported(
    c: WriteConnection, scope: Scope, registration_id: UUID, reported: Sequence[Outcome]
) -> None:
    """Book what a heartbeat says."""
    await add_outcomes(c, scope, registration_id, map(_outcome_row, reported))


async def is_first_beat(
    c: WriteConnection, scope: Scope, registration_id: UUID, epoch: UUID, monotonic_us: int
) -> bool:
    """Whether this is another heartbeat than the one booked last; notes it. A retry has the same age."""
    table = beats
    statement = upsert(table).values(
        tenant_id=scope.tenant_id, registration_id=registration_id, epoch=epoch, monotonic_us=monotonic_us
    )
    new = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=["tenant_id", "registration_id"],
        set_={"epoch": new.epoch, "monotonic_us": new.monotonic_us},
        where=(table.c.epoch != new.epoch) | (table.c.monotonic_us != new.monotonic_us),
    )
    return (await c.execute(statement)).rowcount > 0


async def set_aside(
    c: WriteConnection, scope: Scope, batch: DecodedBatch, rejected: Sequence[Rejected], keep: int
) -> None:
    """Quarantine what was rejected, and drop the registration's oldest entries beyond `keep`."""
    mine = quarantine.c.registration_id == batch.principal.registration_id
    rows = [
        {
            "tenant_id": scope.tenant_id,
            "id": new_id(),
            "registration_id": batch.principal.registration_id,
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
    kept = select(quarantine.c.id).where(owned(scope, quarantine), mine).order_by(quarantine.c.id.desc()).limit(keep)
    await c.execute(delete(quarantine).where(owned(scope, quarantine), mine, quarantine.c.id.not_in(kept)))


async def settled_through(
    c: ReadConnection, scope: Scope, registration_id: UUID, epoch: UUID, *, oldest_held: int, cutoff: datetime
) -> int:
    """The last seq of the unbroken run from `oldest_held` on in which every batch was received by `cutoff`.

    A batch that is missing (never arrived, or lost with a restored backup) ends the run, so a spoke keeps and sends
    again what the hub does not have.
    """
    asked = {"mine": registration_id, "current": epoch, "oldest": oldest_held, "cutoff": cutoff}
    return int(await c.scalar(_settled_statement(_anyone(scope)), asked) or oldest_held - 1)


@lru_cache(maxsize=256)
def _settled_statement(scope: Scope) -> Select[Any]:
    oldest = bindparam("oldest", type_=BigInteger)
    run = (
        select(
            batches.c.seq,
            func.row_number().over(order_by=batches.c.seq).label("position"),
            func.max(batches.c.received_at).over(order_by=batches.c.seq).label("newest"),
        )
        .where(
            owned(scope, batches),
            batches.c.registration_id == bindparam("mine"),
            batches.c.epoch == bindparam("current"),
            batches.c.seq >= oldest,
        )
        .order_by(batches.c.seq)
        .limit(MAX_HELD)
        .subquery()
    )
    return select(func.max(run.c.seq)).where(
        run.c.seq - run.c.position == oldest - 1, run.c.newest <= bindparam("cutoff")
    )


async def system_commits_reach_a_standby(c: ReadConnection) -> bool:
    """Whether every commit waits for a synchronous standby: then what is committed is settled."""
    return bool(await c.scalar(_SYNCHRONOUS))


async def completeness(
    c: ReadConnection, scope: Scope, registration_ids: Sequence[UUID], start: datetime, end: datetime
) -> dict[UUID, list[Completeness]]:
    """The accounting of each registration's hours that start in [start, end), by hour and kind."""
    statement = (
        select(outcomes)
        .where(
            owned(scope, outcomes),
            outcomes.c.registration_id.in_(registration_ids),
            outcomes.c.hour_start >= int(start.timestamp()),
            outcomes.c.hour_start < int(end.timestamp()),
        )
        .order_by(outcomes.c.registration_id, outcomes.c.hour_start, outcomes.c.kind)
    )
    found: dict[UUID, list[Completeness]] = {registration_id: [] for registration_id in registration_ids}
    for row in await c.rows(statement):
        found[row.registration_id].append(_completeness(row))
    return found


def _completeness(row: Row[Any]) -> Completeness:
    return Completeness(
        registration_id=row.registration_id,
        hour_start=datetime.fromtimestamp(row.hour_start, UTC),
        kind=row.kind,
        collected=row.collected,
        folded=row.folded,
        settled=row.settled,
        rejected=row.rejected,
        dropped=dict(row.dropped),
    )


async def system_forget(c: WriteConnection, before: datetime) -> None:
    """Drop ledger rows, accounting and quarantine older than `before`, whoever's they are: retention."""
    await c.execute(delete(batches).where(batches.c.received_at < before))
    await c.execute(delete(outcomes).where(outcomes.c.hour_start < int(before.timestamp())))
    await c.execute(delete(quarantine).where(quarantine.c.at < before))
