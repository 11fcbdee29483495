"""Statements of findings."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import product
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Select, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.findings import tables
from periplus_hub.findings.model import DetectorRound, Finding, FindingSeverity, FindingState
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection, WriteConnection, lock_number
from periplus_hub.kit.purge import Stale

_TABLE: Final = tables.findings
_COLUMNS: Final = tuple(_TABLE.c[name] for name in Finding.__dataclass_fields__)
_LIVE: Final = _TABLE.c.state != FindingState.RESOLVED.value
_GOING_ON: Final = (FindingState.OPEN, FindingState.ACKNOWLEDGED)
_CONTENT: Final = (
    *("severity", "state", "title", "why", "what_to_do", "evidence"),
    *("registration_id", "registration_ids", "overlap_group_id"),
)


def _finding(row: Row[Any]) -> Finding:
    values = dict(row._mapping)
    values["severity"] = FindingSeverity(row.severity)
    values["state"] = FindingState(row.state)
    values["registration_ids"] = tuple(row.registration_ids)
    return Finding(**values)


def _readable(scope: Scope) -> Select[Any]:
    return select(*_COLUMNS).where(owned(scope, _TABLE))


async def locked_live(c: WriteConnection, scope: Scope, detector: str) -> dict[str, Finding]:
    """A detector's live findings by fingerprint; nobody else reconciles them until the transaction ends."""
    # Row locks hold nothing where there are no findings yet, and two processes would each add the same one.
    await c.execute(select(func.pg_advisory_xact_lock(lock_number(f"findings {scope.tenant_id} {detector}"))))
    rows = await c.rows(_readable(scope).where(_LIVE, _TABLE.c.detector == detector).with_for_update())
    return {row.fingerprint: _finding(row) for row in rows}


async def live_counts(c: ReadConnection, scope: Scope) -> dict[tuple[FindingState, FindingSeverity], int]:
    """Findings that go on; 0 for those without."""
    kind = (_TABLE.c.state, _TABLE.c.severity)
    live = _TABLE.c.state.in_([each.value for each in _GOING_ON])  # two ranges of an index; "not resolved" is none
    asked = select(*kind, func.count().label("findings")).where(owned(scope, _TABLE), live).group_by(*kind)
    found = {(row.state, row.severity): int(row.findings) for row in await c.rows(asked)}
    every = product(_GOING_ON, FindingSeverity)
    return {(state, severity): found.get((state.value, severity.value), 0) for state, severity in every}


async def locked_finding(c: WriteConnection, scope: Scope, finding_id: UUID) -> Finding | None:
    """One finding, locked."""
    row = await c.one_or_none(_readable(scope).where(_TABLE.c.id == finding_id).with_for_update())
    return None if row is None else _finding(row)


def _row(finding: Finding) -> dict[str, Any]:
    values = {name: getattr(finding, name) for name in Finding.__dataclass_fields__}
    return {
        **values,
        "severity": finding.severity.value,
        "state": finding.state.value,
        "registration_ids": list(finding.registration_ids),
    }


async def add(c: WriteConnection, scope: Scope, findings: Iterable[Finding]) -> None:
    """New findings."""
    rows = [_row(finding) for finding in findings]
    if rows:
        await c.execute(insert_owned(scope, _TABLE), rows)


async def change(c: WriteConnection, scope: Scope, findings: Iterable[Finding]) -> None:
    """Everything of known findings that can change."""
    names = (*_CONTENT, "changed_at", "resolved_at", "acknowledged_by", "acknowledged_at", "note")
    for finding in findings:
        row = _row(finding)
        statement = update(_TABLE).where(owned(scope, _TABLE), _TABLE.c.id == finding.id)
        await c.execute(statement.values(**{name: row[name] for name in names}))


async def record_round(c: WriteConnection, scope: Scope, ended: DetectorRound) -> None:
    """The detectors looked at all of the tenant."""
    values = {"ended_at": ended.ended_at, "undecided": list(ended.undecided), "partly": dict(ended.partly)}
    statement = upsert(tables.finding_rounds).values(tenant_id=scope.tenant_id, **values)
    await c.execute(statement.on_conflict_do_update(index_elements=["tenant_id"], set_=values))


async def last_round(c: ReadConnection, scope: Scope) -> DetectorRound:
    """When they last did."""
    table = tables.finding_rounds
    asked = select(table.c.ended_at, table.c.undecided, table.c.partly)
    row = await c.one_or_none(asked.where(owned(scope, table)))
    if row is None:
        return DetectorRound(ended_at=None)
    return DetectorRound(ended_at=row.ended_at, undecided=tuple(row.undecided), partly=row.partly)


def resolved_before(scope: Scope, before: datetime) -> Sequence[Stale]:
    """Findings that are over for that long."""
    over = _TABLE.c.state == FindingState.RESOLVED.value
    return [(_TABLE, owned(scope, _TABLE) & over & (_TABLE.c.changed_at < before))]


async def resolve(c: WriteConnection, scope: Scope, ids: Sequence[UUID], now: datetime) -> None:
    """Over."""
    if ids:
        statement = update(_TABLE).where(owned(scope, _TABLE), one_of(_TABLE.c.id, ids))
        await c.execute(statement.values(state=FindingState.RESOLVED.value, changed_at=now, resolved_at=now))
