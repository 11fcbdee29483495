"""SQL of a group of batches in their one transaction: who stands where, what is entered, what is settled.

A group holds at most one batch of each sender, all of one tenant; every function is one round trip for all of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Select,
    Uuid,
    any_,
    bindparam,
    func,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from periplus_hub.access.scope import Scope, owned, system_scope
from periplus_hub.fleet.repository_enrolment import AGENT_STATE
from periplus_hub.fleet.tables import agents, registrations
from periplus_hub.ingest.applied_chain import AppliedChain
from periplus_hub.ingest.model import BatchKey, DecodedBatch
from periplus_hub.ingest.tables import batches, chains
from periplus_hub.kit.arrays import array_table
from periplus_hub.kit.db import ReadConnection, WriteConnection
from periplus_hub.kit.tables import UTC_TIME

MAX_HELD: Final = 4_096
"""How far ahead of the oldest held batch the settled watermark looks; it moves on with the next answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerState:
    """What is known of a sender as its next batch arrives; its row is locked."""

    state: str
    chain: AppliedChain | None
    """Of an agent there is none: it sends nothing that stands on what came before."""
    entered_sha256: str | None
    """Of the batch with this key that is in the ledger already."""


async def lock(c: WriteConnection, scope: Scope, keys: Sequence[BatchKey]) -> dict[UUID, LedgerState]:
    """Hold the senders, and read where they stand; unknown ones are missing.

    A sender's batches and heartbeats are applied one after the other, whatever the replica. So the reading is a
    statement of its own: one that waits for a lock goes on with what it saw before it waited.
    """
    states: dict[UUID, str] = {}
    for are_agents, statement in ((False, _lock_registrations), (True, _lock_agents)):
        ids = [each.sender_id for each in keys if each.is_agent is are_agents]
        if ids:
            states |= {row.id: row.state for row in await c.rows(statement(_anyone(scope)), {"ids": ids})}
    epochs, seqs = [each.epoch for each in keys], [each.seq for each in keys]
    asked = {"asked_id": [each.sender_id for each in keys], "asked_epoch": epochs, "asked_seq": seqs}
    found = await c.rows(_state_statement(_anyone(scope)), asked)
    return {row.id: _state(row, states[row.id]) for row in found if row.id in states}


def _state(row: Any, state: str) -> LedgerState:  # noqa: ANN401 - a row of the statement below
    chain = None
    if row.epoch is not None:
        chain = AppliedChain(
            epoch=row.epoch, last_seq=row.last_seq, parts_left=row.parts_left, snapshot_seq=row.snapshot_seq
        )
    return LedgerState(state=state, chain=chain, entered_sha256=row.sha256)


def _anyone(scope: Scope) -> Scope:
    """The tenant's scope without its actor: what statements of the hot path are kept under."""
    return system_scope(scope.tenant_id, "")


@lru_cache(maxsize=256)
def _lock_registrations(scope: Scope) -> Select[Any]:
    """Built once per tenant: building a statement costs more than running it.

    In the order of ids, so that two groups never wait for each other in a circle.
    """
    table = registrations
    return (
        select(table.c.id, table.c.state)
        .where(owned(scope, table), table.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
        .order_by(table.c.id)
        # FOR NO KEY UPDATE: rows that refer to a registration may be inserted meanwhile, as their foreign key only asks
        # that it stays.
        .with_for_update(key_share=True)
    )


@lru_cache(maxsize=256)
def _lock_agents(scope: Scope) -> Select[Any]:
    """The same of agents. Their cluster is read and not held: a thousand agents do not wait for each other."""
    return (
        select(agents.c.id, AGENT_STATE.label("state"))
        .join_from(agents, registrations, registrations.c.id == agents.c.registration_id)
        .where(owned(scope, agents), owned(scope, registrations))
        .where(agents.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
        .order_by(agents.c.id)
        .with_for_update(key_share=True, of=agents)
    )


@lru_cache(maxsize=256)
def _state_statement(scope: Scope) -> Select[Any]:
    asked = array_table("asked", {"id": Uuid(), "epoch": Uuid(), "seq": BigInteger()})
    own = owned(scope, chains) & (chains.c.registration_id == asked.c.id)
    same = (
        owned(scope, batches)
        & (batches.c.sender_id == asked.c.id)
        & (batches.c.epoch == asked.c.epoch)
        & (batches.c.seq == asked.c.seq)
    )
    known = (chains.c.epoch, chains.c.last_seq, chains.c.parts_left, chains.c.snapshot_seq)
    return select(asked.c.id, *known, batches.c.sha256).select_from(
        asked.outerjoin(chains, own).outerjoin(batches, same)
    )


async def enter(c: WriteConnection, scope: Scope, entered: Sequence[DecodedBatch]) -> None:
    """Write the ledger rows; none of them may be there, as `lock` told."""
    await c.execute(upsert(batches), [_ledger_row(scope, batch) for batch in entered])


def _ledger_row(scope: Scope, batch: DecodedBatch) -> dict[str, Any]:
    header = batch.header
    return {
        "tenant_id": scope.tenant_id,
        "registration_id": batch.registration_id,
        "sender_id": batch.sender_id,
        "epoch": batch.epoch,
        "seq": header.seq,
        "kind": header.kind.value,
        "sha256": batch.sha256,
        "rows": header.rows,
        "rejected_rows": batch.rejected_rows,
        "window_start": header.window_start_s,
        "sealed_bytes": batch.sealed_bytes,
        "received_at": batch.received_at,
    }


async def put_chains(c: WriteConnection, scope: Scope, after: Iterable[tuple[DecodedBatch, AppliedChain]]) -> None:
    """The chains after these batches."""
    await c.execute(_PUT_CHAIN, [_chain_row(scope, batch, chain) for batch, chain in after])


def _chain_row(scope: Scope, batch: DecodedBatch, chain: AppliedChain) -> Mapping[str, Any]:
    return {
        "tenant_id": scope.tenant_id,
        "registration_id": batch.registration_id,
        "epoch": chain.epoch,
        "last_seq": chain.last_seq,
        "parts_left": chain.parts_left,
        "snapshot_seq": chain.snapshot_seq,
        "complete_since": None if chain.parts_left else batch.received_at,
    }


def _putting() -> Any:  # noqa: ANN401 - SQLAlchemy's Insert of a dialect, generic in what it returns
    statement = upsert(chains)
    new = statement.excluded
    names = ("epoch", "last_seq", "parts_left", "snapshot_seq")
    changed: dict[str, ColumnElement[Any]] = {name: new[name] for name in names}
    # The first whole snapshot's time stays; a later snapshot that is still incomplete does not make counts unknown
    # again.
    changed["complete_since"] = func.coalesce(chains.c.complete_since, new.complete_since)
    return statement.on_conflict_do_update(index_elements=["tenant_id", "registration_id"], set_=changed)


_PUT_CHAIN: Final = _putting()


async def settled_through(
    c: ReadConnection, scope: Scope, keys: Sequence[BatchKey], *, cutoff: datetime
) -> dict[UUID, int]:
    """Of each, the last seq of the unbroken run from `oldest_held` on in which every batch was received by `cutoff`.

    A batch that is missing (never arrived, or lost with a restored backup) ends the run, so a spoke keeps and sends
    again what the hub does not have.
    """
    asked = {
        "asked_id": [each.sender_id for each in keys],
        "asked_epoch": [each.epoch for each in keys],
        "asked_oldest": [each.oldest_held for each in keys],
        "cutoff": cutoff,
    }
    found = {row.id: int(row.through) for row in await c.rows(_settled_statement(_anyone(scope)), asked)}
    return {each.sender_id: found.get(each.sender_id, each.oldest_held - 1) for each in keys}


@lru_cache(maxsize=256)
def _settled_statement(scope: Scope) -> Select[Any]:
    asked = array_table("asked", {"id": Uuid(), "epoch": Uuid(), "oldest": BigInteger()})
    run = (
        select(
            batches.c.seq,
            func.row_number().over(order_by=batches.c.seq).label("position"),
            func.max(batches.c.received_at).over(order_by=batches.c.seq).label("newest"),
        )
        .where(
            owned(scope, batches),
            batches.c.sender_id == asked.c.id,
            batches.c.epoch == asked.c.epoch,
            batches.c.seq >= asked.c.oldest,
        )
        .order_by(batches.c.seq)
        .limit(MAX_HELD)
        .lateral("run")
    )
    # While no number is missing, seq and position grow together. `newest` only grows as well, so one late batch ends
    # the run too: both conditions hold for a beginning of it and for nothing after.
    unbroken = run.c.seq - run.c.position == asked.c.oldest - 1
    return (
        select(asked.c.id, func.max(run.c.seq).label("through"))
        .select_from(asked.join(run, true()))
        .where(unbroken, run.c.newest <= bindparam("cutoff", type_=UTC_TIME))
        .group_by(asked.c.id)
    )
